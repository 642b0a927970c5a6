"""The objects of a BOP data set: meshes, and diameters and symmetries from `models_info.json`."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epropnp.data.schema import LARGEST_ID
from epropnp.errors import UserError
from epropnp.json_files import by_number, metres, numbers, read_json
from pipelines.objects import ObjectInfo, identify
from pipelines.readers.bop_files import is_rotation
from pipelines.readers.symmetry_group import Axis, symmetry_group

MESH_FOLDER, EVALUATION_FOLDER = "models", "models_eval"
_OTHER_MESHES = ("models_cad", "models_reconst", "models_fine")  # where there is no models/, as in T-LESS
_TABLE = "models_info.json"
_PURPOSE = "diameters and symmetries"
_SYMMETRIES = ("symmetries_discrete", "symmetries_continuous")

Array = NDArray[np.float64]


def is_bop(root: Path) -> bool:
    """Whether a folder has tables of models, as BOP's data sets do."""
    return bool(_tables(root))


def mesh_folder(root: Path) -> Path:
    """The folder of meshes to render: models/, or whatever kind of models there is instead.

    That of models to evaluate with comes last: they have fewer triangles, and often no colours.
    """
    others = sorted(folder.name for folder in root.glob("models_*") if folder.name != EVALUATION_FOLDER)
    names = (MESH_FOLDER, *_OTHER_MESHES, *others, EVALUATION_FOLDER)
    filled = (root / name for name in names if any((root / name).glob("obj_*")))
    return next(filled, root / MESH_FOLDER)


def mesh_file(root: Path, object_id: int) -> Path:
    """The mesh to render: PLY, or OBJ where there is only that."""
    file = mesh_folder(root) / f"obj_{object_id:06d}.ply"
    other = file.with_suffix(".obj")
    return other if other.is_file() and not file.is_file() else file


def evaluation_mesh_file(root: Path, object_id: int) -> Path:
    """The mesh whose vertices are the evaluation points."""
    file = root / EVALUATION_FOLDER / f"obj_{object_id:06d}.ply"
    return file if file.is_file() else mesh_file(root, object_id)


def _tables(root: Path) -> list[Path]:
    """The tables of models, in the order in which they are asked."""
    folders = (root / EVALUATION_FOLDER, root / MESH_FOLDER, mesh_folder(root))
    files = dict.fromkeys(folder / _TABLE for folder in folders)
    return [file for file in files if file.is_file()]


class ModelsInfo:
    """`models_info.json`: that of `models_eval/` first, then that of the meshes to render.

    The second is asked for objects, and for symmetries, that the first does not have.
    """

    def __init__(self, root: Path) -> None:
        files = _tables(root) or [root / MESH_FOLDER / _TABLE]
        self._by_file = {file: _by_object(file) for file in files}

    def objects(self) -> dict[str, ObjectInfo]:
        """All objects by name, in the order of their ids."""
        ids = sorted(set().union(*self._by_file.values()))
        infos = [identify(i, self.diameter_m(i), len(self.symmetries(i)) > 1) for i in ids]
        return {info.name: info for info in infos}

    def diameter_m(self, object_id: int) -> float:
        """Largest distance between two points of the object."""
        file, entry = self._entry(object_id)
        diameter_m = float(metres(entry, "diameter", 1, file, _where(object_id))[0])
        if diameter_m <= 0:
            raise UserError(f"{file}: {_where(object_id)} has a 'diameter' that is not positive")
        return diameter_m

    def symmetries(self, object_id: int) -> Array:
        """All symmetries (n, 4, 4) in metres, the identity first: the group that the table's make.

        Turns about an axis are sampled. UserError for one that is not rigid.
        """
        for file, table in self._by_file.items():
            discrete, axes = _symmetries(table.get(object_id), object_id, file)
            if discrete or axes:
                return symmetry_group(discrete, axes, self.diameter_m(object_id))
        return np.eye(4)[None]

    def _entry(self, object_id: int) -> tuple[Path, Any]:
        """The first table that has the object, and what it says."""
        for file, table in self._by_file.items():
            if object_id in table:
                return file, table[object_id]
        raise UserError(f"{next(iter(self._by_file))}: the file has no key {str(object_id)!r}")


def _by_object(file: Path) -> dict[int, Any]:
    table = read_json(file, _PURPOSE)
    if not isinstance(table, dict) or not all(name.isdecimal() for name in table):
        raise UserError(f"{file} is not a table of objects by id")
    found = by_number(table, file, "an object")
    if found and max(found) > LARGEST_ID:
        raise UserError(f"{file} has an object {max(found)}: numbers of objects go up to {LARGEST_ID}")
    return found


def _symmetries(entry: Any, object_id: int, file: Path) -> tuple[list[Array], list[Axis]]:
    where = _where(object_id)
    discrete, continuous = (_list(entry, name, file, where) for name in _SYMMETRIES)
    motions = [_discrete(matrix, file, where, number) for number, matrix in enumerate(discrete)]
    return motions, [_axis(symmetry, file, where) for symmetry in continuous]


def _list(entry: Any, name: str, file: Path, where: str) -> list[Any]:
    values = entry.get(name) if isinstance(entry, dict) else None
    if values is None:
        return []
    if not isinstance(values, list):
        raise UserError(f"{file}: {where} needs a list under {name!r}")
    return values


def _discrete(matrix: Any, file: Path, where: str, number: int) -> Array:
    name = "symmetries_discrete"
    T = numbers({name: matrix}, name, 16, file, where).reshape(4, 4)
    T[:3, 3] = metres({name: matrix[3:12:4]}, name, 3, file, where)
    if not is_rotation(T[:3, :3]) or T[3].tolist() != [0, 0, 0, 1]:
        mirrored = np.linalg.det(T[:3, :3]) < 0
        what = "mirrors it, which no motion does" if mirrored else "is no rigid motion [R t; 0 0 0 1]"
        raise UserError(f"{file}: entry {number} under {name!r} of {where} {what}")
    return T


def _axis(symmetry: Any, file: Path, where: str) -> Axis:
    point = metres(symmetry, "offset", 3, file, where)
    direction = numbers(symmetry, "axis", 3, file, where)
    if not direction.any():
        raise UserError(f"{file}: {where} turns about an 'axis' of length 0")
    return Axis(direction=direction / np.linalg.norm(direction), point=point)


def _where(object_id: int) -> str:
    return f"object {object_id}"
