"""Columns and types of the dataset format: immutable Arrow IPC files beside a manifest.

A dataset is one folder `<root>/<dataset_id>/` with `manifest.json`, `objects.arrow`,
`backgrounds.arrow` and the shards `<split>-00000.arrow`, ... of every split. Buffers are
uncompressed, read by memory map and never decoded: all processes of a node share one page cache.

Conventions: metres, OpenCV camera frame, pixel centres at integer coordinates, `T_cam_obj` maps
object to camera. A record holds a square crop of one object at native resolution, its visible mask
and its coordinate map:

* `box` is (x, y, w, h) of the visible mask; x, y are its first column and row, so that the box
  covers the pixel centres x .. x + w - 1.
* `rgb` is the crop whose top-left pixel is `crop_origin` of the original image; what lies outside
  the image is zero.
* `mask` and `coords` cover the window of the original image that starts at `map_origin`; it lies
  within the crop. Every pixel of the mask has a coordinate, quantised per axis to 16 bits between
  the object's `bounds_min` and `bounds_max`.
* `detected_box` is what a detector found in that image, if one was asked.

`docs/data-format.md` is the same for readers that do not use this package.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from epropnp.data.spacing import spacing_m

SCHEMA_VERSION = 2
SPLITS = ("train", "validation", "test")
MANIFEST = "manifest.json"
OBJECTS_FILE = "objects.arrow"
BACKGROUNDS_FILE = "backgrounds.arrow"
BACKGROUND_SIDE = 256
ROWS_PER_BATCH = 16  # small record batches: random access stays cheap
QUANTISATION_STEPS = 65535

RECORD_SCHEMA = pa.schema(
    {
        "object_id": pa.int16(),
        "sample_id": pa.string(),
        "synthetic": pa.bool_(),
        "K": pa.list_(pa.float64(), 9),
        "T_cam_obj": pa.list_(pa.float64(), 16),
        "box": pa.list_(pa.float32(), 4),
        "detected_box": pa.list_(pa.float32(), 4),  # may be null
        "image_size": pa.list_(pa.int32(), 2),
        "crop_origin": pa.list_(pa.int32(), 2),
        "crop_side": pa.int32(),
        "rgb": pa.binary(),
        "map_origin": pa.list_(pa.int32(), 2),
        "map_size": pa.list_(pa.int32(), 2),
        "mask": pa.binary(),
        "coords": pa.binary(),
    }
)
OBJECT_SCHEMA = pa.schema(
    {
        "object_id": pa.int16(),
        "name": pa.string(),
        "diameter_m": pa.float64(),
        "bounds_min": pa.list_(pa.float64(), 3),
        "bounds_max": pa.list_(pa.float64(), 3),
        "symmetric": pa.bool_(),
        "symmetries": pa.list_(pa.float64()),
        "points": pa.binary(),
    }
)
POINTS_BOP = pa.field("points_bop", pa.binary())  # in files in which an object has such points only
BACKGROUND_SCHEMA = pa.schema({"rgb": pa.binary()})
LARGEST_ID = 2**31 - 1
_LARGEST_SHORT_ID = 2**15 - 1


def with_ids_up_to(schema: pa.Schema, largest: int) -> pa.Schema:
    """The schema of a file with objects up to that number: beyond 32,767, `object_id` is an int32.

    Files of smaller numbers keep their bytes, and their datasets' ids.
    """
    if largest <= _LARGEST_SHORT_ID:
        return schema
    return schema.set(schema.get_field_index("object_id"), pa.field("object_id", pa.int32()))


@dataclass(frozen=True, kw_only=True)
class Record:
    """One view of one object. Arrays read from disk are read-only views of the memory map."""

    object_id: int
    sample_id: str  # provenance, such as "synthetic/cat/train/000012" or "bop/test/000006/000123_000000"
    synthetic: bool
    K: np.ndarray  # (3, 3) float64, of the original image
    T_cam_obj: np.ndarray  # (4, 4) float64, metres
    box: np.ndarray  # (4,) float32: x, y, w, h of the visible mask, original pixels
    image_size: np.ndarray  # (2,) int32: width, height of the original image
    crop_origin: np.ndarray  # (2,) int32: x, y of the crop's top-left pixel in the original image
    rgb: np.ndarray  # (S, S, 3) uint8
    map_origin: np.ndarray  # (2,) int32: x, y of the maps' top-left pixel in the original image
    mask: np.ndarray  # (h, w) uint8, 0 or 255
    coords: np.ndarray  # (h, w, 3) uint16, quantised object coordinates, 0 outside the mask
    detected_box: np.ndarray | None = None  # (4,) float32: x, y, w, h, as `box`


@dataclass(frozen=True, kw_only=True)
class ObjectModel:
    """What training and evaluation need to know of one object. Lengths in metres."""

    object_id: int
    name: str
    diameter_m: float
    bounds_min: np.ndarray  # (3,) float64
    bounds_max: np.ndarray  # (3,) float64
    symmetric: bool  # scored by the closest-point distance (ADI)
    symmetries: np.ndarray  # (n, 4, 4) float64, the identity first
    points: np.ndarray  # (P, 3) float32, which ADD, ADI and the projection error are means over
    points_bop: np.ndarray | None = None  # (Q, 3) float32, for the BOP metrics, where they go by others

    @cached_property
    def extent(self) -> np.ndarray:
        """Size of the object's box, (3,) metres; 1 m along an axis on which the object is flat."""
        size = self.bounds_max - self.bounds_min
        return np.asarray(np.where(size > 0, size, 1.0))

    @cached_property
    def coord_scale(self) -> np.ndarray:
        """Metres per unit of the coordinates that networks learn, (3,) float64.

        |bounds_min| per axis, as CDPN and EPro-PnP have it; the extent where the origin lies so close to the
        object's edge that dividing by |bounds_min| would blow the coordinates up.
        """
        low, extent = np.abs(self.bounds_min), self.extent
        return np.asarray(np.where(low > 0.1 * extent, low, extent))

    @cached_property
    def spacing_m(self) -> float:
        """How far its points are apart, where they are sparse."""
        return spacing_m(self.points.astype(float))


def quantise(coords_m: np.ndarray, model: ObjectModel) -> np.ndarray:
    """Object coordinates (..., 3) in metres -> uint16 steps between the object's bounds."""
    unit = (coords_m - model.bounds_min) / model.extent
    return np.rint(np.clip(unit, 0.0, 1.0) * QUANTISATION_STEPS).astype("<u2")


def dequantise(coords_u16: np.ndarray, model: ObjectModel) -> np.ndarray:
    """Inverse of `quantise`: (..., 3) float32 object coordinates in metres."""
    step = model.extent / QUANTISATION_STEPS
    metres: np.ndarray = (coords_u16 * step + model.bounds_min).astype(np.float32)
    return metres
