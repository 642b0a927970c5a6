"""LineMOD in the layout of CDPN and EPro-PnP.

Below the root: `models/models_info.txt` (lines of `ID diameter D min_x X ...`, millimetres),
`models/OBJ/OBJ.ply` (metres), and for every picture of an object in `real_train/OBJ/`,
`real_test/OBJ/` and, rendered on black, `imgn/OBJ/`:

    NAME-color.png           the picture
    NAME-pose.txt            3x4 matrix [R t], metres
    NAME-label.png           mask: the object's id in real pictures, anything but 0 in rendered ones
    NAME-coor.pkl            coordinate map: `coor` (h, w, 3) in metres from row `u`, column `l`
    NAME-box_fasterrcnn.txt  a detector's box: x1 y1 x2 y2; empty, zeros or -1 where it found nothing

Masks and maps that are missing are rendered. `NAME-box.txt` is not needed: the box is the mask's.
There is one camera for all, that of `camera.json` at the root (see `camera_file`), else LineMOD's, and there
are no symmetries but the study's half turns. Objects stand free: masks show all of them, which the check of
the geometry goes by.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from epropnp.data.schema import ObjectModel
from epropnp.errors import UserError
from epropnp.json_files import read_text
from pipelines.objects import LINEMOD, ObjectInfo
from pipelines.readers.bop_files import is_rotation
from pipelines.readers.camera_file import CAMERA_FILE, read_camera
from pipelines.readers.file_names import MASK_SUFFIXES, PICTURE_SUFFIXES, files_by_stem
from pipelines.readers.frames import Frame, RealFrames
from pipelines.readers.object_models import half_turns, object_model
from pipelines.rendering.mesh import Mesh
from pipelines.rendering.views import LINEMOD_CAMERA, Camera

_REAL = {"train": "real_train", "test": "real_test"}
_RENDERED = "imgn"
_PICTURE, _POSE, _MASK, _MAP, _DETECTED = (
    "-color",
    "-pose.txt",
    "-label",
    "-coor.pkl",
    "-box_fasterrcnn.txt",
)
_NUMBER_MAX = 1e6


@dataclass(frozen=True)
class CdpnFolder:
    """LineMOD as CDPN and EPro-PnP keep it."""

    root: Path
    name: ClassVar[str] = "cdpn"

    @staticmethod
    def is_at(root: Path) -> bool:
        """Whether a folder looks like one."""
        return any((root / folder).is_dir() for folder in (*_REAL.values(), _RENDERED))

    def objects(self) -> dict[str, ObjectInfo]:
        """The LineMOD objects that `models_info.txt` has."""
        known = self._diameters()
        return {name: info for name, info in LINEMOD.items() if info.object_id in known}

    def mesh(self, info: ObjectInfo) -> Mesh:
        """The mesh to render."""
        return Mesh.load(self.root / "models" / info.name / f"{info.name}.ply", unit_m=1.0)

    def evaluation_mesh(self, info: ObjectInfo) -> Mesh:
        """The mesh whose vertices are the evaluation points: the same."""
        return self.mesh(info)

    def model(self, info: ObjectInfo) -> ObjectModel:
        """The object's table entry."""
        mesh = self.mesh(info)
        return object_model(info, mesh, mesh.vertices, self._diameters()[info.object_id], half_turns(info))

    def camera(self) -> Camera:
        """That of `camera.json`, where there is one, else LineMOD's."""
        file = self.root / CAMERA_FILE
        return read_camera(file) if file.is_file() else LINEMOD_CAMERA

    def _diameters(self) -> dict[int, float]:
        """Diameters in metres by object id."""
        file = self.root / "models" / "models_info.txt"
        diameters = {}
        for number, line in enumerate(read_text(file, "diameters").splitlines(), start=1):
            words = line.split()
            if not words:
                continue
            try:
                object_id, diameter_mm = int(words[0]), float(words[words.index("diameter") + 1])
            except (ValueError, IndexError):
                raise UserError(f"{file}: line {number} is not of the form 'ID diameter D ...'") from None
            if not 0 < diameter_mm < _NUMBER_MAX:
                raise UserError(f"{file}: line {number} has a diameter that is not positive")
            diameters[object_id] = diameter_mm / 1000.0
        return diameters

    def frames(self, info: ObjectInfo) -> RealFrames:
        """The frames of an object by split; those of `imgn/` train and are marked as synthetic."""
        notes: Counter[str] = Counter()
        by_split = {
            split: self._frames(info, folder, info.object_id, notes) for split, folder in _REAL.items()
        }
        by_split["train"] += self._frames(info, _RENDERED, None, notes)
        if not any(by_split.values()):
            raise UserError(
                f"{self.root} has no frames of {info.name} in real_train, real_test or imgn: pictures are "
                f"looked for as {info.name}/NAME{_PICTURE} with {', '.join(PICTURE_SUFFIXES)}"
            )
        return RealFrames(by_split=by_split, notes={reason: n for reason, n in notes.items() if n})

    def _frames(
        self, info: ObjectInfo, folder: str, label: int | None, notes: Counter[str]
    ) -> tuple[Frame, ...]:
        place = self.root / folder / info.name
        pictures = files_by_stem(place, _PICTURE, PICTURE_SUFFIXES)
        masks = files_by_stem(place, _MASK, MASK_SUFFIXES)
        described = set(masks).union(*(_stems(place, suffix) for suffix in (_POSE, _MAP, _DETECTED)))
        notes[f"{folder} pictures not on disk"] += len(described - set(pictures))
        frames, K = [], self.camera().K
        for name, picture in pictures.items():
            coords, box = (place / f"{name}{suffix}" for suffix in (_MAP, _DETECTED))
            notes[f"{folder} masks not given: rendered"] += name not in masks
            notes[f"{folder} coordinate maps not given: rendered"] += not coords.is_file()
            detected = _read_box(box) if box.is_file() else None
            notes[f"{folder} pictures in which the detector found nothing"] += box.is_file() and not detected
            frames.append(
                Frame(
                    sample_id=f"{self.name}/{folder}/{info.name}/{name}",
                    K=K,
                    T_cam_obj=_read_pose(place / f"{name}{_POSE}"),
                    image_file=picture,
                    mask_file=masks.get(name),
                    mask_value=label,
                    coords_file=coords if coords.is_file() else None,
                    detected_box=detected,
                    synthetic=folder == _RENDERED,
                    visible_share=1.0,
                )
            )
        return tuple(frames)


