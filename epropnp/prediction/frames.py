"""Lists of pictures and boxes: JSON lines, one for each picture.

    {"image": "rgb/000012.png", "K": [572.4, 0, 325.3, 0, 573.6, 242.0, 0, 0, 1],
     "box": [[310, 200, 96, 120]], "object": ["cat"], "scene_id": 2, "image_id": 12, "boxes": "visible"}

`image` is a path relative to the list. `K` is a matrix, a table as in BOP's `camera.json`, or the path of
such a file; of a `scene_camera.json` the entry of `image_id` counts. `box` is one box or a list of them, and
so is `object`, by name or id; one object stands for all boxes. The rest may be left out. What is wrong with a
line costs that line alone.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epropnp.data.cameras import GivenCamera, camera_of, read_camera
from epropnp.errors import UserError, nearest

if TYPE_CHECKING:  # a mistyped picture is answered before torch is loaded
    from epropnp.inference.model import BoxKind

NEEDED = ("image", "K", "box")
KEYS = (*NEEDED, "object", "scene_id", "image_id", "boxes", "bits")
_OPEN_CAMERAS = 64  # files that are kept

Object = str | int


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One picture of a list.

    Attributes:
        line: its number in the list, from 1.
        image: the picture.
        camera: of it.
        boxes: as given, unchecked: the picture's size is not known yet.
        objects: name or id of what is in each; None where nothing says it.
        scene_id, image_id: of BOP.
        kind: of the boxes, where the list says it.
        bits: of the values of a picture that is stored in 16; None: as many as its largest value needs.
    """

    line: int
    image: Path
    camera: GivenCamera
    boxes: Any
    objects: list[Object] | Object | None = None
    scene_id: int | None = None
    image_id: int | None = None
    kind: "BoxKind | None" = None
    bits: int | None = None


@dataclass(frozen=True, kw_only=True)
class Damaged:
    """A line that is no frame, and why."""

    line: int
    reason: str
    said: dict[str, Any] = field(default_factory=dict)  # what it is known by: image, scene and image id


def read_frames(file: Path, skip: int = 0) -> Iterator[Frame | Damaged]:
    """The frames of a list, one after the other, without the first `skip` lines. Empty lines are left out.

    Raises:
        UserError: the list cannot be read.
    """
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            for number, text in enumerate(stream, 1):
                if number > skip and text.strip():
                    yield _frame(text, number, file)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from None


def count_lines(file: Path) -> int:
    """How many lines a list has. UserError where it cannot be read."""
    try:
        with file.open("rb") as stream:
            return sum(1 for _ in stream)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from None


def check_keys(entry: Any, keys: Sequence[str]) -> None:
    """UserError for what is no table of such keys, or lacks one that is needed."""
    if not _is_table(entry):
        raise UserError(f"is no table with the keys {', '.join(NEEDED)}")
    for name in entry:
        if name not in keys:
            raise UserError(f"has an unknown key {name!r}{nearest(str(name), keys)}")
    missing = [name for name in NEEDED if entry.get(name) is None]
    if missing:
        raise UserError(f"has no key {missing[0]!r}")


def _frame(text: str, line: int, file: Path) -> Frame | Damaged:
    entry: Any = None
    try:
        entry = json.loads(text)
        return _read(entry, line, file)
    except (ValueError, RecursionError) as error:
        return Damaged(line=line, reason=f"is not JSON: {error}")
    except UserError as error:
        known = (
            {k: entry[k] for k in ("image", "scene_id", "image_id") if k in entry} if _is_table(entry) else {}
        )
        return Damaged(line=line, reason=str(error), said=known)


def _read(entry: Any, line: int, file: Path) -> Frame:
    check_keys(entry, KEYS)
    if not isinstance(entry["image"], str):
        raise UserError(f"'image' is the path of a picture, not {entry['image']!r}")
    kind = entry.get("boxes")
    if kind not in (None, "visible", "whole"):
        raise UserError(f"'boxes' are 'visible' or 'whole', not {kind!r}")
    numbers = {name: _whole(entry.get(name), name) for name in ("scene_id", "image_id", "bits")}
    return Frame(
        line=line,
        image=file.parent / entry["image"],
        camera=_camera(entry["K"], file, numbers["image_id"]),
        boxes=entry["box"],
        objects=objects_of(entry.get("object")),
        kind=kind,
        **numbers,
    )


def _camera(value: Any, file: Path, image_id: int | None) -> GivenCamera:
    if isinstance(value, str):
        return _file_camera(file.parent / value, image_id)
    return camera_of(value, "K", image_id)


@lru_cache(maxsize=_OPEN_CAMERAS)
def _file_camera(file: Path, image_id: int | None) -> GivenCamera:
    return read_camera(file, image_id)


def objects_of(value: Any) -> list[Object] | Object | None:
    """What a JSON value says that is in each box, or in all; UserError where it cannot."""
    each = value if isinstance(value, list) else [] if value is None else [value]
    for name in each:
        if isinstance(name, bool) or not isinstance(name, str | int):
            raise UserError(f"'object' is a name or a number, or a list of them, not {value!r}")
    found: list[Object] | Object | None = value
    return found


def _whole(value: Any, name: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise UserError(f"{name!r} is a whole number, not {value!r}")
    return value


def _is_table(entry: Any) -> bool:
    return isinstance(entry, Mapping)
