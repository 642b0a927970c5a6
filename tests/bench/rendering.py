"""Samples per second and core from the renderer: `make bench`.

One sample is the picture (lit, shadowed, antialiased, on a background, 3 of 10 behind an occluder), mask
and coordinate map of one object in an image of 640 x 480. Stand-ins of several sizes take turns.
The rate per core is by CPU time: other work on the machine does not change it.
"""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tyro

from pipelines.building.sources import StandinSource
from pipelines.objects import LINEMOD, STUDY_OBJECTS
from pipelines.rendering.backgrounds import procedural_backgrounds
from pipelines.rendering.camera_views import LINEMOD_K, LINEMOD_SIZE, sample_view
from pipelines.rendering.renderer import Renderer
from pipelines.rendering.synthetic import render_sample

RESOLUTIONS = {10_000: 46, 60_000: 111}  # grid cells that give stand-ins of about so many faces
SAMPLES_PER_OBJECT = 1000


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """What is rendered."""

    objects: tuple[str, ...] = ("ape", "can", "lamp")
    """Default: a small, a middling and the largest one, of the study's mean diameter."""
    seconds: float = 5.0
    """How long each kind of rendering is timed."""


@dataclass(frozen=True)
class Rate:
    """Calls per second of CPU time and of wall time."""

    core: float
    wall: float


def rate(render: Callable[[int], object], seconds: float) -> Rate:
    """Rate of calls with 0, 1, 2 and so on."""
    render(0)
    count, wall, core = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < seconds:
        render(count)
        count += 1
    return Rate(count / (time.process_time() - core), count / (time.perf_counter() - wall))


def bench(config: BenchConfig, faces: int, cache: Path) -> None:
    source = StandinSource(RESOLUTIONS[faces], cache)
    infos = [LINEMOD[name] for name in config.objects]
    renderers = [Renderer(source.mesh(info)) for info in infos]
    models = [source.model(info) for info in infos]
    backgrounds = list(procedural_backgrounds(8, seed=0))

    def maps(index: int) -> object:
        renderer = renderers[index % len(infos)]
        T_cam_obj = sample_view(np.random.default_rng(index), renderer.hull)
        return renderer.maps(T_cam_obj, LINEMOD_K, LINEMOD_SIZE)

    def sample(index: int) -> object:
        which = index % len(infos)
        others = [renderer for i, renderer in enumerate(renderers) if i != which]
        rng = np.random.default_rng(index)
        return render_sample(rng, renderers[which], models[which], backgrounds, "bench", others)

    mean_faces = np.mean([len(renderer.mesh.faces) for renderer in renderers])
    alone, whole = (rate(render, config.seconds) for render in (maps, sample))
    cores = len(os.sched_getaffinity(0))
    total = len(STUDY_OBJECTS) * SAMPLES_PER_OBJECT
    minutes = total / whole.core / 60
    print(
        f"Renderer, {mean_faces:,.0f} faces, one core: mask and coordinates {alone.core:.0f}/s, with picture "
        f"{whole.core:.0f}/s ({whole.wall:.0f}/s by the clock); {total:,} samples take {minutes:.1f} min on "
        f"1 core, {minutes / cores:.1f} min on {cores}"
    )


def main(config: BenchConfig) -> None:
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as cache:
        for faces in RESOLUTIONS:
            bench(config, faces, Path(cache))


if __name__ == "__main__":
    main(tyro.cli(BenchConfig, description=__doc__))
