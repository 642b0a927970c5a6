"""A sweep as a function, on real Ray with a real database: what ends it, and how it goes on."""

import csv
import io
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from rich.console import Console

from epropnp.data.reader import ArrowDataset
from epropnp.inference.latency import LATENCY_FILE
from epropnp.training.recipes import Recipe, quick
from epropnp.training.trainer import Trainer
from sweeps.folder import open_sweep
from sweeps.results.report import Reporter, show
from sweeps.results.tables import LATENCIES
from sweeps.running.options import Options
from sweeps.space import Axis, Cell
from sweeps.sweep import Outcome, _warnings, run
from sweeps.tracking.experiment import EXPERIMENT
from sweeps.trial import Trial, read
from tests.forked import Forked, Origin
from tests.sweeps.cells import cells_of
from tests.sweeps.driver import three

FILES = {
    *("result.json", "predictions.parquet", "validation.parquet", "predictions.png", "calibration.png"),
    *("trial.json", "status.json", "trial.log", "objects.json", "images.json", "epochs.png", "images"),
    "predictions.errors.parquet",
}
QUICK = ["optim.batch_size=16"]  # four updates an epoch
MEASURED = "latency: networks are measured, each alone: 1"

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(1200)]


def undisturbed(folder: Path, dataset: Path, cells: Sequence[Cell]) -> None:
    """The tables of a sweep whose trials were trained one after the other, without Ray."""
    sweep, data = open_sweep(folder), ArrowDataset(dataset)
    planned = sweep.planned(cells, data.dataset_id)
    for trial in planned:
        Trainer(trial.config, dataset, sweep.prepare(trial), "cpu").fit()
    Reporter(sweep, planned, {data.dataset_id: data}).report(draw=False)


