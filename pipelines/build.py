"""Building a dataset: content-addressed, resumable after a kill, safe for two builders at once.

The dataset's id is the hash of the configuration, of everything read, and of the versions of
schema and renderer. Work in progress lies under `<root>/.build/`: a shard appears there under its
final name when it is whole, and the folder is renamed to `<root>/<dataset_id>` when all are.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from epropnp.data.format import read_manifest
from epropnp.data.schema import (
    BACKGROUNDS_FILE,
    MANIFEST,
    OBJECTS_FILE,
    SCHEMA_VERSION,
    SPLITS,
)
from epropnp.data.writer import file_digest, write_backgrounds, write_objects
from epropnp.errors import UserError
from pipelines.backgrounds import (
    choose_photographs,
    photograph_backgrounds,
    procedural_backgrounds,
)
from pipelines.objects import ObjectInfo, resolve_objects
from pipelines.render import RENDERER_VERSION
from pipelines.shards import Job, Shard, is_written, plan_shards, write_shard
from pipelines.sources import BopSource, Source, StandinSource, digest, files_digest
from pipelines.standins import MIN_RESOLUTION
from pipelines.workers import Mapper, process_mapper

_WORK = ".build"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class BuildConfig:
    """What to build. Paths say where to read; only what lies there enters the dataset's id."""

    objects: tuple[str, ...]
    """Names of LineMOD objects."""
    source: Path | None = None
    """A BOP folder such as lm/; procedural stand-ins without one. With it, all splits hold real
    frames, `train` renderings are added for training, `validation` and `test` do not apply."""
    backgrounds: Path | None = None
    """A folder of photographs; procedural pictures without one."""
    train: int = 1000
    """Renderings per object for training."""
    validation: int = 100
    """Renderings per object for validation (stand-ins only)."""
    test: int = 200
    """Renderings per object for the test (stand-ins only)."""
    seed: int = 0
    mesh_resolution: int = 96
    """Grid cells along a stand-in's longest side."""
    background_count: int = 256
    """Background pictures kept in the dataset."""


@dataclass(frozen=True)
class _Plan:
    """A checked configuration with its source read and fingerprinted."""

    config: BuildConfig
    objects: tuple[ObjectInfo, ...]
    source: Source
    photographs: list[Path] | None
    stated: dict[str, Any]  # the configuration as the manifest states it: without paths
    fingerprint: str

    @property
    def dataset_id(self) -> str:
        """First 12 hexadecimal digits of the hash of all that decides the content."""
        return digest(
            {
                "schema": SCHEMA_VERSION,
                "renderer": RENDERER_VERSION,
                "config": self.stated,
                "source": self.fingerprint,
            }
        )[:12]


def dataset_path(config: BuildConfig, root: Path) -> Path:
    """Where `build` puts, or has put, the dataset of this configuration."""
    return Path(root) / _plan(config, Path(root)).dataset_id


def build(config: BuildConfig, root: Path, workers: int | None = None, progress: bool = True) -> Path:
    """Builds a dataset, or finds it built; returns its folder below `root`.

    `workers` processes render (default: one per usable core, none besides this one when it is 1);
    their number does not change a byte.

    Raises:
        UserError: for bad settings, missing or broken input, or an unfinished folder in the way.
    """
    root = Path(root)
    plan = _plan(config, root)
    target = root / plan.dataset_id
    if target.exists():
        read_manifest(target)
        return target
    work = root / _WORK / plan.dataset_id
    work.parent.mkdir(parents=True, exist_ok=True)
    with _lock(work.with_suffix(".lock")):
        if not target.exists():  # another builder may have finished while this one waited
            _fill(plan, work, workers or len(os.sched_getaffinity(0)), progress)
            work.rename(target)
    return target


