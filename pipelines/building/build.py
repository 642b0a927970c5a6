"""Building a dataset: content-addressed, resumable after a kill, safe for two builders at once.

Work in progress lies under `<root>/.build/`: a shard appears there under its
final name when it is whole, and the folder is renamed to `<root>/<dataset_id>` when all are.
Backgrounds are a set of their own, `<root>/backgrounds/<id>.arrow`: made once for all datasets that
ask for the same, and present in each under one more name of the same file.
"""

import errno
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from epropnp.cores import local_cores
from epropnp.data.identity import id_of_test
from epropnp.data.manifest import read_manifest
from epropnp.data.reader import Backgrounds, Split, read_objects
from epropnp.data.schema import (
    BACKGROUNDS_FILE,
    MANIFEST,
    OBJECTS_FILE,
    SCHEMA_VERSION,
    SPLITS,
)
from epropnp.data.writer import file_digest, write_backgrounds, write_objects
from epropnp.errors import UserError
from epropnp.files import fill_folder, share_file, whole_file
from pipelines.building.geometry import examine, given_frames, proved
from pipelines.building.plan import WORK_FOLDER, BuildConfig, Plan, plan_dataset
from pipelines.building.shards import Job, Shard, plan_shards, write_shard
from pipelines.building.workers import Mapper, open_mapper
from pipelines.readers.object_models import points_report
from pipelines.readers.symmetry_check import symmetry_report
from pipelines.rendering.backgrounds import photograph_backgrounds, procedural_backgrounds

TENTHS, MANY = 10, 100  # lines of progress, and from how many steps there are some
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR}

Item = TypeVar("Item")


def dataset_path(config: BuildConfig, root: Path) -> Path:
    """Where `build` puts, or has put, the dataset of this configuration."""
    return plan_dataset(config, root).path


def build(
    config: BuildConfig,
    root: Path,
    workers: int | None = None,
    progress: bool = True,
    ray_address: str | None = None,
) -> Path:
    """Builds a dataset, or finds it built; returns its folder below `root`.

    `workers` processes render (default: one per usable core, none besides this one when it is 1), or,
    where an address is given, all cores of a Ray cluster, whose machines share `root` and the
    sources. Neither changes a byte.

    Raises:
        UserError: for bad settings, missing or broken input, a full disk, a cluster that is not
            there, or an unfinished folder in the way.
    """
    return build_planned(plan_dataset(config, root), workers, progress, ray_address)


def build_planned(plan: Plan, workers: int | None, progress: bool, ray_address: str | None = None) -> Path:
    """`build` for what is planned already."""
    if plan.path.exists():
        read_manifest(plan.path)
        return plan.path
    work = plan.root / WORK_FOLDER / plan.dataset_id
    mapper = partial(open_mapper, workers or local_cores(), ray_address)
    with _storage_errors(plan.root):
        fill_folder(plan.path, work, partial(_fill, plan, mapper, progress))
    return plan.path


