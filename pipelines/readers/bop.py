"""Data sets in the BOP scene-wise format: LineMOD, LineMOD-Occlusion, or one's own.

Expected under the root: `models/obj_000001.ply` and so on with `models_info.json` (`models_eval/` is
for evaluation; without `models/` another folder `models_*`), and scene folders such as
`test/000006/`: see `bop_files`. Which of them train and which test, `bop_splits` says. Units are
millimetres there and metres here.
"""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from epropnp.data.schema import SPLITS, ObjectModel
from epropnp.errors import UserError
from pipelines.objects import LINEMOD, ObjectInfo
from pipelines.readers.bop_files import PICTURE_NAMES, VISIBLE_MIN, Instance
from pipelines.readers.bop_folders import has_pictures
from pipelines.readers.bop_models import (
    MESH_FOLDER,
    ModelsInfo,
    evaluation_mesh_file,
    is_bop,
    mesh_file,
    mesh_folder,
)
from pipelines.readers.bop_splits import Picture, choose_pictures
from pipelines.readers.camera_file import CAMERA_FILE, read_camera
from pipelines.readers.detections import Box, Detections
from pipelines.readers.frames import Frame, Occluder, RealFrames, given_renderer
from pipelines.readers.object_models import object_model
from pipelines.readers.visibility import seen_share
from pipelines.rendering.camera_views import project
from pipelines.rendering.mesh import Mesh
from pipelines.rendering.views import Camera

MILLIMETRE = 0.001