def runs(folder: Path) -> dict[str, Run]:
    """MLflow's, by name."""
    client = MlflowClient(f"sqlite:///{folder.parent / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    found = client.search_runs([experiment.experiment_id]) if experiment else []
    assert len({r.info.run_name for r in found}) == len(found)
    return {r.info.run_name: r for r in found}


def files(folder: Path, run: Run) -> set[str]:
    client = MlflowClient(f"sqlite:///{folder.parent / 'mlflow.db'}")
    return {file.path for file in client.list_artifacts(run.info.run_id)}


def table(folder: Path, *without: str) -> list[dict[str, str]]:
    rows = csv.DictReader((folder / "table.csv").open())
    return [{key: value for key, value in row.items() if key not in without} for row in rows]


def wait_until(what: Callable[[], bool], seconds: float = 400) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


@contextmanager
def driver(origin: Origin, dataset: Path, folder: Path) -> Iterator[Forked]:
    process = origin.start(["-m", "tests.sweeps.driver", str(dataset), str(folder)])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_killed_driver_has_told_of_what_ended_and_goes_on_to_the_undisturbed_table(
    empty_database: Callable[[Path], Path], origin: Origin, tiny_dataset: Path, tmp_path: Path
) -> None:
    killed = empty_database(tmp_path / "a") / "sweep"
    names = _names(killed, three(), tiny_dataset)
    with driver(origin, tiny_dataset, killed) as process:
        second = killed / "trials" / names[1]
        wait_until(lambda: second.is_dir())  # asked for when the first had ended
        wait_until(lambda: len(runs(killed)) == 3)
        process.kill()
        process.wait()
    found = runs(killed)
    assert set(found) == {"sweep", *names[:2]}
    for name in names[:1]:
        folder = killed / "trials" / name
        result = read(folder).result
        assert result is not None
        assert found[name].info.status == "FINISHED"
        scores = {key: value for key, value in found[name].data.metrics.items() if key.startswith("test/")}
        assert scores == {f"test/{key}": value for key, value in result.test.items()}
        assert files(killed, found[name]) == FILES

    wait_until(lambda: read(second).status != "running")  # its process ends with the driver
    # A quick machine finishes both before the kill.
    ended = sum(read(killed / "trials" / name).result is not None for name in names[:2])
    with driver(origin, tiny_dataset, killed) as process:
        out, errors = process.communicate(timeout=600)
        assert process.returncode == 0, out + errors
    assert f"{ended} trials are finished already; kept" in out
    undisturbed(tmp_path / "whole", tiny_dataset, three())
    own = ("seconds", *LATENCIES)
    assert table(killed, *own) == table(tmp_path / "whole", *own)
    assert all(row["ms network"] for row in table(killed))
    assert [row["trial"] for row in table(killed)] == names
    found = runs(killed)
    assert set(found) == {"sweep", *names}
    assert {each.info.status for each in found.values()} == {"FINISHED"}
    assert all(files(killed, found[name]) == FILES | {LATENCY_FILE} for name in names)


@pytest.mark.parametrize(("has", "precision", "told"), [(0, "bf16", 1), (0, "float32", 0), (1, "bf16", 0)])
def test_a_machine_that_computes_in_another_precision_says_so(
    has: bool, precision: str, told: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sweeps.sweep.cpu_has_bf16", lambda: bool(has))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    cells = cells_of(quick(), settings=[f"optim.precision={precision}"])
    for address, expected in [(None, told), ("auto", 0)]:  # the CPUs of a cluster are others
        warnings = " ".join(_warnings(open_sweep(tmp_path / "mine"), "http://localhost:1", address, cells))
        assert warnings.count("no instructions for bf16") == expected


def test_a_stopped_trial_says_so_everywhere_until_it_may_go_on(
    empty_database: Callable[[Path], Path],
    tiny: Recipe,
    tiny_dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = empty_database(tmp_path / "a") / "sweep"
    cells = cells_of(tiny, Axis.of("optim.epochs", [1, 60]), settings=QUICK, backbones=["test_resnet"])
    long = open_sweep(folder).planned(cells, _id(tiny_dataset))[1].name
    own = folder / "trials" / long

    def stop() -> None:
        wait_until(lambda: (own / "status.json").is_file() and len(read(own).history) > 2)
        (own / "stop").write_text("hopeless\n")

    thread = threading.Thread(target=stop)
    thread.start()
    first, said = _run(cells, tiny_dataset, folder)
    thread.join()
    assert "optim.epochs 60  stopped: hopeless" in said
    assert first.code == 0
    stopped = read(own)
    assert (stopped.status, stopped.reason) == ("stopped", "hopeless")
    assert 2 < len(stopped.history) < 60
    assert (runs(folder)[long].info.status, runs(folder)[long].data.tags["epropnp.reason"]) == (
        "KILLED",
        "hopeless",
    )
    assert runs(folder)["sweep"].info.status == "FINISHED"
    finished, last = table(folder)
    assert (finished["status"], last["status"], last["trial"]) == ("finished", "stopped: hopeless", long)
    assert float(last["val 0.10d before"]) == stopped.history[0]["val/add_0.10d"]
    assert float(last["val 0.10d after"]) == max(past["val/add_0.10d"] for past in stopped.history)
    assert last["ADD(-S) 0.10d"] == ""
    assert f"STOPPED: {long}: hopeless" in (folder / "table.md").read_text()
    assert MEASURED in said
    measured = (folder / "trials" / finished["trial"] / "latency.json").read_bytes()
    alone = json.loads(measured)["batches"]["1"]
    for title, field in (("ms network", "network_ms"), ("ms poses", "layer_ms")):
        assert (float(finished[title]), last[title]) == (alone[field], "")
        assert runs(folder)[finished["trial"]].data.metrics[f"time/{field}_1"] == alone[field]
    assert not any("latency" in name for name in runs(folder)[long].data.metrics)

    again, said = _run(cells, tiny_dataset, folder, margin=3)  # nothing is trained
    assert again.code == 0
    assert MEASURED not in said
    assert (folder / "trials" / finished["trial"] / "latency.json").read_bytes() == measured
    assert [_margins(outcome) for outcome in (first, again)] == [{5}, {3}]
    assert "2 trials are finished already; kept" in said
    assert len(read(own).history) == len(stopped.history)
    assert (runs(folder)[long].info.status, table(folder)) == ("KILLED", [finished, last])

    (own / "stop").unlink()
    assert read(own).status == "waiting"
    (folder / "stop").write_text("the night is over")  # of an earlier call: it does not end this one

    def interrupt() -> None:
        wait_until(lambda: len(read(own).history) > len(stopped.history) + 1)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=interrupt)
    thread.start()
    outcome, said = _run(cells, tiny_dataset, folder)
    thread.join()
    assert (outcome.code, outcome.interrupted) == (75, "SIGTERM")
    waiting = read(own)
    assert waiting.status == "waiting"
    assert waiting.reason == f"interrupted after epoch {len(waiting.history) - 1}, with its sweep"
    assert "optim.epochs 60  waiting: interrupted after epoch" in said
    found = runs(folder)
    assert (found[long].info.status, found["sweep"].info.status) == ("KILLED", "KILLED")
    assert found[long].data.tags["epropnp.reason"] == waiting.reason
    assert found["sweep"].data.tags["epropnp.reason"] == "SIGTERM"
    assert not (folder / "stop").exists()


def test_settings_that_fail_are_found_before_anything_long_is_trained(
    empty_database: Callable[[Path], Path],
    tiny: Recipe,
    tiny_dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = empty_database(tmp_path / "a") / "sweep"
    # Far too high a rate: the first update leaves weights that are not finite.
    rates = Axis.of("optim.lr", [1e-3, 1e30])
    cells = cells_of(tiny, rates, settings=QUICK, backbones=["test_resnet"], seeds=[0, 1])
    outcome, said = _run(cells, tiny_dataset, folder, check=True)
    order = ("datasets: checking", "Ray: starting", " on this machine", "check: ", "trials: loading")
    places = [said.index(f"{line}") for line in order]
    assert places == sorted(places)
    assert "check: 2 updates of each of 2 settings" in said
    assert "check: 1 of 2 settings failed, and nothing long was started" in said
    assert "train the others all the same: check=False" in said
    assert outcome.code == 1
    good, bad = (folder / "trials" / name for name in _names(folder, cells, tiny_dataset)[::2])
    assert read(bad).status == "failed"
    assert "not finite" in str(read(bad).reason)
    checked: Trial = read(good)
    assert (checked.status, len(checked.history)) == ("waiting", 1)
    assert (good / "checkpoint.pt").is_file()
    assert runs(folder)[good.name].data.metrics["time/epoch"] == 0
    assert [row.status for row in outcome.report.rows].count("waiting") == 3
    assert [row["status"].partition(":")[0] for row in table(folder)] == ["waiting", "failed"]

    plain = Trainer(cells[0].config, tiny_dataset, tmp_path / "plain", "cpu").fit()
    gone_on = Trainer(cells[0].config, tiny_dataset, good, "cpu").fit()
    assert (gone_on.train_loss, gone_on.test) == (plain.train_loss, plain.test)


def _id(dataset: Path) -> str:
    return ArrowDataset(dataset).dataset_id


def _margins(outcome: Outcome) -> set[float]:
    """Of the rankings of a sweep of which a trial finished."""
    assert outcome.report.summary is not None
    return {found.margin for found in outcome.report.summary.ranked.values()}


def _names(folder: Path, cells: Any, dataset: Path) -> list[str]:
    return [trial.name for trial in open_sweep(folder).planned(cells, _id(dataset))]


def _run(
    cells: Any, dataset: Path, folder: Path, check: bool | None = None, margin: float | None = None
) -> tuple[Outcome, str]:
    said = io.StringIO()
    console = Console(file=said, width=250)
    # A second process would import all that trains, too.
    options = Options(at_once=1, check=check, figures=False)
    outcome = run(cells, dataset, folder, margin=margin, options=options, console=console)
    show(outcome.report, console)
    return outcome, said.getvalue()
