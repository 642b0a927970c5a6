"""Real frames of one object from a folder in the BOP scene-wise format.

Expected under the root: `models/` (and `models_eval/`, preferred for evaluation points) with
`models_info.json`, `splits/NAME_train.txt` and `NAME_test.txt` with image ids, and the object's
sequence `test/<object id, six digits>/` with `rgb/`, `mask_visib/`, `scene_gt.json`,
`scene_gt_info.json`, `scene_camera.json`. Units are millimetres there and metres here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from epropnp.data.schema import ObjectModel, Record
from epropnp.errors import UserError
from pipelines.mesh import Mesh
from pipelines.objects import ObjectInfo
from pipelines.records import crop_window, cut, encode, mask_box
from pipelines.render import Renderer

_MM = 0.001
_VISIBLE_MIN = 0.1
_CONTINUOUS_STEPS = 64  # a symmetry of revolution becomes this many turns
_SCENE_TABLES = ("gt", "gt_info", "camera")
_IMAGE_SUFFIXES = (".jpg", ".png")


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One real view of the object."""

    image_id: int
    K: NDArray[np.float64]  # (3, 3)
    T_cam_obj: NDArray[np.float64]  # (4, 4) metres
    image_file: Path
    mask_file: Path


@dataclass(frozen=True, kw_only=True)
class Frames:
    """The usable frames of a split, and how many were skipped."""

    frames: tuple[Frame, ...]
    missing: int  # listed in the split, but without a picture on disk
    hidden: int  # less than a tenth of the object is visible (BOP leaves these out, too)


class BopObject:
    """One object's model and sequence in a BOP folder."""

    def __init__(self, root: Path, info: ObjectInfo) -> None:
        if not root.is_dir():
            raise UserError(f"no data folder at {root}: give a folder in the BOP format")
        self.root = root
        self.info = info
        self.scene = root / "test" / f"{info.object_id:06d}"
        if not self.scene.is_dir():
            raise UserError(f"{self.scene} is missing: {root} has no frames of {info.name}")

    @property
    def mesh_file(self) -> Path:
        """The mesh to render, with vertex colours."""
        return self.root / "models" / f"obj_{self.info.object_id:06d}.ply"

    @property
    def evaluation_mesh_file(self) -> Path:
        """The mesh whose vertices are the evaluation points."""
        file = self.root / "models_eval" / self.mesh_file.name
        return file if file.is_file() else self.mesh_file

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """Everything but meshes and pictures that decides what the frames are."""
        scene = [self._scene_file(name) for name in _SCENE_TABLES]
        splits = [self._split_file(name) for name in ("train", "test")]
        return (*scene, *splits, self._models_info_file)

    @property
    def _models_info_file(self) -> Path:
        return self.evaluation_mesh_file.parent / "models_info.json"

    def _scene_file(self, name: str) -> Path:
        return self.scene / f"scene_{name}.json"

    def _split_file(self, name: str) -> Path:
        return self.root / "splits" / f"{self.info.name}_{name}.txt"

    def mesh(self) -> Mesh:
        """The mesh to render, in metres."""
        return Mesh.load(self.mesh_file, unit_m=_MM)

    def model(self) -> ObjectModel:
        """The object's table entry; bounds enclose the rendered mesh."""
        mesh = self.mesh()
        file = self._models_info_file
        entry = _key(_read_json(file), str(self.info.object_id), file)
        return ObjectModel(
            object_id=self.info.object_id,
            name=self.info.name,
            diameter_m=float(_key(entry, "diameter", file, self.info.name)) * _MM,
            bounds_min=mesh.vertices.min(axis=0),
            bounds_max=mesh.vertices.max(axis=0),
            symmetric=self.info.symmetric,
            symmetries=_symmetries(entry),
            points=Mesh.load(self.evaluation_mesh_file, unit_m=_MM).vertices.astype(np.float32),
        )

    def frames(self, split: str) -> Frames:
        """The frames of 'train' or 'test'; ids without a picture on disk are counted as missing."""
        file = self._split_file(split)
        ids = [int(word) for word in _read_text(file).split()]
        tables = {name: _read_json(self._scene_file(name)) for name in _SCENE_TABLES}
        found = [(i, path) for i in ids if (path := self._image_file(i)) is not None]
        frames = [self._frame(i, path, tables) for i, path in found]
        visible = tuple(frame for frame in frames if frame is not None)
        hidden = len(frames) - len(visible)
        return Frames(frames=visible, missing=len(ids) - len(frames), hidden=hidden)

    def _image_file(self, image_id: int) -> Path | None:
        names = (self.scene / "rgb" / f"{image_id:06d}{suffix}" for suffix in _IMAGE_SUFFIXES)
        return next((name for name in names if name.is_file()), None)

    def _frame(self, image_id: int, image: Path, tables: dict[str, Any]) -> Frame | None:
        """One frame; None where the object is hidden."""
        key, where = str(image_id), f"image {image_id}"
        gt, info, camera = (self._scene_file(name) for name in _SCENE_TABLES)
        poses = _key(tables["gt"], key, gt)
        ids = [_key(pose, "obj_id", gt, where) for pose in poses]
        if self.info.object_id not in ids:
            raise UserError(f"{gt}: {where} has no pose with obj_id {self.info.object_id}")
        instance = ids.index(self.info.object_id)
        visibility = _key(tables["gt_info"], key, info)
        if len(visibility) != len(poses):
            raise UserError(f"{info}: {where} has {len(visibility)} entries, {gt} {len(poses)}")
        if _key(visibility[instance], "visib_fract", info, where) < _VISIBLE_MIN:
            return None
        mask = self.scene / "mask_visib" / f"{image_id:06d}_{instance:06d}.png"
        if not mask.is_file():
            raise UserError(f"{mask} is missing although {where} has a picture and a pose")
        T_cam_obj = np.eye(4)
        T_cam_obj[:3, :3] = _numbers(poses[instance], "cam_R_m2c", 9, gt, where).reshape(3, 3)
        T_cam_obj[:3, 3] = _numbers(poses[instance], "cam_t_m2c", 3, gt, where) * _MM
        K = _numbers(_key(tables["camera"], key, camera), "cam_K", 9, camera, where)
        return Frame(
            image_id=image_id,
            K=K.reshape(3, 3),
            T_cam_obj=T_cam_obj,
            image_file=image,
            mask_file=mask,
        )


