"""Where a dataset's objects and real frames come from: procedural stand-ins, or a folder of data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from epropnp.data.pictures import picture_traits
from epropnp.data.schema import ObjectModel
from epropnp.errors import UserError
from epropnp.files import whole_file
from pipelines import readers, standins
from pipelines.building.digests import digest, files_digest
from pipelines.building.whole_pictures import split_whole
from pipelines.objects import LINEMOD, ObjectInfo
from pipelines.readers.bop import BopFolder
from pipelines.readers.cdpn import CdpnFolder
from pipelines.readers.frames import Frame, RealFrames, spread
from pipelines.readers.mesh_folder import MeshFolder
from pipelines.readers.object_models import half_turns, object_model
from pipelines.rendering.mesh import Mesh
from pipelines.rendering.views import Camera
from pipelines.standins.build import build_standin, check_standin

MESH_UNITS_M = {"mm": 0.001, "m": 1.0}


class Source(Protocol):
    """Gives meshes, table entries and real frames. Must pickle: worker processes get a copy."""

    @property
    def kind(self) -> str:
        """What the manifest calls it."""
        ...

    @property
    def versions(self) -> dict[str, int]:
        """Version of what makes its meshes or reads its frames, by name."""
        ...

    def objects(self) -> Mapping[str, ObjectInfo]:
        """The objects it has, by name."""
        ...

    def fingerprint(self, objects: Iterable[ObjectInfo], real: Mapping[str, RealFrames]) -> str:
        """Hash of everything that records are made of, independent of where it lies."""
        ...

    def mesh_fingerprint(self, info: ObjectInfo) -> str:
        """Hash of what decides the mesh to render."""
        ...

    def mesh(self, info: ObjectInfo) -> Mesh:
        """The mesh to render."""
        ...

    def evaluation_mesh(self, info: ObjectInfo) -> Mesh:
        """The mesh whose vertices are the evaluation points."""
        ...

    def model(self, info: ObjectInfo) -> ObjectModel:
        """The object's table entry."""
        ...

    def real_frames(self, objects: Sequence[ObjectInfo]) -> dict[str, RealFrames]:
        """The real frames of objects by name, of every split; a picture is in one split for all of them."""
        ...

    def camera(self) -> Camera | None:
        """The camera that it names for all of its pictures; None where it names none."""
        ...


def open_source(
    root: Path,
    seed: int,
    renderings: int,
    lists: Path | None = None,
    real_frames: Sequence[str] = (),
    mesh_unit: str = "mm",
    detections: Path | None = None,
) -> "FolderSource":
    """The source for a folder of data, whatever its layout.

    The seed decides which training frames validate; of renderings that the folder brings along, at
    most so many per object are used; `lists` is a folder of split lists to use instead of its own;
    `real_frames` names the folders that hold photographs; `mesh_unit` is that of meshes alone;
    `detections` a file of a detector's boxes.
    """
    if not root.exists():
        raise UserError(f"no data at {root}: give a folder in the BOP or the CDPN layout, or a mesh")
    root = root.absolute()  # workers may start elsewhere
    if CdpnFolder.is_at(root):
        if lists is not None:
            raise UserError(f"{root} is split by its folders real_train and real_test: give no split lists")
        if real_frames:
            raise UserError(f"{root} has its photographs in real_train and real_test: give no real_frames")
        if detections is not None:
            raise UserError(f"{root} has detected boxes in files of its own: give no detections")
        return FolderSource(CdpnFolder(root), seed, renderings)
    if BopFolder.is_at(root):
        return FolderSource(BopFolder(root, lists, tuple(real_frames), detections), seed, renderings)
    if MeshFolder.is_at(root):
        if lists is not None or real_frames or detections is not None:
            raise UserError(f"{root} has meshes and no pictures: give no splits, real_frames or detections")
        return FolderSource(MeshFolder(root, MESH_UNITS_M[mesh_unit]), seed, renderings)
    raise UserError(
        f"{root} is neither in the BOP layout (models/models_info.json, test/) nor in CDPN's (real_train/), "
        "and no mesh or folder of meshes (.ply, .obj)"
    )


@dataclass(frozen=True)
class StandinSource:
    """Procedural meshes, kept on disk once built: one takes seconds. There are no real frames."""

    resolution: int
    cache: Path

    @property
    def kind(self) -> str:
        """For the manifest."""
        return "stand-ins"

    @property
    def versions(self) -> dict[str, int]:
        """Of the stand-ins."""
        return {"stand-ins": standins.VERSION}

    def objects(self) -> Mapping[str, ObjectInfo]:
        """All LineMOD objects by name; those of the study can be built."""
        return LINEMOD

    def fingerprint(self, objects: Iterable[ObjectInfo], real: Mapping[str, RealFrames]) -> str:
        """Hash of what decides the meshes."""
        return digest({info.name: self.mesh_fingerprint(info) for info in objects})

    def mesh_fingerprint(self, info: ObjectInfo) -> str:
        """Hash of name, resolution and version; nothing is built. UserError where there is no stand-in."""
        check_standin(info.name, self.resolution)
        return digest([info.name, self.resolution, standins.VERSION])

    def mesh(self, info: ObjectInfo) -> Mesh:
        """Reads the mesh from the cache, building it first where it is not there."""
        file = self.cache / f"{info.name}-{self.mesh_fingerprint(info)[:16]}.npz"
        if not file.is_file():
            mesh = build_standin(info.name, self.resolution)
            self.cache.mkdir(parents=True, exist_ok=True)
            with whole_file(file) as unfinished, unfinished.open("wb") as stream:
                np.savez(
                    stream,
                    vertices=mesh.vertices,
                    faces=mesh.faces,
                    colours=mesh.colours,
                    normals=mesh.normals,
                )
        with np.load(file) as arrays:
            names = ("vertices", "faces", "colours", "normals")
            return Mesh(*(arrays[name] for name in names))

    def evaluation_mesh(self, info: ObjectInfo) -> Mesh:
        """The same."""
        return self.mesh(info)

    def model(self, info: ObjectInfo) -> ObjectModel:
        """Table entry; symmetric stand-ins are invariant under half a turn about z."""
        mesh = self.mesh(info)
        return object_model(info, mesh, mesh.vertices, info.diameter_m, half_turns(info))

    def real_frames(self, objects: Sequence[ObjectInfo]) -> dict[str, RealFrames]:
        """None."""
        return {info.name: RealFrames(by_split={}, notes={}) for info in objects}

    def camera(self) -> Camera | None:
        """None."""
        return None


