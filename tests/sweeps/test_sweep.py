"""A sweep as a function, on real Ray with a real database: what ends it, and how it goes on."""

import csv
import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from rich.console import Console

from epropnp.training.recipes import Recipe
from epropnp.training.trainer import Trainer
from sweeps.folder import open_sweep
from sweeps.results.report import show
from sweeps.search.search import Planned
from sweeps.space import Axis
from sweeps.sweep import Outcome, run
from sweeps.tracking.tracker import EXPERIMENT
from sweeps.trial import Trial, read
from tests.sweeps.cells import cells_of
from tests.sweeps.driver import four

ROOT = Path(__file__).parents[2]
FILES = {"result.json", "predictions.parquet", "predictions.png", "calibration.png"}

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]


def planned(folder: Path, dataset: Path, epochs: int) -> list[Planned]:
    from epropnp.data.reader import ArrowDataset

    return open_sweep(folder).planned(four(epochs), ArrowDataset(dataset).dataset_id)


def runs(folder: Path) -> dict[str, Run]:
    """MLflow's, by name."""
    client = MlflowClient(f"sqlite:///{folder.parent / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    assert len({r.info.run_name for r in found}) == len(found)
    return {r.info.run_name: r for r in found}


def files(folder: Path, run: Run) -> set[str]:
    client = MlflowClient(f"sqlite:///{folder.parent / 'mlflow.db'}")
    return {file.path for file in client.list_artifacts(run.info.run_id)}


def table(folder: Path, *without: str) -> list[dict[str, str]]:
    rows = csv.DictReader((folder / "table.csv").open())
    return [{key: value for key, value in row.items() if key not in without} for row in rows]


def wait_until(what: Callable[[], bool], seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


@contextmanager
def driver(dataset: Path, folder: Path, epochs: int, at_once: int = 1) -> Iterator[subprocess.Popen[str]]:
    words = (str(dataset), str(folder), str(epochs), str(at_once))
    command = [sys.executable, "-m", "tests.sweeps.driver", *words]
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def database(uri: str) -> Callable[[Path], Path]:
    """Put an MLflow database into a new folder: to make one takes seconds."""
    MlflowClient(uri).search_experiments()
    file = Path(uri.removeprefix("sqlite:///"))

    def put(folder: Path) -> Path:
        folder.mkdir()
        shutil.copy(file, folder / "mlflow.db")
        return folder

    return put


def test_a_killed_driver_has_told_of_what_ended_and_goes_on_to_the_undisturbed_table(
    database: Callable[[Path], Path], tiny_dataset: Path, tmp_path: Path
) -> None:
    whole, killed = database(tmp_path / "a") / "sweep", database(tmp_path / "b") / "sweep"
    names = [trial.name for trial in planned(killed, tiny_dataset, 1)]
    with driver(tiny_dataset, killed, 1) as process:
        third = killed / "trials" / names[2]
        wait_until(lambda: third.is_dir())  # asked for when the second had ended
        wait_until(lambda: len(runs(killed)) == 4)
        process.send_signal(signal.SIGKILL)
        process.wait()
    found = runs(killed)
    assert set(found) == {"sweep", *names[:3]}
    for name in names[:2]:
        folder = killed / "trials" / name
        result = read(folder).result
        assert result is not None
        assert found[name].info.status == "FINISHED"
        scores = {key: value for key, value in found[name].data.metrics.items() if key.startswith("test/")}
        assert scores == {f"test/{key}": value for key, value in result.test.items()}
        assert files(killed, found[name]) == FILES

    wait_until(lambda: read(third).status != "running")  # its process ends with the driver
    with driver(tiny_dataset, killed, 1) as process:
        out, _ = process.communicate(timeout=300)
        assert process.returncode == 0, out
    assert "2 trials are finished already; kept" in out
    with driver(tiny_dataset, whole, 1, at_once=2) as process:
        assert process.wait() == 0
    assert table(killed, "seconds") == table(whole, "seconds")
    assert [row["trial"] for row in table(whole)] == names
    found = runs(killed)
    assert set(found) == {"sweep", *names}
    assert {each.info.status for each in found.values()} == {"FINISHED"}
    assert all(files(killed, found[name]) == FILES for name in names)


def test_a_stopped_trial_says_so_everywhere_until_it_may_go_on(
    database: Callable[[Path], Path],
    tiny: Recipe,
    tiny_dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = database(tmp_path / "a") / "sweep"
    cells = cells_of(tiny, Axis.of("optim.epochs", [1, 60]), backbones=["test_resnet"])
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

    again, said = _run(cells, tiny_dataset, folder)  # nothing is trained
    assert again.code == 0
    assert "2 trials are finished already; kept" in said
    assert len(read(own).history) == len(stopped.history)
    assert (runs(folder)[long].info.status, table(folder)) == ("KILLED", [finished, last])

    (own / "stop").unlink()
    assert read(own).status == "waiting"
    (folder / "stop").write_text("the night is over")  # of an earlier call: it does not end this one

    def interrupt() -> None:
        wait_until(lambda: len(read(own).history) > len(stopped.history) + 1)
        (folder / "stop").write_text("the day is over")

    thread = threading.Thread(target=interrupt)
    thread.start()
    outcome, said = _run(cells, tiny_dataset, folder)
    thread.join()
    assert (outcome.code, outcome.interrupted) == (75, "the day is over")
    waiting = read(own)
    assert waiting.status == "waiting"
    assert waiting.reason == f"interrupted after epoch {len(waiting.history) - 1}: the sweep was"
    assert "optim.epochs 60  waiting: interrupted after epoch" in said
    assert (runs(folder)[long].info.status, runs(folder)["sweep"].info.status) == ("KILLED", "KILLED")
    assert not (folder / "stop").exists()


def test_sigterm_lets_trials_write_a_checkpoint_and_ends_with_75(
    database: Callable[[Path], Path], tiny_dataset: Path, tmp_path: Path
) -> None:
    folder = database(tmp_path / "a") / "sweep"
    first = folder / "trials" / planned(folder, tiny_dataset, 60)[0].name
    with driver(tiny_dataset, folder, 60) as process:
        wait_until(lambda: (first / "status.json").is_file() and len(read(first).history) > 1)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 75, out
    trial = read(first)
    assert trial.status == "waiting"
    assert trial.reason == f"interrupted after epoch {len(trial.history) - 1}: the sweep was"
    found = runs(folder)
    assert {each.info.status for each in found.values()} == {"KILLED"}
    assert found["sweep"].data.tags["epropnp.reason"] == "SIGTERM"
    assert len(found) == 2


def test_settings_that_fail_are_found_before_anything_long_is_trained(
    database: Callable[[Path], Path],
    tiny: Recipe,
    tiny_dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = database(tmp_path / "a") / "sweep"
    # Far too high a rate: the first update leaves weights that are not finite.
    cells = cells_of(tiny, Axis.of("optim.lr", [1e-3, 1e30]), backbones=["test_resnet"], seeds=[0, 1])
    outcome, said = _run(cells, tiny_dataset, folder, check=True)
    assert "check: 2 updates of each of 2 settings" in said
    assert "check: 1 of 2 settings failed, and nothing long was started" in said
    assert outcome.code == 1
    good, bad = (folder / "trials" / name for name in _names(folder, cells, tiny_dataset)[::2])
    assert read(bad).status == "failed"
    assert "not finite" in str(read(bad).reason)
    checked: Trial = read(good)
    assert (checked.status, len(checked.history)) == ("waiting", 1)
    assert (good / "checkpoint.pt").is_file()
    assert runs(folder)[good.name].data.metrics["epoch"] == 0
    assert [row["status"].partition(":")[0] for row in table(folder)].count("waiting") == 3

    plain = Trainer(cells[0].config, tiny_dataset, tmp_path / "plain", "cpu").fit()
    gone_on, said = _run(cells[:1], tiny_dataset, folder)
    result = gone_on.report.rows[0].result
    assert result is not None
    assert (result.train_loss, result.test) == (plain.train_loss, plain.test)
    assert gone_on.code == 1  # the others are a part of the sweep still


def _id(dataset: Path) -> str:
    from epropnp.data.reader import ArrowDataset

    return ArrowDataset(dataset).dataset_id


def _names(folder: Path, cells: Any, dataset: Path) -> list[str]:
    return [trial.name for trial in open_sweep(folder).planned(cells, _id(dataset))]


def _run(cells: Any, dataset: Path, folder: Path, check: bool | None = None) -> tuple[Outcome, str]:
    said = io.StringIO()
    console = Console(file=said, width=250)
    outcome = run(cells, dataset, folder, check=check, console=console)
    show(outcome.report, console)
    return outcome, said.getvalue()
