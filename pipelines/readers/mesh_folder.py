"""Objects of which there are meshes and nothing else: a PLY or OBJ file, or a folder of them.

Objects are called as their files are, and numbered in the order of the names. Their diameters are the meshes'
own; symmetries take a table of models (BOP's layout).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from epropnp.data.schema import ObjectModel
from pipelines.objects import ObjectInfo
from pipelines.readers.frames import RealFrames
from pipelines.readers.object_models import object_model
from pipelines.readers.size_check import mesh_diameter_m
from pipelines.rendering.mesh import Mesh
from pipelines.rendering.views import Camera

_SUFFIXES = (".ply", ".obj")


@dataclass(frozen=True)
class MeshFolder:
    """Meshes at `path`, in units of `unit_m` metres."""

    path: Path
    unit_m: float
    name: ClassVar[str] = "meshes"

    @staticmethod
    def is_at(path: Path) -> bool:
        """Whether a path is a mesh, or a folder that holds some."""
        return bool(_files(path))

    @property
    def root(self) -> Path:
        """The folder of the meshes."""
        return self.path if self.path.is_dir() else self.path.parent

    def objects(self) -> dict[str, ObjectInfo]:
        """One per mesh, by name."""
        found = {}
        for number, (name, file) in enumerate(_files(self.path).items(), start=1):
            diameter_m = mesh_diameter_m(Mesh.load(file, unit_m=self.unit_m).vertices)
            found[name] = ObjectInfo(object_id=number, name=name, diameter_m=diameter_m)
        return found

    def mesh(self, info: ObjectInfo) -> Mesh:
        """The mesh to render."""
        return Mesh.load(_files(self.path)[info.name], unit_m=self.unit_m)

    def evaluation_mesh(self, info: ObjectInfo) -> Mesh:
        """The same."""
        return self.mesh(info)

    def model(self, info: ObjectInfo) -> ObjectModel:
        """The object's table entry: without symmetries."""
        mesh = self.mesh(info)
        return object_model(info, mesh, mesh.vertices, info.diameter_m, np.eye(4)[None])

    def frames(self, info: ObjectInfo) -> RealFrames:
        """None."""
        return RealFrames(by_split={}, notes={})

    def camera(self) -> Camera | None:
        """None is known."""
        return None


def _files(path: Path) -> dict[str, Path]:
    """The meshes by name; of a PLY and an OBJ of one name, the first."""
    candidates = [path] if path.is_file() else sorted(path.iterdir()) if path.is_dir() else []
    found: dict[str, Path] = {}
    for suffix in _SUFFIXES:
        for file in candidates:
            if file.suffix.lower() == suffix and file.is_file():
                found.setdefault(file.stem, file)
    return dict(sorted(found.items()))