def _plan(config: BuildConfig, root: Path) -> _Plan:
    objects = tuple(sorted(resolve_objects(config.objects), key=lambda info: info.object_id))
    _check_numbers(config)
    source: Source
    if config.source is None:
        source = StandinSource(config.mesh_resolution, root / _WORK / "standins")
    else:
        source = BopSource(Path(config.source), config.seed)
    photographs, pictures = None, None
    if config.backgrounds is not None:
        folder = Path(config.backgrounds)
        photographs = choose_photographs(folder, config.background_count, config.seed)
        pictures = files_digest(photographs, folder)
    rendered = _rendered(config)
    stated = {
        "objects": [info.name for info in objects],
        "source": "stand-ins" if config.source is None else "bop",
        "backgrounds": "procedural" if photographs is None else "photographs",
        **rendered,
        "seed": config.seed,
        "mesh_resolution": config.mesh_resolution if config.source is None else None,
        "background_count": config.background_count,
    }
    fingerprint = digest([source.fingerprint(objects), pictures])
    return _Plan(config, objects, source, photographs, stated, fingerprint)


def _check_numbers(config: BuildConfig) -> None:
    bounds = {"train": 0, "validation": 0, "test": 0, "seed": 0}
    bounds |= {"mesh_resolution": MIN_RESOLUTION, "background_count": 1}
    for name, low in bounds.items():
        if getattr(config, name) < low:
            raise UserError(f"{name} is {getattr(config, name)}, it must be at least {low}")
    if config.source is None and not any(_rendered(config).values()):
        raise UserError("nothing to build: train, validation and test are all 0")


def _rendered(config: BuildConfig) -> dict[str, int]:
    """Renderings per object in every split."""
    if config.source is not None:
        return {"train": config.train, "validation": 0, "test": 0}
    return {"train": config.train, "validation": config.validation, "test": config.test}


@contextmanager
def _lock(file: Path) -> Iterator[None]:
    """Holds an exclusive lock; the system frees it when its holder dies."""
    with file.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _log.info("another process builds this dataset: waiting for it")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _fill(plan: _Plan, work: Path, workers: int, progress: bool) -> None:
    """Completes the work folder: whatever an earlier build left whole stays."""
    work.mkdir(exist_ok=True)
    for leftover in work.glob("*.partial"):
        leftover.unlink()
    real = {info.name: plan.source.real_frames(info) for info in plan.objects}
    shards = plan_shards(plan.objects, real, _rendered(plan.config))
    _write_backgrounds(plan, work / BACKGROUNDS_FILE)
    with process_mapper(min(workers, len(shards))) as mapper:
        # Stand-in meshes are built on the way to their table entries: seconds each.
        write_objects(work / OBJECTS_FILE, mapper(plan.source.model, plan.objects))
        _write_shards(Job(plan.source, plan.config.seed, work), shards, mapper, progress)
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "renderer_version": RENDERER_VERSION,
        "dataset_id": plan.dataset_id,
        "config": plan.stated,
        "source_fingerprint": plan.fingerprint,
        "skipped": {name: frames.skipped for name, frames in real.items() if frames.skipped},
        "splits": {split: _split_entry(work, shards, split) for split in SPLITS},
        "files": {name: file_digest(work / name) for name in (OBJECTS_FILE, BACKGROUNDS_FILE)},
    }
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    (work / MANIFEST).write_text(text, encoding="utf-8")


def _write_backgrounds(plan: _Plan, file: Path) -> None:
    seed = plan.config.seed
    if plan.photographs is None:
        write_backgrounds(file, procedural_backgrounds(plan.config.background_count, seed))
    else:
        write_backgrounds(file, photograph_backgrounds(plan.photographs, seed))


def _split_entry(work: Path, shards: Sequence[Shard], split: str) -> dict[str, Any]:
    entries = [
        {"file": shard.file, "rows": len(shard.items), **file_digest(work / shard.file)}
        for shard in shards
        if shard.split == split
    ]
    return {"rows": sum(int(entry["rows"]) for entry in entries), "shards": entries}


def _write_shards(job: Job, shards: Sequence[Shard], mapper: Mapper, progress: bool) -> None:
    """Writes the shards that an earlier build did not finish."""
    pending = [shard for shard in shards if not is_written(job, shard)]
    total, left = (sum(len(shard.items) for shard in part) for part in (shards, pending))
    columns = ("rendering", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not progress) as bar:
        task = bar.add_task("rendering", total=total, completed=total - left)
        for rows in mapper(partial(write_shard, job), pending):
            bar.advance(task, rows)
