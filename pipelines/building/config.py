"""What to build, as given on the command line, which answers before a renderer is loaded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from epropnp.command_line import shown_as

Folder = Annotated[Path | None, shown_as("FOLDER")]


@dataclass(frozen=True, kw_only=True)
class BuildConfig:
    """What to build. Paths say where to read; only what lies there enters the dataset's id."""

    objects: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")]
    """Names of objects: LineMOD's, or those of the source, such as obj_000001."""
    source: Folder = None
    """A folder in the BOP layout, such as lm/, or in that of CDPN and EPro-PnP; procedural stand-ins
    without one. With it, splits hold its frames; `train` renderings are added for training, and
    `validation` and `test` apply where it has no frames for them."""
    splits: Folder = None
    """A folder of NAME_train.txt and NAME_test.txt, to be used instead of the source's own."""
    real_frames: Annotated[tuple[str, ...], shown_as("NAME ...")] = ()
    """The source's folders of photographs, such as train_primesense: of several sensors', those to use.
    Default: test*, val*, of train* only train_real, and what split lists name; all others are renderings."""
    backgrounds: Folder = None
    """A folder of photographs, such as Pascal VOC's; procedural pictures without one."""
    train: int = 1000
    """Renderings per object for training."""
    validation: int = 100
    """Renderings per object for validation, where no real frames validate."""
    test: int = 200
    """Renderings per object for the test, where no real frames test."""
    seed: int = 0
    """Of views, looks, backgrounds, and of the real frames that are set aside for validation."""
    mesh_resolution: int = 96
    """Grid cells along a stand-in's longest side."""
    background_count: int = 256
    """Background pictures kept in the dataset."""
    occluders: Annotated[tuple[str, ...] | None, shown_as("NAME ...")] = None
    """Objects that may hide a part of a rendered one. Default: the dataset's other objects."""
