"""Real trainings in a worker that a sweep's file `stop`, a trial's own or a number of updates interrupts."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from epropnp.inference.model import load_checkpoint
from epropnp.training import trainer as trainer_module
from epropnp.training.callbacks import Callback
from epropnp.training.record import config_note, write_config
from epropnp.training.result import StepReport
from epropnp.training.trainer import Trainer
from sweeps.running import worker as module
from sweeps.running.trials import trial_spec
from sweeps.running.worker import run_trial
from sweeps.trial import Trial, read
from tests.training.tiny import reproducible, with_optim

CONFIG = with_optim(epochs=2)
STEPS = 4  # updates of an epoch
FILES = {
    "best.pt",
    "calibration.png",
    "checkpoint.pt",
    "epochs",
    "epochs-last.png",
    "epochs.png",
    "predictions.errors.parquet",
    "predictions.parquet",
    "predictions.png",
    "result.json",
    "validation.errors.parquet",
    "validation.parquet",
}


class Worker:
    """Runs one trial again and again, and keeps what it reports."""

    def __init__(self, dataset: Path, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.dataset, self.folder, self.patch = dataset, folder / "trial", patch
        self.stop_file = folder / "stop"
        self.told: list[dict[str, Any]] = []
        self.steps: list[dict[str, Any]] = []
        write_config(self.folder, config_note(CONFIG, dataset.name))
        patch.setattr(module.tune, "report", lambda report: self._tell(report["told"]))

    def _tell(self, told: dict[str, Any]) -> None:
        (self.steps if {"step", "memory"} & set(told) else self.told).append(told)

    def run(self, updates: int | None = None) -> Trial:
        self.told.clear()
        spec = trial_spec("trial", CONFIG, self.dataset, self.folder, self.stop_file, updates)
        run_trial({"trial": spec})
        assert not [report for report in self.told if "failed" in report]
        return read(self.folder)

    def at(self, epoch: int, step: int, action: Callable[[], Any]) -> None:
        """What shall happen after an update, before callbacks of the worker hear of it."""

        class At(Callback):
            def on_step(self, report: StepReport) -> None:
                if (report.epoch, report.step) == (epoch, step):
                    action()

        class Watched(Trainer):
            def fit(self, callbacks: Any = ()) -> Any:
                return super().fit([At(), *callbacks])

        self.patch.setattr(module, "Trainer", Watched)

    def in_evaluation(self, number: int, action: Callable[[], Any]) -> None:
        """What shall happen after the batch of the first, second ... evaluation."""
        seen: list[Any] = []

        def predict(inference: Any, data: Any, temperatures: Any, after_batch: Callable[[], None]) -> Any:
            seen.append(data)

            def after() -> None:
                if len(seen) == number:
                    action()
                after_batch()

            return plain(inference, data, temperatures, after)

        plain = trainer_module.predict
        self.patch.setattr(trainer_module, "predict", predict)

    @property
    def progress(self) -> tuple[int, int]:
        """Epoch and step of the last checkpoint."""
        state = load_checkpoint(self.folder / "checkpoint.pt")["state"]
        return state["epoch"], state["step"]

    @property
    def files(self) -> set[str]:
        return {file.name for file in self.folder.iterdir()} - {
            ".lock",
            "trial.json",
            "status.json",
            "trial.log",
            "stop",
        }


@pytest.fixture
def worker(tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Worker:
    return Worker(tiny_dataset, tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def undisturbed(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Worker:
    """One that has trained to the end."""
    with pytest.MonkeyPatch.context() as patch:
        found = Worker(tiny_dataset, tmp_path_factory.mktemp("undisturbed"), patch)
        assert found.run().status == "finished"
    return found


def assert_alike(worker: Worker, undisturbed: Worker) -> None:
    """Whatever interrupted a trial, it came to the same end."""
    mine, other = (read(each.folder) for each in (worker, undisturbed))
    assert mine.result is not None
    assert other.result is not None
    assert dataclasses.replace(mine.result, seconds=0) == dataclasses.replace(other.result, seconds=0)
    weights, others = (
        load_checkpoint(each.folder / "checkpoint.pt")["net"] for each in (worker, undisturbed)
    )
    assert all(torch.equal(value, others[name]) for name, value in weights.items())
    assert worker.files == undisturbed.files == FILES


def without_time(report: dict[str, Any]) -> dict[str, Any]:
    earlier = [reproducible(past) for past in report["earlier"]]
    return report | {"metrics": reproducible(report["metrics"]), "earlier": earlier}


@pytest.mark.slow
def test_the_sweeps_file_stop_interrupts_a_trial_after_the_running_update(
    worker: Worker, undisturbed: Worker
) -> None:
    metrics: list[Any] = []
    for place, saved, epoch, told in (
        ((1, 2), (0, 2), 0, [0]),
        ((1, STEPS), (0, STEPS), 0, []),
        ((2, 1), (1, 1), 1, [1]),
    ):
        worker.at(*place, lambda: worker.stop_file.write_text("SIGTERM"))
        trial = worker.run()
        assert worker.progress == saved
        assert (trial.status, trial.reason) == ("waiting", f"interrupted after epoch {epoch}, with its sweep")
        assert len(trial.history) == epoch + 1
        assert worker.files == {"best.pt", "checkpoint.pt", "epochs"}
        assert_told(worker, told, metrics)
        worker.stop_file.unlink()
    assert worker.run().status == "finished"
    assert_told(worker, [2], metrics)
    assert_alike(worker, undisturbed)


def assert_told(worker: Worker, epochs: list[int], metrics: list[Any]) -> None:
    """A run reports its own epochs, the first time beside those of earlier runs, which `metrics` collects."""
    reports = [without_time(report) for report in worker.told]
    assert [report["epoch"] for report in reports] == epochs
    if reports:
        assert reports[0]["earlier"] == metrics
    metrics += [report["metrics"] for report in reports]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("updates", "saved", "epoch"), [(2, (0, 2), 0), (STEPS, (0, STEPS), 0), (STEPS + 1, (1, 1), 1)]
)
def test_a_trial_of_which_some_updates_are_wanted_goes_on_from_them_later(
    worker: Worker, undisturbed: Worker, updates: int, saved: tuple[int, int], epoch: int
) -> None:
    """By then it has been evaluated once, and has written a checkpoint."""
    trial = worker.run(updates)
    assert worker.progress == saved
    reason = f"interrupted after epoch {epoch}, when its first updates were checked"
    assert (trial.status, trial.reason) == ("waiting", reason)
    assert [report["epoch"] for report in worker.told] == list(range(epoch + 1))
    assert worker.run().status == "finished"
    assert_alike(worker, undisturbed)


def test_a_sweep_that_is_to_end_before_a_trial_trains_interrupts_it_in_its_first_evaluation(
    worker: Worker,
) -> None:
    worker.stop_file.touch()
    trial = worker.run()
    assert (trial.status, trial.reason) == (
        "waiting",
        "interrupted before its first evaluation, with its sweep",
    )
    assert (worker.told, worker.files) == ([], set())
    # One that has been begun in the middle of an epoch has nothing to report.
    worker.stop_file.unlink()
    worker.run(updates=1)
    worker.stop_file.touch()
    trial = worker.run()
    assert worker.progress == (0, 2)
    assert (trial.status, worker.told) == ("waiting", [])


@pytest.mark.slow
def test_an_evaluation_is_interrupted_after_a_batch_and_no_update_is_lost(
    worker: Worker, undisturbed: Worker
) -> None:
    """Of validation it is the rest of the epoch, where the trial goes on; the last is the test's."""
    for saved, epochs in (((0, STEPS), 0), ((1, STEPS), 1), ((2, 0), 2)):
        worker.in_evaluation(2, lambda: worker.stop_file.write_text("SIGTERM"))
        trial = worker.run()
        assert worker.progress == saved
        assert (trial.status, trial.reason) == (
            "waiting",
            f"interrupted after epoch {epochs}, with its sweep",
        )
        assert "result.json" not in worker.files
        worker.stop_file.unlink()
    assert worker.run().status == "finished"
    assert_alike(worker, undisturbed)