def _stems(folder: Path, suffix: str) -> set[str]:
    return {file.name.removesuffix(suffix) for file in folder.glob(f"*{suffix}")}


def _numbers(file: Path, shape: tuple[int, ...], purpose: str = "") -> NDArray[np.float64]:
    try:
        values = np.array([float(word) for word in read_text(file, purpose).split()]).reshape(shape)
    except ValueError:
        values = np.full(shape, np.nan)
    if not (np.abs(values) < _NUMBER_MAX).all():
        raise UserError(f"{file} must hold {' x '.join(map(str, shape))} numbers")
    return values


def _read_pose(file: Path) -> NDArray[np.float64]:
    T_cam_obj = np.eye(4)
    T_cam_obj[:3] = _numbers(file, (3, 4), "a picture's pose")
    if not is_rotation(T_cam_obj[:3, :3]) or T_cam_obj[2, 3] <= 0:
        raise UserError(f"{file} is no pose [R t] of an object in front of the camera")
    return T_cam_obj


def _read_box(file: Path) -> tuple[float, float, float, float] | None:
    """x, y, w, h of a box given by its corners; None where the detector found nothing.

    Then the file is empty, says so in words, or holds the same number four times, none of them positive.
    """
    words = read_text(file).split()
    if not any(character.isdigit() for word in words for character in word):
        return None
    x1, y1, x2, y2 = _numbers(file, (4,)).tolist()
    if x1 == y1 == x2 == y2 <= 0:
        return None
    if x2 <= x1 or y2 <= y1:
        raise UserError(f"{file} is no box x1 y1 x2 y2")
    return x1, y1, x2 - x1, y2 - y1