def load_mask(frame: Frame) -> NDArray[np.bool_]:
    """The given visible mask, (h, w); UserError when it is unreadable or empty."""
    mask = cv2.imread(str(frame.mask_file), cv2.IMREAD_GRAYSCALE)
    if mask is None or not mask.any():
        raise UserError(f"{frame.mask_file} is unreadable or empty")
    visible: NDArray[np.bool_] = mask > 0
    return visible


def frame_record(frame: Frame, renderer: Renderer, model: ObjectModel, sample_id: str) -> Record:
    """Reads one frame and renders its coordinate map.

    The box is that of the given visible mask. The record's mask holds the pixels where the given
    and the rendered mask agree: those that have a coordinate.
    """
    bgr = cv2.imread(str(frame.image_file), cv2.IMREAD_COLOR)
    if bgr is None:
        raise UserError(f"{frame.image_file} is not a readable picture")
    visible = load_mask(frame)
    if visible.shape != bgr.shape[:2]:
        raise UserError(f"{frame.mask_file} is not as large as the picture {frame.image_file}")
    image_size = (bgr.shape[1], bgr.shape[0])
    maps = renderer.maps(frame.T_cam_obj, frame.K, image_size)
    box = mask_box(visible)
    origin, side = crop_window(box)
    return encode(
        model=model,
        sample_id=sample_id,
        synthetic=False,
        K=frame.K,
        T_cam_obj=frame.T_cam_obj,
        image_size=image_size,
        rgb=cut(bgr[..., ::-1].astype(np.uint8), (0, 0), origin, (side, side)),
        box=box,
        maps=maps,
        visible=visible,
    )


def _symmetries(entry: dict[str, Any]) -> NDArray[np.float64]:
    """All symmetries (n, 4, 4) in metres, the identity first; turns about an axis are sampled."""
    found = [np.eye(4)]
    for matrix in entry.get("symmetries_discrete", []):
        T = np.array(matrix, np.float64).reshape(4, 4)
        T[:3, 3] *= _MM
        found.append(T)
    for symmetry in entry.get("symmetries_continuous", []):
        offset = np.array(symmetry["offset"], np.float64) * _MM
        axis = np.array(symmetry["axis"], np.float64)
        for angle in 2.0 * np.pi * np.arange(1, _CONTINUOUS_STEPS) / _CONTINUOUS_STEPS:
            T = np.eye(4)
            T[:3, :3] = cv2.Rodrigues(axis / np.linalg.norm(axis) * angle)[0]
            T[:3, 3] = offset - T[:3, :3] @ offset
            found.append(T)
    return np.stack(found)


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from None


def _read_json(file: Path) -> Any:
    try:
        return json.loads(_read_text(file))
    except ValueError as error:
        raise UserError(f"{file} is not JSON: {error}") from None


def _key(table: Any, key: str, file: Path, where: str = "the file") -> Any:
    try:
        return table[key]
    except (KeyError, TypeError):
        raise UserError(f"{file}: {where} has no key {key!r}") from None


def _numbers(table: Any, key: str, count: int, file: Path, where: str) -> NDArray[np.float64]:
    values = _key(table, key, file, where)
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError):
        array = np.zeros(0)
    if array.shape != (count,) or not np.isfinite(array).all():
        raise UserError(f"{file}: {where} needs {count} numbers under {key!r}")
    return array