def test_a_trials_own_file_stop_stops_it_and_is_no_failure(worker: Worker) -> None:
    worker.at(1, 3, lambda: (worker.folder / "stop").write_text("too slow\n"))
    trial = worker.run()
    assert worker.progress == (0, 3)
    assert (trial.status, trial.reason) == ("stopped", "too slow")
    assert worker.files == {"best.pt", "checkpoint.pt", "epochs"}
    trial = worker.run()
    assert worker.progress == (0, 3)
    assert (trial.status, trial.reason, worker.told) == ("stopped", "too slow", [])


@pytest.mark.slow
def test_a_trial_tells_what_it_does_between_its_epochs_and_is_the_same(
    worker: Worker, undisturbed: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeps.running.steps.EVERY_S", 0.0)
    assert worker.run().status == "finished"
    told = [(each["doing"], each["epoch"], each["step"], each["steps"]) for each in worker.steps]
    seen = list(dict.fromkeys(told))  # an evaluation may have several batches
    assert seen == [
        ("validating", 0, 0, STEPS),
        *(("running", 0, step, STEPS) for step in range(1, STEPS + 1)),
        ("validating", 0, STEPS, STEPS),
        *(("running", 1, step, STEPS) for step in range(1, STEPS + 1)),
        ("validating", 1, STEPS, STEPS),
        ("testing", 2, 0, STEPS),
    ]
    updates = [each for each in worker.steps if each["doing"] == "running"]
    assert all(each["images_per_s"] > 0 and each["loss"] == each["loss"] for each in updates)
    assert_alike(worker, undisturbed)
