"""Which images a dataset is tested on, in one short id that does not depend on how they are stored."""

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np

from epropnp.data.schema import ObjectModel, Record


def id_of_test(records: Iterable[Record], objects: Mapping[int, ObjectModel]) -> str:
    """First 12 hexadecimal digits of a hash of all that a test is made of.

    Of each record its sample id, picture, camera, pose and boxes, in whatever order the records come; of each
    object in them its name, diameter, symmetries and the points that metrics go by. `objects` may hold
    others, too.
    """
    found = [(record.object_id, _record_digest(record)) for record in records]
    shown = sorted({object_id for object_id, _ in found})
    parts = [*sorted(digest for _, digest in found), *(_object_digest(objects[i]) for i in shown)]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]


def _record_digest(record: Record) -> bytes:
    boxes = record.box, record.detected_box
    place = record.image_size, record.crop_origin
    return _digest(
        (record.object_id, record.sample_id), record.K, record.T_cam_obj, *boxes, *place, record.rgb
    )


def _object_digest(model: ObjectModel) -> bytes:
    described = model.object_id, model.name, model.diameter_m, model.symmetric
    others = () if model.points_bop is None else (model.points_bop,)
    return _digest(described, model.symmetries, model.points, *others)


def _digest(described: tuple[object, ...], *arrays: np.ndarray | None) -> bytes:
    """Of plain values and of arrays, with their shapes; None is no array."""
    shapes = [None if array is None else (array.dtype.str, array.shape) for array in arrays]
    whole = hashlib.sha256(repr((described, shapes)).encode())
    for array in arrays:
        if array is not None:
            whole.update(array.tobytes())
    return whole.digest()
