"""The objects of a BOP data set: meshes, and diameters and symmetries from `models_info.json`."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from epropnp.errors import UserError
from pipelines.objects import ObjectInfo, identify
from pipelines.readers.bop_files import key, metres, numbers, read_json

MODEL_FOLDERS = ("models", "models_eval")
_CONTINUOUS_STEPS = 64  # a symmetry of revolution becomes this many turns

Array = NDArray[np.float64]


def mesh_file(root: Path, object_id: int) -> Path:
    """The mesh to render: PLY, or OBJ where there is only that."""
    file = root / "models" / f"obj_{object_id:06d}.ply"
    other = file.with_suffix(".obj")
    return other if other.is_file() and not file.is_file() else file


def evaluation_mesh_file(root: Path, object_id: int) -> Path:
    """The mesh whose vertices are the evaluation points."""
    file = root / "models_eval" / f"obj_{object_id:06d}.ply"
    return file if file.is_file() else mesh_file(root, object_id)


class ModelsInfo:
    """`models_info.json`, that of `models_eval/` where there is one."""

    def __init__(self, root: Path) -> None:
        files = [root / folder / "models_info.json" for folder in MODEL_FOLDERS]
        self._file = files[1] if files[1].is_file() else files[0]
        self._table = read_json(self._file)
        if not isinstance(self._table, dict) or not all(name.isdecimal() for name in self._table):
            raise UserError(f"{self._file} is not a table of objects by id")

    def objects(self) -> dict[str, ObjectInfo]:
        """All objects by name, in the order of their ids."""
        ids = sorted(int(name) for name in self._table)
        infos = [identify(i, self.diameter_m(i), len(self.symmetries(i)) > 1) for i in ids]
        return {info.name: info for info in infos}

    def diameter_m(self, object_id: int) -> float:
        """Largest distance between two points of the object."""
        diameter_m = float(metres(self._entry(object_id), "diameter", 1, self._file, _where(object_id))[0])
        if diameter_m <= 0:
            raise UserError(f"{self._file}: {_where(object_id)} has a 'diameter' that is not positive")
        return diameter_m

    def symmetries(self, object_id: int) -> Array:
        """All symmetries (n, 4, 4) in metres, the identity first; turns about an axis are sampled."""
        found = [np.eye(4)]
        for matrix in self._list(object_id, "symmetries_discrete"):
            found.append(self._discrete(matrix, object_id))
        for symmetry in self._list(object_id, "symmetries_continuous"):
            found += self._turns(symmetry, object_id)
        return np.stack(found)

    def _entry(self, object_id: int) -> Any:
        return key(self._table, str(object_id), self._file)

    def _list(self, object_id: int, name: str) -> list[Any]:
        values = self._entry(object_id).get(name, [])
        if not isinstance(values, list):
            raise UserError(f"{self._file}: {_where(object_id)} needs a list under {name!r}")
        return values

    def _discrete(self, matrix: Any, object_id: int) -> Array:
        name, where = "symmetries_discrete", _where(object_id)
        T = numbers({name: matrix}, name, 16, self._file, where).reshape(4, 4)
        T[:3, 3] = metres({name: matrix[3:12:4]}, name, 3, self._file, where)
        return T

    def _turns(self, symmetry: Any, object_id: int) -> list[Array]:
        offset = metres(symmetry, "offset", 3, self._file, _where(object_id))
        axis = numbers(symmetry, "axis", 3, self._file, _where(object_id))
        if not axis.any():
            raise UserError(f"{self._file}: {_where(object_id)} turns about an 'axis' of length 0")
        turns = []
        for angle in 2.0 * np.pi * np.arange(1, _CONTINUOUS_STEPS) / _CONTINUOUS_STEPS:
            T = np.eye(4)
            T[:3, :3] = cv2.Rodrigues(axis / np.linalg.norm(axis) * angle)[0]
            T[:3, 3] = offset - T[:3, :3] @ offset
            turns.append(T)
        return turns


def _where(object_id: int) -> str:
    return f"object {object_id}"
