"""A number that was measured on some images, and how far other images could move it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A number with its confidence interval; as text, `60.3 [54.7, 65.7]`."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.1f} [{self.low:.1f}, {self.high:.1f}]"
