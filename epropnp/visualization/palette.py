"""One colour and one shape for each setting of a sweep, the same in all of its figures.

The colours are Okabe and Ito's, which the colour-blind can tell apart, without the yellow, which a white page
swallows. There are no more than one can tell apart: settings beyond them are grey, and the figure says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY, GREY_MARKER = "#B4B4B4", "."
INK = "#333333"  # of what is no setting's own
CONTRAST = 4.5


@dataclass(frozen=True)
class Palette:
    """Colours of settings.

    Attributes:
        ranked: their names, the best first: as many as there are colours are told apart.
    """

    ranked: Sequence[str]

    @cached_property
    def named(self) -> tuple[str, ...]:
        """Those with a colour of their own, the best first."""
        return tuple(self.ranked[: len(COLOURS)])

    @property
    def rest(self) -> int:
        """How many are grey."""
        return len(self.ranked) - len(self.named)

    def colour(self, name: str) -> str:
        """Its own, or grey."""
        return COLOURS[self.named.index(name)] if name in self.named else GREY

    def marker(self, name: str) -> str:
        """Its own shape, or a dot."""
        return MARKERS[self.named.index(name)] if name in self.named else GREY_MARKER

    def ink(self, name: str) -> str:
        """Its colour for letters: dark enough to be read on white."""
        return INK if self.colour(name) == GREY else dark(self.colour(name))

    def note(self, shown: Sequence[str] | None = None) -> str:
        """What a figure says about its grey settings, of those that it shows; nothing where it has none."""
        grey = sum(name not in self.named for name in (self.ranked if shown is None else shown))
        return f"Grey: {grey} other setting{'s' * (grey != 1)}, not among the best." if grey else ""


def dark(colour: str) -> str:
    """A colour `#rrggbb`, darkened as far as letters on white need it: a contrast of 4.5 (WCAG 2.1)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    while 1.05 / (_luminance(parts) + 0.05) < CONTRAST:
        parts = [0.97 * part for part in parts]
    return "#" + "".join(f"{round(255 * part):02X}" for part in parts)


def _luminance(parts: Sequence[float]) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
