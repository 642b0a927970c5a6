"""What each version number stands for: digests of what stand-ins, renderer, readers and crop make.

A dataset's id holds these numbers and no source text, so a change of what is made must raise its number.
"""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from epropnp.data import crop
from epropnp.data.crop import Crop, sample_maps, warp_rgba
from epropnp.data.schema import Record
from pipelines import readers, rendering, standins
from pipelines.building.sources import open_source
from pipelines.objects import LINEMOD, STUDY_OBJECTS
from pipelines.readers.frames import frame_record
from pipelines.readers.object_models import half_turns, object_model
from pipelines.rendering.backgrounds import procedural_backgrounds
from pipelines.rendering.mesh import Mesh
from pipelines.rendering.renderer import Renderer
from pipelines.rendering.synthetic import render_sample
from pipelines.standins.build import build_standin
from tests.data.sets import make_record
from tests.pipelines.folders import bop_files, cdpn_files, write_files

Digest = tuple[float, ...]
STEP = 1e-6  # of what is not whole: a micrometre, for one
SAME = 0.02  # steps

# What the numbers stand for.
PINNED: dict[tuple[str, int], dict[str, Digest]] = {
    ("pipelines.standins", 1): {
        "ape": (7994.853, 6260.745, 4053.957),
        "benchvise": (14910.1, 20272.674, 2142.438),
        "camera": (5313.555, -10407.065, 31965.66),
        "can": (8159.679, 38495.518, -7287.389),
        "cat": (10639.933, -19676.352, -3943.565),
        "driller": (18632.612, 30888.506, 16303.648),
        "duck": (15383.748, -21108.791, -7741.247),
        "eggbox": (-8779.454, -9651.785, 11875.943),
        "glue": (-17746.625, 10793.369, 786.504),
        "holepuncher": (11302.667, 12110.626, 13159.521),
        "iron": (30130.501, 23675.237, -23109.771),
        "lamp": (3885.773, 20443.125, -12322.386),
        "phone": (31449.322, -49.873, -11519.934),
    },
    ("pipelines.rendering", 1): {
        "record": (1373951.907, 472569.079, -1942973.007),
    },
    # Of version 1, but for the folder's name in the ids; there, frames of train/ were photographs.
    ("pipelines.readers", 3): {
        "bop": (711440.218, 1661029.838, -176652.688),
        "cdpn": (-5030516.364, -8156690.126, -7242436.125),
    },
    ("epropnp.data.crop", 1): {
        "crop": (-4100.503, -1767.525, 3927.309),
    },
}


def digest(arrays: Iterable[np.ndarray]) -> Digest:
    """Three random projections, in steps.

    No hash, for processors differ by one step in one value of 50,000: that moves a projection by 0.01, and a
    change of all values by half a step moves it by 0.5.
    """
    values = np.concatenate([np.ravel(a / (1.0 if a.dtype.kind in "iub" else STEP)) for a in arrays])
    directions = np.random.RandomState(0).standard_normal((3, len(values)))  # the same in every NumPy
    return tuple((directions @ values / np.sqrt(len(values))).round(3).tolist())


def digest_of(records: Iterable[Record]) -> Digest:
    values = [value for record in records for value in dataclasses.astuple(record) if value is not None]
    return digest(
        np.frombuffer(v.encode(), np.uint8) if isinstance(v, str) else np.asarray(v) for v in values
    )


def check(room: str, version: int, what: str, found: Digest) -> None:
    pinned = PINNED.get((room, version), {}).get(what)
    assert pinned is not None, f"pin what version {version} of {room} makes of {what}: {found}"
    assert found == pytest.approx(pinned, abs=SAME), (
        f"version {version} of {room} makes another {what}. If your change makes other datasets, raise "
        f"{room}.VERSION and pin {found} with it; if only a library is another one, pin {found} for {version}"
    )


@pytest.mark.parametrize("name", STUDY_OBJECTS)
def test_of_standins(name: str) -> None:
    mesh = build_standin(name, 24)
    paint = np.rint(mesh.colours * 255).astype(np.uint8)
    check("pipelines.standins", standins.VERSION, name, digest([mesh.vertices, mesh.faces, paint]))


def test_of_the_renderer(cat_mesh: Mesh, cat_renderer: Renderer) -> None:
    model = object_model(LINEMOD["cat"], cat_mesh, cat_mesh.vertices, 0.15, half_turns(LINEMOD["cat"]))
    backgrounds = list(procedural_backgrounds(2, 0))
    records = [
        render_sample(
            np.random.default_rng(seed), cat_renderer, model, backgrounds, str(seed), [cat_renderer]
        )
        for seed in range(6)  # some of which another object hides in part
    ]
    check("pipelines.rendering", rendering.VERSION, "record", digest_of(records))


@pytest.mark.parametrize("layout", ["bop", "cdpn"])
def test_of_the_readers(layout: str, tmp_path: Path) -> None:
    files, name = (bop_files(), "obj_000007") if layout == "bop" else (cdpn_files(), "cat")
    source = open_source(write_files(files, tmp_path), 0, 1)
    info = source.objects()[name]
    renderer, model = Renderer(source.mesh(info)), source.model(info)
    frames = [frame for split in source.real_frames([info])[info.name].by_split.values() for frame in split]
    found = digest_of(frame_record(frame, renderer, model) for frame in frames)
    check("pipelines.readers", readers.VERSION, layout, found)


def test_of_the_crop() -> None:
    record = make_record(20)
    crops = [Crop(np.array([5.0, 41.0]), side, angle) for side, angle in ((20.0, 0.0), (70.0, 0.6))]
    arrays = [a for c in crops for a in (warp_rgba(record, c, 32), *sample_maps(record, c, 16))]
    check("epropnp.data.crop", crop.VERSION, "crop", digest(arrays))
