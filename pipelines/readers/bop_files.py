"""The files of a BOP scene: `scene_gt.json`, `scene_gt_info.json`, `scene_camera.json`, pictures, masks.

Whatever is wrong with them is a `UserError` that names file, image and key. What can be done without is
not demanded: `scene_gt_info.json` or its `visib_fract`, masks, and poses of what is not seen. Images are
known by number, so that the keys "12" and "000012" are the same.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epropnp.errors import UserError
from epropnp.json_files import by_number, integer, is_camera_matrix, metres, numbers, read_json
from pipelines.readers.file_names import MASK_SUFFIXES, PICTURE_SUFFIXES, NumberedFiles

_PICTURE_FOLDERS = ("rgb", "gray")
PICTURE_NAMES = f"rgb/000012 or gray/000012, or without zeros, with {', '.join(PICTURE_SUFFIXES)}"
_MASKS, _WHOLE_MASKS = "mask_visib", "mask"
VISIBLE_MIN = 0.1
"""Share of an object that must be seen: with less, BOP leaves it out, too."""
_BOXES = {"visible": "bbox_visib", "whole": "bbox_obj"}
_PURPOSES = {"gt": "the poses", "gt_info": "the visible shares", "camera": "the camera matrices"}
_ROTATION_ERROR = 0.01  # of R R^T: annotations are rounded, but not wilder than this

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One object in one picture."""

    number: int  # its place in the picture's list: what masks are named by
    object_id: int
    T_cam_obj: Array | None  # (4, 4) metres; None where it is not seen and lies behind the camera
    visible_share: float | None  # of the silhouette; None where no table says it


