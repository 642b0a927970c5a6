"""A pinhole camera from JSON: a bare K, BOP's `camera.json` and `scene_camera.json`, names of OpenCV and ROS.

K belongs to the pictures of one size: where the size is stated, it is held against the picture's. What bends
lines (distortion) is refused: poses are those of a pinhole camera.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epropnp.errors import UserError
from epropnp.json_files import by_number, is_camera_matrix, numbers, read_json

FORM = "K or cam_K (3 x 3, row by row), or fx, fy, cx, cy"
FAR = 0.25  # of the picture's side: principal points farther from the middle are noted
_MATRICES = ("K", "cam_K", "camera_matrix")
_SIZES = (("width", "height"), ("image_width", "image_height"))
_DISTORTIONS = ("d", "coeffs", *(f"k{i}" for i in range(1, 7)), "p1", "p2")
_NOT_COEFFICIENTS = ("distortion_model",)

Array = NDArray[np.float64]
Size = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class GivenCamera:
    """A camera as somebody wrote it down.

    Attributes:
        K: intrinsics in pixels as stored, centres at whole numbers, (3, 3).
        size: width and height of its pictures, where they are stated.
        where: what says so, for messages.
    """

    K: Array
    size: Size | None
    where: str

    def of_picture(self, size: Size) -> list[str]:
        """What there is to say of a picture of this width and height with this camera; often nothing.

        Raises:
            UserError: the camera is that of pictures of another size.
        """
        if self.size is not None and self.size != size:
            given, found = ("{} x {}".format(*each) for each in (self.size, size))
            raise UserError(
                f"{self.where}: the camera is that of pictures of {given} pixels, this one has {found}. If "
                f"it was resized, its K is {self._resized(size)}; if it was cut out, subtract the column and "
                "row of its first pixel from cx and cy; leave width and height out then"
            )
        x, y = self.K[0, 2], self.K[1, 2]
        off = max(abs(x - (size[0] - 1) / 2) / size[0], abs(y - (size[1] - 1) / 2) / size[1])
        if off <= FAR:
            return []
        return [
            f"{self.where}: the principal point ({x:.1f}, {y:.1f}) lies far from the middle of the "
            f"{size[0]} x {size[1]} picture: right for a part of a larger one, wrong if K is of another size"
        ]

    def _resized(self, size: Size) -> list[list[float]]:
        """K of the same pictures in another size; pixel centres at whole numbers."""
        assert self.size is not None
        scale = [new / old for new, old in zip(size, self.size, strict=True)]
        half = [(each - 1) / 2 for each in scale]
        affine = np.array([[scale[0], 0, half[0]], [0, scale[1], half[1]], [0, 0, 1]])
        rows: list[list[float]] = (affine @ self.K).round(4).tolist()
        return rows


def read_camera(file: Path, image_id: int | None = None, purpose: str = "the camera") -> GivenCamera:
    """The camera of a file; of a `scene_camera.json`, which has one for each image, that of `image_id`.

    Raises:
        UserError: the file is missing or holds none, or that of several images and none is named.
    """
    return camera_of(read_json(file, purpose), str(file), image_id)


def camera_of(value: Any, where: str, image_id: int | None = None) -> GivenCamera:
    """The camera that a JSON value says: a matrix, or a table as in files. UserError as of `read_camera`."""
    if isinstance(value, list):
        value = {"K": value}
    if not isinstance(value, Mapping):
        raise UserError(f"{where} is no camera: it needs {FORM}")
    if value and all(isinstance(entry, Mapping) and name.isdecimal() for name, entry in value.items()):
        value, where = _of_image(dict(value), where, image_id)
    _refuse_distortion(value, where)
    K = _matrix(value, where)
    if not is_camera_matrix(K):
        raise UserError(f"{where} has no camera matrix, row by row: {K.tolist()}")
    return GivenCamera(K=K, size=_size(value, where), where=where)


def _of_image(table: dict[str, Any], where: str, image_id: int | None) -> tuple[Mapping[str, Any], str]:
    by_image = by_number(table, Path(where), "an image id")
    if image_id is None:
        raise UserError(f"{where} has the cameras of {len(by_image)} images: give the image id, too")
    if image_id not in by_image:
        raise UserError(f"{where} has no camera of image {image_id}")
    return by_image[image_id], f"{where}, image {image_id}"


def _matrix(table: Mapping[str, Any], where: str) -> Array:
    name = next((name for name in _MATRICES if name in table), None)
    if name is None:
        if not {"fx", "fy", "cx", "cy"} & table.keys():
            raise UserError(f"{where} is no camera: it needs {FORM}")
        fx, fy, cx, cy = (_number(table, entry, where) for entry in ("fx", "fy", "cx", "cy"))
        return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    rows = _values(table[name])
    if isinstance(rows, list) and all(isinstance(row, list) for row in rows):
        rows = [value for row in rows for value in row]
    return numbers({name: rows}, name, 9, where, "the camera").reshape(3, 3)


def _size(table: Mapping[str, Any], where: str) -> Size | None:
    for names in _SIZES:
        if set(names) & table.keys():
            width, height = (_number(table, name, where) for name in names)
            if not (width >= 1 and height >= 1 and width == int(width) and height == int(height)):
                raise UserError(f"{where}: width and height are {width:g} and {height:g}, not whole pixels")
            return int(width), int(height)
    return None


def _refuse_distortion(table: Mapping[str, Any], where: str) -> None:
    for name, value in table.items():
        plain = name.lower()
        if plain in _NOT_COEFFICIENTS or not (plain.startswith("dist") or plain in _DISTORTIONS):
            continue
        if any(number != 0 for number in _flat(_values(value))):
            raise UserError(
                f"{where}: the camera has a distortion ({name}), and poses are those of a pinhole camera: "
                "undistort the picture first (cv2.undistort keeps K), and give K without the coefficients"
            )


def _values(value: Any) -> Any:
    """Of OpenCV's and ROS's matrices, tables of rows, cols and data, the data."""
    return value["data"] if isinstance(value, Mapping) and "data" in value else value


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _flat(each)
    elif value is not None and not isinstance(value, str):
        yield value


def _number(table: Mapping[str, Any], name: str, where: str) -> float:
    return float(numbers(table, name, 1, where, "the camera")[0])
