"""Writing a dataset in the BOP scene-wise format, for other tools and for `bop` to read back.

Every record becomes one picture of `train_real/`, `val/` or `test/`, or of `train_synt/` and so on if it was
rendered, in the scene of its object's id: its crop at its place in a picture of the original size, black
elsewhere.
Numbers are written as decimals in full, so that poses and cameras are read back bit by bit.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from epropnp.data.crop import cut
from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import SPLITS, ObjectModel, Record
from epropnp.errors import UserError
from pipelines.building.plan import WORK_FOLDER
from pipelines.building.sources import Source, StandinSource, open_source
from pipelines.objects import ObjectInfo
from pipelines.readers.bop import MILLIMETRE
from pipelines.rendering.records import mask_box
from pipelines.rendering.renderer import ObjectMaps, Renderer

_FOLDERS = {
    "train": ("train_real", "train_synt"),
    "validation": ("val", "val_synt"),
    "test": ("test", "test_synt"),
}  # of photographs, of renderings
_TABLES = ("gt", "gt_info", "camera")
_WHITE = np.uint8(255)


def source_of(dataset: ArrowDataset, folder: Path | None) -> Source:
    """The source that a dataset was built from, at a folder for anything but procedural stand-ins."""
    config = dataset.manifest["config"]
    if folder is not None:
        unit = config.get("mesh_unit", "mm")
        return open_source(folder, config["seed"], config["train"], mesh_unit=unit)
    if config["mesh_resolution"] is None:
        raise UserError(f"{dataset.path} was built from a folder of data: name that, too, for its meshes")
    return StandinSource(config["mesh_resolution"], dataset.path.parent / WORK_FOLDER / "standins")


def export_bop(dataset: ArrowDataset, source: Source, output: Path) -> int:
    """Writes a dataset, with the meshes of the source that it was built from; returns its pictures.

    Raises:
        UserError: when the source is another one, or the folder is not empty or cannot be written.
    """
    objects = _objects(dataset, source)
    if output.is_dir() and any(output.iterdir()):
        raise UserError(f"{output} is not empty: give a new folder")
    try:
        _write_models(dataset, source, objects, output)
        renderers = {info.object_id: Renderer(source.mesh(info)) for info in objects}
        return sum(_write_split(dataset, renderers, split, output) for split in SPLITS)
    except OSError as error:
        raise UserError(f"cannot write {output}: {error.strerror}") from None


def _objects(dataset: ArrowDataset, source: Source) -> list[ObjectInfo]:
    """The source's entries of the dataset's objects."""
    table, found = source.objects(), []
    for model in dataset.objects.values():
        info = table.get(model.name)
        if info is None or info.object_id != model.object_id or not _same(source.model(info), model):
            raise UserError(f"{dataset.path} was built from other data than these: {model.name} differs")
        found.append(info)
    return found


def _same(model: ObjectModel, other: ObjectModel) -> bool:
    names = ("diameter_m", "bounds_min", "bounds_max", "symmetries", "points", "points_bop")
    return all(np.array_equal(getattr(model, name), getattr(other, name)) for name in names)


def _write_models(dataset: ArrowDataset, source: Source, objects: Sequence[ObjectInfo], output: Path) -> None:
    table = json_text({str(i): _model_entry(model) for i, model in sorted(dataset.objects.items())})
    for folder, mesh_of in (("models", source.mesh), ("models_eval", source.evaluation_mesh)):
        (output / folder).mkdir(parents=True)
        (output / folder / "models_info.json").write_text(table, encoding="utf-8")
        for info in objects:
            mesh_of(info).save(output / folder / f"obj_{info.object_id:06d}.ply", unit_m=MILLIMETRE)


def _model_entry(model: ObjectModel) -> dict[str, Any]:
    low, size = model.bounds_min, model.bounds_max - model.bounds_min
    entry: dict[str, Any] = {"diameter": _millimetres(model.diameter_m)}
    entry |= {f"min_{axis}": _millimetres(value) for axis, value in zip("xyz", low, strict=True)}
    entry |= {f"size_{axis}": _millimetres(value) for axis, value in zip("xyz", size, strict=True)}
    if len(model.symmetries) > 1:
        entry["symmetries_discrete"] = [_matrix(T) for T in model.symmetries[1:]]
    return entry


def _matrix(T: NDArray[np.float64]) -> list[Any]:
    """T (4, 4) row by row, its translation in millimetres."""
    rows = [[*row[:3].tolist(), _millimetres(row[3])] for row in T[:3]]
    return [*rows[0], *rows[1], *rows[2], *T[3].tolist()]


def _write_split(dataset: ArrowDataset, renderers: dict[int, Renderer], split: str, output: Path) -> int:
    """Writes the records of a split in the order of the dataset; returns their number."""
    records = dataset.split(split)
    tables: dict[Path, dict[str, dict[str, Any]]] = {}
    numbers: Counter[Path] = Counter()
    for record in records:
        scene = output / _FOLDERS[split][record.synthetic] / f"{record.object_id:06d}"
        if scene not in tables:
            tables[scene] = {table: {} for table in _TABLES}
            for name in ("rgb", "mask", "mask_visib"):
                (scene / name).mkdir(parents=True)
        number = numbers[scene]
        numbers[scene] += 1
        maps = renderers[record.object_id].maps(record.T_cam_obj, record.K, _size(record))
        for name, picture in _pictures(record, maps):
            file = scene / name / (f"{number:06d}.png" if name == "rgb" else f"{number:06d}_000000.png")
            if not cv2.imwrite(str(file), picture):
                raise UserError(f"cannot write {file}")
        for table, entry in zip(_TABLES, _entries(record, maps), strict=True):
            tables[scene][table][str(number)] = entry
    for scene, by_name in tables.items():
        for table, content in by_name.items():
            (scene / f"scene_{table}.json").write_text(json_text(content), encoding="utf-8")
    return len(records)


def _size(record: Record) -> tuple[int, int]:
    return int(record.image_size[0]), int(record.image_size[1])


def _pictures(record: Record, maps: ObjectMaps) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """The picture (BGR), the mask of the whole object, and that of its visible part, in full size."""
    width, height = _size(record)

    def full(part: NDArray[np.uint8], origin: Iterable[int]) -> NDArray[np.uint8]:
        x, y = (int(value) for value in origin)
        return cut(part, (x, y), (0, 0), (height, width))

    yield "rgb", full(record.rgb[..., ::-1], record.crop_origin)
    yield "mask", full(maps.mask * _WHITE, maps.origin)
    yield "mask_visib", full(record.mask, record.map_origin)


def _entries(record: Record, maps: ObjectMaps) -> tuple[Any, Any, Any]:
    """The record's entries in the scene's tables."""
    T = record.T_cam_obj
    translation = [_millimetres(value) for value in T[:3, 3]]
    pose = {
        "cam_R_m2c": T[:3, :3].ravel().tolist(),
        "cam_t_m2c": translation,
        "obj_id": record.object_id,
    }
    whole, seen = int(maps.mask.sum()), int((record.mask > 0).sum())
    origin = int(record.map_origin[0]), int(record.map_origin[1])
    info = {
        "bbox_obj": mask_box(maps.mask, maps.origin),
        "bbox_visib": mask_box(record.mask > 0, origin),
        "px_count_all": whole,
        "px_count_valid": whole,  # of depth, which there is none of
        "px_count_visib": seen,
        "visib_fract": seen / whole,
    }
    return [pose], [info], {"cam_K": record.K.ravel().tolist(), "depth_scale": 1.0}


def _millimetres(metres: float) -> Decimal:
    """Exactly a thousand times the number: its decimal point moved."""
    return Decimal(repr(float(metres))).scaleb(3)


def json_text(value: Any, top: bool = True) -> str:
    """JSON in which decimals keep all their digits, an entry of the outermost table per line."""
    if isinstance(value, dict):
        entries = (f"{json.dumps(name)}: {json_text(entry, top=False)}" for name, entry in value.items())
        return "{\n" + ",\n".join(entries) + "\n}\n" if top else "{" + ", ".join(entries) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(json_text(entry, top=False) for entry in value) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)