class Scene:
    """One scene folder, its tables read."""

    def __init__(self, folder: Path, annotated: bool = True) -> None:
        """`annotated`: whether poses are demanded."""
        self.folder = folder
        self.name = f"{folder.parent.name}/{folder.name}"  # such as test/000006
        files = {table: folder / f"scene_{table}.json" for table in _PURPOSES}
        self.gt, self._info, self._camera = files.values()
        self._tables = {
            file: _by_image(file, _PURPOSES[table])
            for table, file in files.items()
            if file == self._camera or (annotated and file == self.gt) or file.is_file()
        }
        masks = folder / _MASKS
        self.masked = masks.is_dir() and any(masks.iterdir())
        self._masks = NumberedFiles(masks, MASK_SUFFIXES)
        self._whole_masks = NumberedFiles(folder / _WHOLE_MASKS, MASK_SUFFIXES)
        self._pictures = NumberedFiles(_picture_folder(folder), PICTURE_SUFFIXES)

    def images_of(self, object_id: int) -> list[int]:
        """Ids of the annotated images that show the object, in ascending order."""
        return sorted(i for i in self._image_ids() if object_id in self._object_ids(i))

    def unannotated(self) -> int:
        """How many pictures are on disk that no table knows."""
        files = [file for kind in _PICTURE_FOLDERS for file in (self.folder / kind).glob("*")]
        return len({int(file.stem) for file in files if file.stem.isdecimal()} - set(self._image_ids()))

    def object_ids(self, image_id: int) -> set[int]:
        """Ids of the objects that a picture is annotated with."""
        return set(self._object_ids(image_id))

    def _image_ids(self) -> list[int]:
        return list(self._tables[self.gt])

    def _object_ids(self, image_id: int) -> list[int]:
        return [integer(pose, "obj_id", self.gt, _where(image_id)) for pose in self._poses(image_id)]

    def _poses(self, image_id: int) -> list[Any]:
        poses = self._entry(self.gt, image_id)
        if not isinstance(poses, list):
            raise UserError(f"{self.gt}: {_where(image_id)} needs a list of poses")
        return poses

    def instances(self, image_id: int) -> list[Instance]:
        """All annotated instances of an image."""
        where, poses = _where(image_id), self._poses(image_id)
        found = []
        for number, (pose, share) in enumerate(zip(poses, self._shares(image_id, len(poses)), strict=True)):
            object_id = integer(pose, "obj_id", self.gt, where)
            T_cam_obj = _pose_if_seen(pose, share, self.gt, where)
            share = share if T_cam_obj is not None else 0.0
            found.append(
                Instance(number=number, object_id=object_id, T_cam_obj=T_cam_obj, visible_share=share)
            )
        return found

    def _shares(self, image_id: int, count: int) -> list[float | None]:
        """The visible share of every instance of an image; None where it is not stated."""
        where = _where(image_id)
        shares = self._tables.get(self._info, {}).get(image_id)
        if shares is None:
            return [None] * count
        if not isinstance(shares, list) or len(shares) != count:
            found = len(shares) if isinstance(shares, list) else "no list of"
            raise UserError(f"{self._info}: {where} has {found} entries, {self.gt} {count}")
        return [_share(entry, self._info, where) for entry in shares]

    def image_ids(self) -> list[int]:
        """Ids of the images that have a camera, in ascending order."""
        return sorted(self._tables[self._camera])

    def box(self, image_id: int, number: int, kind: str) -> Array | None:
        """The stated box (4,) of an instance, x, y, w, h: `visible` or `whole`; None where there is none.

        Raises:
            UserError: no table states it.
        """
        where, shares = _where(image_id), self._tables.get(self._info, {}).get(image_id)
        if not isinstance(shares, list) or number >= len(shares):
            raise UserError(f"{self._info} does not state the boxes of {where}: give a detector's")
        found = numbers(shares[number], _BOXES[kind], 4, self._info, where)
        return found if found[2:].min() > 0 else None

    def _entry(self, file: Path, image_id: int) -> Any:
        try:
            return self._tables[file][image_id]
        except KeyError:
            raise UserError(f"{file}: the file has no key {str(image_id)!r}") from None

    def camera(self, image_id: int) -> Array:
        """K (3, 3) of an image."""
        where = _where(image_id)
        entry = self._entry(self._camera, image_id)
        K = numbers(entry, "cam_K", 9, self._camera, where).reshape(3, 3)
        if not is_camera_matrix(K):
            raise UserError(f"{self._camera}: {where} has a 'cam_K' that is no camera matrix")
        return K

    def picture(self, image_id: int) -> Path | None:
        """The picture of an image; None where it is not on disk."""
        return self._pictures.find(image_id)

    def oddly_named(self) -> dict[str, int]:
        """Says how many pictures have other names than are looked for; nothing where there are none."""
        others, kind = self._pictures.others, self._pictures.folder.name
        if not others:
            return {}
        return {
            f"pictures in {kind}/ whose names are no numbers such as 000012, but {others[0]}": len(others)
        }

    def mask(self, image_id: int, number: int) -> Path | None:
        """The given mask of the visible part of an instance; None where the scene has no masks."""
        if not self.masked:
            return None
        file = self._masks.find(image_id, number)
        if file is None:
            missing = self._masks.folder / f"{image_id:06d}_{number:06d}.png"
            raise UserError(
                f"{missing} is missing although {_where(image_id)} has a picture and a pose: it says what is "
                f"seen of the object; tried {self._masks.tried(image_id, number)}; without the folder "
                f"{_MASKS}, masks are rendered"
            )
        return file

    def whole_mask(self, image_id: int, number: int) -> Path | None:
        """The given mask of all of an instance, what hides it included; None where there is none."""
        return self._whole_masks.find(image_id, number)


def _where(image_id: int) -> str:
    return f"image {image_id}"


def _picture_folder(scene: Path) -> Path:
    """The folder of a scene's pictures: one of them, since those of two sensors have other cameras."""
    folders = [scene / name for name in _PICTURE_FOLDERS]
    return next((folder for folder in folders if folder.is_dir() and any(folder.iterdir())), folders[0])


def _by_image(file: Path, purpose: str) -> dict[int, Any]:
    """A table of images by number: its keys may be padded with zeros."""
    table = read_json(file, purpose)
    if not isinstance(table, dict):
        raise UserError(f"{file} is not a table of images")
    return by_number(table, file, "an image id")


def _share(entry: Any, file: Path, where: str) -> float | None:
    """`visib_fract`; None where it is missing, null or NaN, which is what 0 / 0 leaves."""
    if not isinstance(entry, dict):
        raise UserError(f"{file}: {where} has an entry that is no table")
    value = entry.get("visib_fract")
    if value is None or value != value:
        return None
    return float(numbers(entry, "visib_fract", 1, file, where)[0])


def _pose_if_seen(entry: Any, share: float | None, file: Path, where: str) -> Array | None:
    """The pose; None where the object is behind the camera and nothing says that it is seen.

    Of what is stated to be unseen, writers leave whatever they like: no pose, zeros, null.
    """
    if share is not None and share < VISIBLE_MIN:
        try:
            return _pose(entry, file, where)
        except UserError:
            return None
    if share is None and metres(entry, "cam_t_m2c", 3, file, where)[2] <= 0:
        return None
    return _pose(entry, file, where)


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