@dataclass(frozen=True)
class FolderSource:
    """Given meshes and frames; a part of the training photographs validates, if nothing else does."""

    layout: BopFolder | CdpnFolder | MeshFolder
    seed: int
    renderings: int

    @property
    def kind(self) -> str:
        """For the manifest: the layout's name."""
        return self.layout.name

    @property
    def versions(self) -> dict[str, int]:
        """Of the readers."""
        return {"reader": readers.VERSION}

    def objects(self) -> Mapping[str, ObjectInfo]:
        """The objects of the folder's table, by name."""
        return self.layout.objects()

    def fingerprint(self, objects: Iterable[ObjectInfo], real: Mapping[str, RealFrames]) -> str:
        """Hash of the objects' meshes and tables and of every frame's files and numbers."""
        return digest([self._object_entry(info, real[info.name]) for info in objects])

    def _object_entry(self, info: ObjectInfo, frames: RealFrames) -> list[Any]:
        model = self.model(info)
        table = [info.object_id, info.name, info.symmetric, model.diameter_m, model.symmetries.tolist()]
        meshes = [self.mesh_fingerprint(info), self.evaluation_mesh(info).digest()]
        rows = {split: [self._frame_entry(f) for f in given] for split, given in frames.by_split.items()}
        given = [frame for split in frames.by_split.values() for frame in split]
        others = {other.mesh_file for frame in given for other in frame.occluders}
        return [table, meshes, rows, files_digest(sorted(others), self.layout.root)]

    def _frame_entry(self, frame: Frame) -> list[Any]:
        return [
            frame.sample_id,
            frame.K.tolist(),
            frame.T_cam_obj.tolist(),
            frame.detected_box,
            files_digest(frame.files, self.layout.root),
            [[other.mesh_file.name, other.T_cam_obj.tolist()] for other in frame.occluders],
            frame.synthetic,
            *([] if frame.bits is None else [frame.bits]),
        ]

    def mesh_fingerprint(self, info: ObjectInfo) -> str:
        """Hash of the mesh."""
        return self.mesh(info).digest()

    def mesh(self, info: ObjectInfo) -> Mesh:
        """The mesh to render."""
        return self.layout.mesh(info)

    def evaluation_mesh(self, info: ObjectInfo) -> Mesh:
        """The mesh whose vertices are the evaluation points."""
        return self.layout.evaluation_mesh(info)

    def model(self, info: ObjectInfo) -> ObjectModel:
        """The object's entry in the folder's table."""
        return self.layout.model(info)

    def real_frames(self, objects: Sequence[ObjectInfo]) -> dict[str, RealFrames]:
        """Training frames less the validation cut, the cut, and the test frames, by object name.

        Of renderings, at most so many as are asked for; see `split_whole` for the rest.
        """
        given = {info: self._described(info) for info in objects}
        whole = split_whole(given, self.seed, self.layout.root)
        return {info.name: self._fewer_renderings(frames) for info, frames in whole.items()}

    def camera(self) -> Camera | None:
        """The one that the folder names."""
        return self.layout.camera()

    def _described(self, info: ObjectInfo) -> RealFrames:
        """An object's frames, with what is to be known of its pictures and its mesh."""
        given = self.layout.frames(info)
        by_split = dict(given.by_split)
        traits = picture_traits({frame.image_file: None for frames in by_split.values() for frame in frames})
        notes = dict(given.notes) | dict.fromkeys(self.mesh(info).remarks, 1) | traits.notes()
        if traits.bits is not None:
            by_split = {
                split: tuple(replace(frame, bits=traits.bits) for frame in frames)
                for split, frames in by_split.items()
            }
        return RealFrames(by_split=by_split, notes=notes)

    def _fewer_renderings(self, given: RealFrames) -> RealFrames:
        photographs = [frame for frame in given.by_split["train"] if not frame.synthetic]
        rendered = [frame for frame in given.by_split["train"] if frame.synthetic]
        notes = dict(given.notes)
        if len(rendered) > self.renderings:
            notes["renderings not used: more than asked for"] = len(rendered) - self.renderings
            rendered = spread(rendered, self.renderings)
        return RealFrames(by_split=given.by_split | {"train": (*photographs, *rendered)}, notes=notes)
