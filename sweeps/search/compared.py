"""Which trials of a sweep its summary compares, where that is not all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What a summary holds.

    Attributes:
        names: of the trials that are compared, those that wait for their end included.
        notes: what a reader must know of that choice.
    """

    names: frozenset[str]
    notes: Sequence[str] = ()


@runtime_checkable
class Choosing(Protocol):
    """A search that does not compare every trial that it asks for."""

    def compared(self) -> Compared:
        """As far as one knows by now."""
