"""What to build, as given on the command line, which answers before a renderer is loaded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from epropnp.command_line import shown_as
from epropnp.settings import Range
from pipelines.standins import MIN_RESOLUTION

Folder = Annotated[Path | None, shown_as("FOLDER")]
File = Annotated[Path | None, shown_as("FILE")]
Count = Annotated[int, Range(least=0)]


@dataclass(frozen=True, kw_only=True)
class BuildConfig:
    """What to build. Paths say where to read; only what lies there enters the dataset's id."""

    objects: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")]
    """Names of objects: LineMOD's, or those of the source, such as obj_000001."""
    source: Folder = None
    """A folder in the BOP layout, such as lm/, or in that of CDPN and EPro-PnP; a mesh (PLY, OBJ), or a
    folder of meshes, called as their files; procedural stand-ins without one. Splits hold its frames;
    `train` renderings are added for training; `validation` and `test` apply where it has no frames."""
    splits: Folder = None
    """A folder of NAME_train.txt and NAME_test.txt, to be used instead of the source's own."""
    real_frames: Annotated[tuple[str, ...], shown_as("NAME ...")] = ()
    """The source's folders of photographs, such as train_primesense: of several sensors', those to use.
    Default: test*, val*, of train* only train_real, and what split lists name; all others are renderings."""
    detections: File = None
    """A detector's boxes in the test pictures of a folder in the BOP layout: BOP's JSON (CDPN's layout has
    files of its own). `evaluation.test_boxes=auto` tests on them where every picture has one."""
    backgrounds: Folder = None
    """A folder of photographs, such as Pascal VOC's, for training images; procedural pictures without one, as
    behind renderings for validation and test always."""
    train: Count = 1000
    """Renderings per object for training."""
    validation: Count = 100
    """Renderings per object for validation, where no real frames validate; recipes render 500."""
    test: Count = 200
    """Renderings per object for the test, where no real frames test."""
    seed: Count = 0
    """Of views, looks, backgrounds, and of the real frames that are set aside for validation."""
    camera: File = None
    """The renderings' camera: JSON with fx, fy, cx, cy (as BOP's camera.json) or K, and width and height.
    Default: that of the given frames, else of the source's camera.json, else LineMOD's."""
    distance: Annotated[tuple[float, float] | None, shown_as("MIN MAX")] = None
    """Metres from the renderings' camera to the object. Default: as in the given frames; without any, so that
    the object is 0.15 to 0.5 of the picture large."""
    views: Annotated[Literal["sphere", "hemisphere"] | None, shown_as("{sphere,hemisphere}")] = None
    """Where renderings are taken from: all round and any way up, or above the object's x-y plane and nearly
    upright. Default: elevations and tilts of the given frames, else sphere. LineMOD's objects have views,
    distances and camera of LineMOD, unless their frames have another camera or these flags say otherwise."""
    mesh_unit: Literal["mm", "m"] = "mm"
    """Of meshes without a data set; BOP has millimetres."""
    mesh_resolution: Annotated[int, Range(least=MIN_RESOLUTION)] = 96
    """Grid cells along a stand-in's longest side."""
    background_count: Annotated[int, Range(least=1)] = 256
    """Background pictures kept in the dataset."""
    occluders: Annotated[tuple[str, ...] | None, shown_as("NAME ...")] = None
    """Objects that may hide a part of a rendered training image's. Default: the dataset's other objects;
    those that may in validation and test images, always."""
    accept_geometry: bool = False
    """Build even where given and rendered masks, units or diameters say that the geometry is wrong."""