@contextmanager
def _storage_errors(root: Path) -> Iterator[None]:
    """Turns the errors of a full or protected disk into the user's."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL | _CLOSED:
            raise
        advice = "free some space" if error.errno in _FULL else "mend that, or give another --root,"
        reason = os.strerror(error.errno or 0).lower()
        raise UserError(
            f"cannot write below {root}: {reason}; {advice} and run the same command again: "
            "what is finished is kept"
        ) from error


def _fill(
    plan: Plan, open_workers: Callable[[], AbstractContextManager[Mapper]], progress: bool, work: Path
) -> None:
    """Completes the work folder: whatever an earlier build left whole stays."""
    shards = plan_shards(plan.objects, plan.real, plan.rendered)
    job = Job(
        source=plan.source,
        seed=plan.config.seed,
        folder=work.absolute(),
        objects=plan.objects,
        occluders=plan.occluders,
        test_backgrounds=plan.test_background_set.absolute(),
        views=plan.views,
    )
    columns = (
        TextColumn("{task.description:<12}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    progress_bar = Progress(*columns, console=Console(stderr=True), disable=not progress)
    with progress_bar as bar, open_workers() as mapper:
        found = mapper(partial(examine, plan.source), given_frames(plan))
        geometry = proved(plan, _tracked(bar, "geometry", found, [1] * len(plan.objects)))
        _write_backgrounds(plan, work / BACKGROUNDS_FILE, bar)
        # Stand-in meshes are built on the way to their table entries: seconds each.
        models = _tracked(bar, "objects", mapper(plan.source.model, plan.objects), [1] * len(plan.objects))
        with whole_file(work / OBJECTS_FILE) as unfinished:
            write_objects(unfinished, models)
        written = mapper(partial(write_shard, job), shards)
        entries = list(_tracked(bar, "samples", written, [len(shard.items) for shard in shards]))
    splits = {split: _split_entry(split, shards, entries) for split in SPLITS}
    _write_manifest(plan, work, splits, geometry)


def _write_manifest(
    plan: Plan, work: Path, splits: dict[str, dict[str, Any]], geometry: dict[str, list[str]]
) -> None:
    models = read_objects(work / OBJECTS_FILE)
    tested = Split(
        "test", splits["test"]["rows"], [work / shard["file"] for shard in splits["test"]["shards"]]
    )
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "versions": plan.versions,
        "dataset_id": plan.dataset_id,
        "test_id": id_of_test(tested, models),
        "config": plan.stated,
        "source_fingerprint": plan.fingerprint,
        "notes": {name: frames.notes for name, frames in plan.real.items() if frames.notes},
        "symmetries": {
            info.name: symmetry_report(model.symmetries, plan.source.mesh(info), model.diameter_m)
            for info in plan.objects
            if len((model := models[info.object_id]).symmetries) > 1
        },
        "geometry": geometry,
        "points": {model.name: report for model in models.values() if (report := points_report(model))},
        "splits": splits,
        "files": {name: file_digest(work / name) for name in (OBJECTS_FILE, BACKGROUNDS_FILE)},
    }
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    with whole_file(work / MANIFEST) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def _split_entry(split: str, shards: Sequence[Shard], entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    own = [entry for shard, entry in zip(shards, entries, strict=True) if shard.split == split]
    return {"rows": sum(entry["rows"] for entry in own), "shards": own}


def _tracked(bar: Progress, name: str, results: Iterable[Item], steps: Sequence[int]) -> Iterator[Item]:
    """The results, each so many steps of a progress bar; into a file, of many a line for each tenth."""
    task, total, done = bar.add_task(name, total=sum(steps)), sum(steps), 0
    lines = total >= MANY and not bar.disable and not bar.console.is_terminal
    for result, step in zip(results, steps, strict=True):
        yield result
        bar.advance(task, step)
        tenths, done = TENTHS * done // total, done + step
        if lines and TENTHS * done // total > tenths:
            bar.console.print(f"{name}: {done} of {total}", highlight=False)


def _write_backgrounds(plan: Plan, file: Path, bar: Progress) -> None:
    """Takes the pictures from their sets, which are made first where they are not there."""
    count, seed = plan.config.background_count, plan.config.seed
    sets = {plan.background_set: plan.photographs}
    if any(counts["validation"] or counts["test"] for counts in plan.rendered.values()):
        sets[plan.test_background_set] = None
    for place, photographs in sets.items():
        if not _holds(place, count):
            place.parent.mkdir(exist_ok=True)
            pictures = (
                procedural_backgrounds(count, seed)
                if photographs is None
                else photograph_backgrounds(photographs, seed)
            )
            with whole_file(place) as unfinished:
                write_backgrounds(unfinished, _tracked(bar, "backgrounds", pictures, [1] * count))
    if not _holds(file, count):
        share_file(plan.background_set, file)


def _holds(file: Path, count: int) -> bool:
    try:
        return file.is_file() and len(Backgrounds(file)) == count
    except UserError:
        return False
