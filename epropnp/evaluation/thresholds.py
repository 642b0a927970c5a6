"""Where the accuracies of a table are taken, which are compared, and how close two are that are called equal.

Without the scores, so that a command line answers at once.
"""

from dataclasses import dataclass

from epropnp.errors import UserError

MARGIN = 5.0  # points, where nothing else is said
BEST = 20  # settings whose test images are read and compared, likewise


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Where the accuracies are taken."""

    add: tuple[float, ...] = (0.02, 0.05, 0.10)
    """ADD(-S), in diameters."""
    degcm: tuple[float, ...] = (2, 5, 10)
    """n degrees and n centimetres."""
    px: tuple[float, ...] = (2, 5, 10, 20)
    """2D projection, in pixels."""

    def __post_init__(self) -> None:
        """UserError for values that are not positive."""
        for name, values in vars(self).items():
            if not values or any(not value > 0 for value in values):
                raise UserError(f"thresholds.{name}: give positive numbers, not {values or 'nothing'}")
