"""Means over the images of each object, then over objects, and how far other images would move them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from epropnp.evaluation.metrics import Array


@dataclass(frozen=True, kw_only=True)
class Variance:
    """Estimated variances, and the degrees of freedom that each is known with, (...)."""

    value: Array
    dof: Array


def images_by_object(object_id: Array) -> list[Array]:
    """Indices of the images of each object."""
    return [np.flatnonzero(object_id == key) for key in np.unique(object_id)]


def average(values: Array, objects: Sequence[Array]) -> Array:
    """Mean over the images of each object, then over objects: (..., n) to (...)."""
    return np.asarray(np.mean([values[..., images].mean(-1) for images in objects], axis=0))


def resampling_variance(values: Array, objects: Sequence[Array]) -> Array:
    """Variance of `average` when the images of each object are drawn from these: (..., n) to (...)."""
    variances = [values[..., images].var(-1) / len(images) for images in objects]
    return np.asarray(np.sum(variances, axis=0) / len(objects) ** 2)


def sampling_variance(values: Array, objects: Sequence[Array]) -> Array:
    """Variance of `average` over other images of the same objects, without bias: (..., n) to (...)."""
    return np.asarray(_terms(values, objects).sum(-1))


def known_variance(values: Array, objects: Sequence[Array]) -> Variance:
    """`sampling_variance` with its degrees of freedom, all of them where it is 0: (..., n) to (...)."""
    free = _free(objects)
    most = max(free.sum(), 1)
    terms = np.moveaxis(_terms(values, objects), -1, 0)
    dofs = np.where(free, free, most)
    found = combined([Variance(value=v, dof=dof) for v, dof in zip(terms, dofs, strict=True)])
    return Variance(value=found.value, dof=np.where(found.value > 0, found.dof, most))


def combined(parts: Sequence[Variance]) -> Variance:
    """Variance of a sum of independent parts; degrees of freedom by Welch and Satterthwaite.

    (sum of v)^2 / sum of v^2 / dof: Satterthwaite, Biometrics Bulletin 2, 1946; Welch, Biometrika 34, 1947.
    1 where the variance is 0 or infinite.
    """
    value = np.asarray(sum(part.value for part in parts), np.float64)
    known = (value > 0) & np.isfinite(value)
    whole = np.where(known, value, 1.0)
    shares = sum((np.where(known, part.value, whole) / whole) ** 2 / part.dof for part in parts)
    return Variance(value=value, dof=np.where(known, 1 / shares, 1.0))


def _terms(values: Array, objects: Sequence[Array]) -> Array:
    """What each object adds to the variance of `average`: (..., n) to (..., objects).

    An object with one image is given the variance within the others; infinite, where every object has one.
    """
    free = _free(objects)
    if not free.any():
        return np.full((*values.shape[:-1], len(objects)), np.inf)
    squares = np.stack([values[..., images].var(-1) for images in objects], axis=-1) * (free + 1)
    pooled = squares.sum(-1, keepdims=True) / free.sum()
    within = np.where(free, squares / np.maximum(free, 1), pooled)
    return np.asarray(within / (free + 1) / len(objects) ** 2)


def _free(objects: Sequence[Array]) -> Array:
    """Degrees of freedom within each object."""
    return np.array([len(images) - 1 for images in objects])
