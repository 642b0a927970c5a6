"""Losses as sums of named, weighted terms: `1.0 * coord + 0.02 * mc + 0.1 * deriv_t`.

Each term is a function of whatever the losses of a project look at; here, a `training.terms.Scene`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from epropnp.errors import UserError

S = TypeVar("S")


class LossValue(NamedTuple):
    """A loss, and what it is made of.

    Attributes:
        total: the weighted sum, a scalar with gradient.
        raw: each term by name, a scalar with gradient.
        weighted: each term times its weight, without gradient; they add up to `total`.
    """

    total: Tensor
    raw: dict[str, Tensor]
    weighted: dict[str, Tensor]


@dataclass(frozen=True)
class Loss(Generic[S]):
    """A weighted sum of named terms; one of weight 0 is not computed.

    Attributes:
        terms: functions that give a scalar, by name.
        weights: of the same names.
    """

    terms: Mapping[str, Callable[[S], Tensor]]
    weights: Mapping[str, float]

    @classmethod
    def term(cls, name: str, function: Callable[[S], Tensor]) -> "Loss[S]":
        """One term of weight 1."""
        return cls({name: function}, {name: 1.0})

    def __rmul__(self, factor: float) -> "Loss[S]":
        return Loss(self.terms, {name: factor * weight for name, weight in self.weights.items()})

    def __add__(self, other: "Loss[S]") -> "Loss[S]":
        """The sum; weights of the same term add up. ValueError where one name stands for two functions."""
        for name in self.terms.keys() & other.terms.keys():
            if self.terms[name] is not other.terms[name]:
                raise ValueError(f"two different loss terms are named '{name}'")
        weights = dict(self.weights)
        for name, weight in other.weights.items():
            weights[name] = weights.get(name, 0.0) + weight
        return Loss({**self.terms, **other.terms}, weights)

    def __call__(self, scene: S, shares: Mapping[str, Tensor] | None = None) -> LossValue:
        """Compute the terms, in their order. UserError where one is not a scalar.

        `shares` are what counts of a weight at the moment, by name: scalars, on the device of the terms.
        """
        raw = {name: term(scene) for name, term in self.terms.items() if self.weights[name]}
        for name, value in raw.items():
            if not isinstance(value, Tensor) or value.ndim:
                found = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
                raise UserError(f"loss term '{name}' gave {found}, not a scalar tensor: take the mean")
        weighted = {name: self.weights[name] * value for name, value in raw.items()}
        for name, share in (shares or {}).items():
            weighted[name] = share * weighted[name]
        total = torch.stack(list(weighted.values())).sum()
        return LossValue(total, raw, {name: value.detach() for name, value in weighted.items()})
