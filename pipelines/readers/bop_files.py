"""The files of a BOP scene: `scene_gt.json`, `scene_gt_info.json`, `scene_camera.json`, pictures, masks.

Whatever is wrong with them is a `UserError` that names file, image and key. Numbers are read as
decimals: shifting the point by three places turns millimetres into exactly the metres that were
exported, which a product with 0.001 does not.
"""

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epropnp.errors import UserError

_PICTURE_FOLDERS = ("rgb", "gray")
_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif")
_MASKS = "mask_visib"
_LARGEST = 1e6  # millimetres or pixels: nothing real comes near
_ROTATION_ERROR = 0.01  # of R R^T: annotations are rounded, but not wilder than this

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One object in one picture."""

    number: int  # its place in the picture's list: what masks are named by
    object_id: int
    T_cam_obj: Array  # (4, 4) metres
    visible_share: float  # of the silhouette


class Scene:
    """One scene folder, its tables read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"{folder.parent.name}/{folder.name}"  # such as test/000006
        files = [folder / f"scene_{table}.json" for table in ("gt", "gt_info", "camera")]
        self.gt, self._info, self._camera = files
        self._tables = {file: read_json(file) for file in files}
        self.masked = (folder / _MASKS).is_dir()
        if not isinstance(self._tables[self.gt], dict):
            raise UserError(f"{self.gt} is not a table of images")

    def images_of(self, object_id: int) -> list[int]:
        """Ids of the annotated images that show the object, in ascending order."""
        return sorted(i for i in self._image_ids() if object_id in self._object_ids(i))

    def unannotated(self) -> int:
        """How many pictures are on disk that no table knows."""
        files = {file.stem for kind in _PICTURE_FOLDERS for file in (self.folder / kind).glob("*")}
        known = {f"{image_id:06d}" for image_id in self._image_ids()}
        return len({stem for stem in files if stem.isdecimal()} - known)

    def _image_ids(self) -> list[int]:
        try:
            return [int(name) for name in self._tables[self.gt]]
        except ValueError as error:
            raise UserError(f"{self.gt} has an image id that is no integer: {error}") from None

    def _object_ids(self, image_id: int) -> list[int]:
        return [integer(pose, "obj_id", self.gt, _where(image_id)) for pose in self._poses(image_id)]

    def _poses(self, image_id: int) -> list[Any]:
        poses = key(self._tables[self.gt], str(image_id), self.gt)
        if not isinstance(poses, list):
            raise UserError(f"{self.gt}: {_where(image_id)} needs a list of poses")
        return poses

    def instances(self, image_id: int) -> list[Instance]:
        """All annotated instances of an image."""
        where, poses = _where(image_id), self._poses(image_id)
        shares = key(self._tables[self._info], str(image_id), self._info)
        if not isinstance(shares, list) or len(shares) != len(poses):
            count = len(shares) if isinstance(shares, list) else "no list of"
            raise UserError(f"{self._info}: {where} has {count} entries, {self.gt} {len(poses)}")
        return [
            Instance(
                number=number,
                object_id=integer(pose, "obj_id", self.gt, where),
                T_cam_obj=_pose(pose, self.gt, where),
                visible_share=float(numbers(share, "visib_fract", 1, self._info, where)[0]),
            )
            for number, (pose, share) in enumerate(zip(poses, shares, strict=True))
        ]

    def camera(self, image_id: int) -> Array:
        """K (3, 3) of an image."""
        where = _where(image_id)
        entry = key(self._tables[self._camera], str(image_id), self._camera)
        K = numbers(entry, "cam_K", 9, self._camera, where).reshape(3, 3)
        if K[0, 0] <= 0 or K[1, 1] <= 0 or K[1, 0] != 0 or K[2].tolist() != [0, 0, 1]:
            raise UserError(f"{self._camera}: {where} has a 'cam_K' that is no camera matrix")
        return K

    def picture(self, image_id: int) -> Path | None:
        """The picture of an image; None where it is not on disk."""
        names = (
            self.folder / kind / f"{image_id:06d}{suffix}"
            for kind in _PICTURE_FOLDERS
            for suffix in _PICTURE_SUFFIXES
        )
        return next((name for name in names if name.is_file()), None)

    def mask(self, image_id: int, number: int) -> Path | None:
        """The given mask of the visible part of an instance; None where the scene has no masks."""
        if not self.masked:
            return None
        file = self.folder / _MASKS / f"{image_id:06d}_{number:06d}.png"
        if not file.is_file():
            raise UserError(f"{file} is missing although {_where(image_id)} has a picture and a pose")
        return file


def _where(image_id: int) -> str:
    return f"image {image_id}"


def _pose(entry: Any, file: Path, where: str) -> Array:
    T_cam_obj = np.eye(4)
    T_cam_obj[:3, :3] = R = numbers(entry, "cam_R_m2c", 9, file, where).reshape(3, 3)
    T_cam_obj[:3, 3] = metres(entry, "cam_t_m2c", 3, file, where)
    if not is_rotation(R):
        raise UserError(f"{file}: {where} has a 'cam_R_m2c' that is no rotation")
    if T_cam_obj[2, 3] <= 0:
        raise UserError(f"{file}: {where} has a 'cam_t_m2c' that lies behind the camera")
    return T_cam_obj


def is_rotation(R: Array) -> bool:
    """Whether R (3, 3) is a rotation but for rounding."""
    return bool(np.abs(R @ R.T - np.eye(3)).max() < _ROTATION_ERROR and np.linalg.det(R) > 0)


def read_text(file: Path) -> str:
    """A text file's content."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{file} is not a text file") from None


def read_json(file: Path) -> Any:
    """A JSON file's content, fractions as decimals."""
    text = read_text(file)
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file} is not JSON: {error}") from None


def key(table: Any, name: str, file: Path, where: str = "the file") -> Any:
    """An entry of a table; the error names file, place and key."""
    try:
        return table[name]
    except (KeyError, TypeError):
        raise UserError(f"{file}: {where} has no key {name!r}") from None


def numbers(table: Any, name: str, count: int, file: Path, where: str) -> Array:
    """`count` finite numbers (count,) under a key; one number need not be a list."""
    return np.array([float(value) for value in _decimals(table, name, count, file, where)])


def metres(table: Any, name: str, count: int, file: Path, where: str) -> Array:
    """As `numbers`, millimetres in the file."""
    return np.array([float(value.scaleb(-3)) for value in _decimals(table, name, count, file, where)])


def integer(table: Any, name: str, file: Path, where: str) -> int:
    """An integer under a key."""
    value = key(table, name, file, where)
    if isinstance(value, bool) or not isinstance(value, int):
        raise UserError(f"{file}: {where} needs an integer under {name!r}, not {value!r}")
    return value


def _decimals(table: Any, name: str, count: int, file: Path, where: str) -> list[Decimal]:
    found = key(table, name, file, where)
    values = found if isinstance(found, list) else [found]
    if len(values) != count or not all(map(_is_number, values)):
        raise UserError(f"{file}: {where} needs {count} number{'s' * (count > 1)} under {name!r}")
    return [Decimal(value) for value in values]


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    return bool(-_LARGEST <= value <= _LARGEST)  # NaN and infinities are not
