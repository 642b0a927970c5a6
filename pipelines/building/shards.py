"""Shards: what rows they hold, and writing one. This is what worker processes run."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from epropnp.data.reader import Backgrounds, Split, read_objects
from epropnp.data.schema import BACKGROUNDS_FILE, OBJECTS_FILE, SPLITS, ObjectModel, Record
from epropnp.data.writer import file_digest, write_records
from epropnp.errors import UserError
from epropnp.files import whole_file
from pipelines.building.sources import Source
from pipelines.objects import ObjectInfo
from pipelines.readers.frames import Frame, RealFrames, frame_record
from pipelines.rendering.renderer import Renderer
from pipelines.rendering.seeds import sample_rng
from pipelines.rendering.synthetic import render_sample
from pipelines.rendering.views import Views

SHARD_ROWS = 64


@dataclass(frozen=True)
class Item:
    """One row to come: a given frame, or the rendering number `index` where there is none."""

    info: ObjectInfo
    index: int
    frame: Frame | None = None


@dataclass(frozen=True)
class Shard:
    """The rows of one file."""

    split: str
    file: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Job:
    """What all shards of a build share; `folder` already holds its objects and backgrounds.

    `occluders` and `folder`'s backgrounds are those of training images: what validates and tests is rendered
    with the dataset's `objects` as occluders on `test_backgrounds`, so that it is the same whatever trains.
    """

    source: Source
    seed: int
    folder: Path
    objects: tuple[ObjectInfo, ...]
    occluders: tuple[ObjectInfo, ...]
    test_backgrounds: Path
    views: Mapping[str, Views] = field(compare=False)  # by object name


def plan_shards(
    objects: Sequence[ObjectInfo], real: dict[str, RealFrames], rendered: dict[str, dict[str, int]]
) -> list[Shard]:
    """Cuts every split into shards: object by object, given frames before renderings.

    `real` holds the frames by object name, `rendered` the renderings by object name and split.
    """
    shards = []
    for split in SPLITS:
        items: list[Item] = []
        for info in objects:
            frames = real[info.name].by_split.get(split, ())
            items += [Item(info, index, frame) for index, frame in enumerate(frames)]
            items += [Item(info, index) for index in range(rendered[info.name][split])]
        for number, start in enumerate(range(0, len(items), SHARD_ROWS)):
            rows = tuple(items[start : start + SHARD_ROWS])
            shards.append(Shard(split, f"{split}-{number:05d}.arrow", rows))
    return shards


def write_shard(job: Job, shard: Shard) -> dict[str, Any]:
    """Writes one shard, or keeps what an earlier build left whole; returns its entry in the manifest."""
    if not job.folder.is_dir():
        raise UserError(
            f"no folder {job.folder} on {socket.gethostname()}: the machines of a cluster must share the "
            "folder of datasets, under one path"
        )
    file = job.folder / shard.file
    if not _is_whole(file, shard):
        with whole_file(file) as unfinished:
            largest_id = max(item.info.object_id for item in shard.items)
            write_records(unfinished, _records(job, shard), largest_id)
    return {"file": shard.file, "rows": len(shard.items), **file_digest(file)}


def _is_whole(file: Path, shard: Shard) -> bool:
    if not file.is_file():
        return False
    try:
        rows = Split(shard.split, len(shard.items), [file]).column("object_id")
    except UserError:
        return False
    return len(rows) == len(shard.items)


def _records(job: Job, shard: Shard) -> Iterator[Record]:
    for item in shard.items:
        renderer, model = _renderer(job, item.info), _models(job)[item.info.object_id]
        if item.frame is not None:
            yield frame_record(item.frame, renderer, model)
            continue
        rng = sample_rng(job.seed, item.info.object_id, shard.split, item.index)
        sample_id = f"synthetic/{item.info.name}/{shard.split}/{item.index:06d}"
        trains = shard.split == "train"
        others = [_renderer(job, o) for o in (job.occluders if trains else job.objects) if o != item.info]
        backgrounds = _backgrounds(job.folder / BACKGROUNDS_FILE if trains else job.test_backgrounds)
        views = job.views[item.info.name]
        yield render_sample(rng, renderer, model, backgrounds, sample_id, others, views)


# Each process opens what it needs once.


@lru_cache(maxsize=32)
def _renderer(job: Job, info: ObjectInfo) -> Renderer:
    return Renderer(job.source.mesh(info))


@lru_cache(maxsize=1)
def _models(job: Job) -> dict[int, ObjectModel]:
    return read_objects(job.folder / OBJECTS_FILE)


@lru_cache(maxsize=2)
def _backgrounds(file: Path) -> Backgrounds:
    return Backgrounds(file)
