"""What has to be right: of a sweep that was ended at once, and of one that was gone on with to its end."""

import logging
import signal
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mlflow import MlflowClient

from pipelines.building.private_ray import PREFIX
from sweeps.tracking.experiment import EXPERIMENT
from tests.drills.sweep.ground import EPOCHS, table_of
from tests.drills.sweep.world import END_S, Driver, World, expect

PREDICTED = {"predictions.errors.parquet", "predictions.parquet", "validation.parquet"}
PICTURES = {"predictions.png", "calibration.png", "epochs.png", "images"}
COSTS = {"latency.json"}  # of a machine that is not too busy
TOLD = {"trial.json", "status.json", "result.json", "trial.log", "objects.json", "images.json"}
FILES = TOLD | PREDICTED | PICTURES
ONCE = ("test/", "validation/")  # scores, at step 0
TABLES = {"table.md", "table.csv", "summary.md", "summary.csv"}
DRAWN = {"summary.png", "report.html"}


def runs(world: World) -> list[Any]:
    """All of MLflow's."""
    logging.getLogger("mlflow").setLevel(logging.CRITICAL)
    client = MlflowClient(world.tracking)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    return [] if experiment is None else list(client.search_runs([experiment.experiment_id]))


def ended(world: World, driver: Driver, *codes: int, told: bool = True, closed: bool = True) -> None:
    """The driver ended as it has to.

    Args:
        world: of the drill.
        driver: that was told to end, or whose Ray was killed.
        codes: of which one is its exit code.
        told: whether it says how to go on.
        closed: whether MLflow has heard of the end.
    """
    code = driver.wait(END_S)
    expect(code in codes, f"exit code {code}")
    if closed:
        running = [run.info.run_name for run in runs(world) if run.info.status == "RUNNING"]
        expect(not running, f"runs are RUNNING: {', '.join(running)}")
    expect("Traceback" not in driver.said, "the driver printed a traceback")
    if told:
        expect(driver.told_to_go_on is not None, "the driver did not say how to go on")
    world.expect_nobody()


def interrupted(world: World, trials: int = 1) -> list[Path]:
    """Trials that were in an epoch when their sweep was told to end, and ended as it has to."""
    driver = world.start()
    found = world.in_an_epoch(trials=trials)[:trials]
    driver.signal(signal.SIGTERM)
    ended(world, driver, 75)
    return found


def refused(world: World, driver: Driver, holder: Driver) -> None:
    """A second driver was sent away, in one line that names the first."""
    code = driver.wait(END_S)
    expect(code == 2, f"the second driver ended with {code}")
    lines = [line for line in driver.said.splitlines() if line.startswith("error:")]
    expect(len(lines) == 1, f"the second driver said {driver.said[-300:]!r}")
    expect(f"process {holder.process.pid} " in lines[0], f"the first is not named: {lines[0]}")


def whole(world: World, name: str | None = None) -> list[str]:
    """What differs from an undisturbed sweep, where a sweep has come to its end."""
    folder = world.out / (name or world.name)
    return [*_table(world, folder), *_records(world, folder), *_leftovers(world, folder)]


def _table(world: World, folder: Path) -> list[str]:
    try:
        found = table_of(folder)
    except OSError as error:
        return [f"there is no table ({error.strerror})"]
    rows = {row["trial"]: row for row in found}
    if sorted(rows) != sorted(row["trial"] for row in world.ground.table) or len(found) != len(rows):
        return [f"the table has {len(found)} rows"]
    return [
        f"{wanted['trial']}: {key} is {rows[wanted['trial']][key]}, not {value}"
        for wanted in world.ground.table
        for key, value in wanted.items()
        if rows[wanted["trial"]].get(key) != value
    ]


def _records(world: World, folder: Path) -> list[str]:
    client = MlflowClient(world.tracking)
    found = runs(world)
    parents = [run for run in found if run.info.run_name == folder.name]
    if len(parents) != 1:
        return [f"{len(parents)} parent runs"]
    parent = parents[0].info.run_id
    children = [run for run in found if run.data.tags.get("mlflow.parentRunId") == parent]
    names = Counter(run.info.run_name for run in children)
    said = [] if names == Counter(world.ground.names) else [f"runs of trials: {dict(names)}"]
    tables = TABLES | DRAWN if world.full else TABLES
    for run in (parents[0], *children):
        name = run.info.run_name
        if run.info.status != "FINISHED":
            said.append(f"run {name} is {run.info.status}")
        if run.info.end_time is None or run.info.end_time < run.info.start_time:
            said.append(f"run {name} ended at {run.info.end_time}")
        if run.data.tags.get("epropnp.reason"):
            said.append(f"run {name} still has a reason: {run.data.tags['epropnp.reason']}")
        files = {file.name for file in _stored(world, run).glob("*")}
        if not (files >= tables if run is parents[0] else files - COSTS == FILES):
            said.append(f"run {name} has {', '.join(sorted(files)) or 'no files'}")
    for run in children:
        said += _history(client, run)
    return said


def _history(client: MlflowClient, run: Any) -> list[str]:
    """Each epoch's metrics once, test scores once."""
    said, tested = [], 0
    for key in (key for key in run.data.metrics if "_ms_" not in key):
        steps = [metric.step for metric in client.get_metric_history(run.info.run_id, key)]
        tested += key.startswith("test/")
        wanted: list[int] = [0] if key.startswith(ONCE) else list(range(steps[0], EPOCHS + 1))
        if sorted(steps) != wanted or steps[0] > 1:
            said.append(f"run {run.info.run_name}: {key} at steps {steps}")
    return said if tested else [*said, f"run {run.info.run_name} has no test scores"]


def _stored(world: World, run: Any) -> Path:
    """Where the files of a run are."""
    place = urlsplit(run.info.artifact_uri)
    if world.stored is not None and place.scheme == "mlflow-artifacts":
        return world.stored / unquote(place.path).lstrip("/")
    return Path(unquote(place.path))


def _leftovers(world: World, folder: Path) -> list[str]:
    left = [file for pattern in ("**/*.tmp", "**/.claim*", "ray") for file in folder.glob(pattern)]
    left += [ray for ray in world.rays if ray.exists()] + list(world.temporary.glob(f"{PREFIX}*"))
    spool = folder / "mlflow-spool.jsonl"
    left += [spool] if spool.exists() else []
    return [f"left: {file}" for file in dict.fromkeys(left)]
