"""What a search notes in the folder of a trial that it asks for: all that it has to remember."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Value = int | float | str  # a number of a range, or the name of a choice
Params = Mapping[str, Value]
Sampler = Literal["random", "tpe", "gp", "nsga"]


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One answer of a sampler.

    Attributes:
        number: of the draw; those of a search follow each other.
        params: what was chosen, by axis or setting.
        attrs: what the sampler notes of it.
    """

    number: int
    params: Params
    attrs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Why there is a trial.

    Attributes:
        draw: of its cell.
        refused: draws before that one that made no network.
    """

    draw: Draw
    refused: Sequence[Draw] = ()

    def content(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"draw": asdict(self.draw), "refused": [asdict(draw) for draw in self.refused]}

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Asked":
        """Inverse of `content`. KeyError or TypeError where that is something else."""
        refused = tuple(Draw(**draw) for draw in content["refused"])
        return cls(draw=Draw(**content["draw"]), refused=refused)