@dataclass(frozen=True)
class BopFolder:
    """A data set in the BOP format.

    `lists` is a folder of split lists that replaces its own; `real_frames` names folders of photographs;
    `detections` is a file of a detector's boxes in the test pictures.
    """

    root: Path
    lists: Path | None = None
    real_frames: tuple[str, ...] = ()
    detections: Path | None = None
    name: ClassVar[str] = "bop"

    @staticmethod
    def is_at(root: Path) -> bool:
        """Whether a folder looks like one."""
        return is_bop(root)

    def objects(self) -> dict[str, ObjectInfo]:
        """All objects of `models_info.json` by name, in the order of their ids."""
        return ModelsInfo(self.root).objects()

    def mesh(self, info: ObjectInfo) -> Mesh:
        """The mesh to render."""
        return Mesh.load(mesh_file(self.root, info.object_id), unit_m=MILLIMETRE)

    def evaluation_mesh(self, info: ObjectInfo) -> Mesh:
        """The mesh whose vertices BOP's metrics go by."""
        return Mesh.load(evaluation_mesh_file(self.root, info.object_id), unit_m=MILLIMETRE)

    def model(self, info: ObjectInfo) -> ObjectModel:
        """The object's table entry.

        ADD and ADI of LineMOD's objects go by the vertices of `models/`, as in the study; those of
        `models_eval/`, by which ADI comes out up to 10 % larger, are for the BOP metrics. Other data sets
        have one set of points for all metrics, as in BOP's toolkit.
        """
        table = ModelsInfo(self.root)
        mesh, evaluated = self.mesh(info), self.evaluation_mesh(info).vertices
        points = mesh.vertices if info.name in LINEMOD else evaluated
        return object_model(
            info,
            mesh,
            points,
            table.diameter_m(info.object_id),
            table.symmetries(info.object_id),
            points_bop=None if np.array_equal(points, evaluated) else evaluated,
        )

    def frames(self, info: ObjectInfo) -> RealFrames:
        """The frames of an object by split, and what was left out; none where there are models only."""
        if not has_pictures(self.root):
            return RealFrames(by_split={}, notes={})
        notes: Counter[str] = Counter()
        meshes = mesh_folder(self.root).name
        notes[f"folder of meshes in place of {MESH_FOLDER}/: {meshes}"] += meshes != MESH_FOLDER
        pictures = choose_pictures(self.root, self.lists, self.real_frames, info, notes)
        detections = None if self.detections is None else _detections(self.detections, _age(self.detections))
        by_split = {}
        for split in SPLITS:
            counts: Counter[str] = Counter()
            chosen = pictures.get(split, ())
            boxes = detections if split == "test" else None
            by_split[split] = tuple(
                frame for one in chosen for frame in self._frames(info, one, counts, boxes)
            )
            notes.update({f"{split} {reason}": number for reason, number in counts.items()})
        found = {reason: number for reason, number in notes.items() if number}
        if not any(by_split.values()):
            why = "".join(f"; {number} {reason}" for reason, number in found.items())
            if "not on disk" in why:
                why += f"; a picture is looked for as {PICTURE_NAMES}"
            raise UserError(f"{self.root} has no frames of {info.name} in folders test*, train*, val*{why}")
        return RealFrames(by_split=by_split, notes=found)

    def camera(self) -> Camera | None:
        """That of `camera.json`, where there is one."""
        file = self.root / CAMERA_FILE
        return read_camera(file) if file.is_file() else None

    def _frames(
        self, info: ObjectInfo, picture: Picture, notes: Counter[str], boxes: Detections | None
    ) -> list[Frame]:
        """A frame for every visible instance of the object in a picture."""
        scene, image_id, synthetic = picture
        image = scene.picture(image_id)
        if image is None:
            notes["pictures not on disk"] += 1
            return []
        everything = scene.instances(image_id)
        instances = [one for one in everything if one.object_id == info.object_id]
        if not instances:
            raise UserError(f"{scene.gt}: image {image_id} has no pose with obj_id {info.object_id}")
        K, frames = scene.camera(image_id), []
        for one in instances:
            if one.T_cam_obj is None or _hidden(one.visible_share):
                notes["pictures with the object hidden"] += 1
                continue
            mask = scene.mask(image_id, one.number)
            others = [other for other in everything if other is not one] if mask is None else []
            frame = Frame(
                sample_id=f"{self.name}/{scene.name}/{image_id:06d}_{one.number:06d}",
                K=K,
                T_cam_obj=one.T_cam_obj,
                image_file=image,
                mask_file=mask,
                occluders=self._occluders(others, notes),
                synthetic=synthetic,
                detected_box=self._box(boxes, picture, one, len(instances), K, notes),
                whole_mask_file=scene.whole_mask(image_id, one.number),
                visible_share=one.visible_share,
            )
            if one.visible_share is None:
                notes["visible shares not given: measured"] += 1
                renderer = given_renderer(mesh_file(self.root, info.object_id), MILLIMETRE)
                if seen_share(frame, renderer) < VISIBLE_MIN:
                    notes["pictures with the object hidden"] += 1
                    continue
            notes["masks not given: rendered"] += mask is None
            frames.append(frame)
        return frames

    def _box(
        self,
        boxes: Detections | None,
        picture: Picture,
        instance: Instance,
        instances: int,
        K: NDArray[np.float64],
        notes: Counter[str],
    ) -> Box | None:
        """The detected box of an instance, if boxes are given."""
        if boxes is None or instance.T_cam_obj is None:
            return None
        middle = project(np.zeros((1, 3)), instance.T_cam_obj, K)[0]
        scene_id = int(picture.scene.folder.name)
        found = boxes.box(scene_id, picture.image_id, instance.object_id, instances, middle)
        notes["pictures in which the detector found nothing"] += found is None
        return found

    def _occluders(self, others: list[Instance], notes: Counter[str]) -> tuple[Occluder, ...]:
        """What may hide an object: its neighbours in front of the camera that have a mesh."""
        found = []
        for other in others:
            file = mesh_file(self.root, other.object_id)
            if other.T_cam_obj is None or other.T_cam_obj[2, 3] <= 0:
                continue
            if not file.is_file():
                notes["neighbours without a mesh: what they hide is not known"] += 1
                continue
            found.append(Occluder(mesh_file=file, unit_m=MILLIMETRE, T_cam_obj=other.T_cam_obj))
        return tuple(found)


@lru_cache(maxsize=1)  # asked for by each object
def _detections(file: Path, age: int) -> Detections:
    return Detections(file)


def _age(file: Path) -> int:
    return file.stat().st_mtime_ns if file.is_file() else 0


def _hidden(share: float | None) -> bool:
    return share is not None and share < VISIBLE_MIN
