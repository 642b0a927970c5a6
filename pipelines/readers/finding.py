"""What a check of an object's data found."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A line of text, and whether it is worth a warning, or an error."""

    text: str
    warns: bool = False
    refuses: bool = False

    @property
    def line(self) -> str:
        """To print, and for the manifest."""
        return f"WARNING: {self.text}" if self.warns or self.refuses else self.text
