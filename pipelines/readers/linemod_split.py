"""The split of LineMOD that its studies share: 2,375 training and 13,425 test frames of 13 objects."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("linemod_split.json")


@dataclass(frozen=True, kw_only=True)
class OfficialSplit:
    """Frame numbers of one object's sequence."""

    frames: int
    train: tuple[int, ...]

    @property
    def test(self) -> tuple[int, ...]:
        """All that do not train."""
        return tuple(sorted(set(range(self.frames)).difference(self.train)))


@cache
def official_split() -> dict[str, OfficialSplit]:
    """By the names of the 13 objects."""
    table = json.loads(_FILE.read_text(encoding="utf-8"))
    del table["source"]
    return {
        name: OfficialSplit(frames=entry["frames"], train=tuple(entry["train"]))
        for name, entry in table.items()
    }
