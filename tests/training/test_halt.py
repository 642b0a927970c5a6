"""Trainings that end before their end, by a file `stop` or a callback, and go on as if they had not."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from epropnp.errors import UserError
from epropnp.inference.model import load_checkpoint
from epropnp.training.callbacks import Callback, Training
from epropnp.training.halt import BY_HAND, HaltError, InterruptionError, StopError, heed_stop, stop_reason
from epropnp.training.record import Record
from epropnp.training.result import EpochReport, StepReport, TrialResult
from epropnp.training.trainer import Trainer
from tests.training.tiny import reproducible, with_optim

STEPS = 4  # updates of an epoch
CONFIG = with_optim(epochs=2, ema=0.9)


def train(dataset: Path, folder: Path, *callbacks: Callback) -> TrialResult:
    return Trainer(CONFIG, dataset, folder, "cpu").fit(callbacks)


class Ear(Callback):
    """Hears where a training is, and does something there: (epoch, update), or (epoch, None) at its end."""

    def __init__(self, place: tuple[int, int | None], action: Callable[[], object]) -> None:
        self.place, self.action = place, action
        self.heard: list[tuple[int, int | None]] = []

    def on_step(self, report: StepReport) -> None:
        self._hear((report.epoch, report.step))

    def on_epoch(self, report: EpochReport) -> None:
        self._hear((report.epoch, None))

    def _hear(self, place: tuple[int, int | None]) -> None:
        self.heard.append(place)
        if place == self.place:
            self.action()


def raises(error: Exception) -> Callable[[], None]:
    def action() -> None:
        raise error

    return action


def record(folder: Path) -> Record:
    found = Record.read(folder)
    assert found is not None
    return found


def progress(folder: Path) -> tuple[int, int]:
    """Epoch and step of the last checkpoint."""
    state = load_checkpoint(folder / "checkpoint.pt")["state"]
    return state["epoch"], state["step"]


def numbers(result: TrialResult) -> dict[str, Any]:
    """All of a result but the time that it took."""
    return dataclasses.asdict(dataclasses.replace(result, seconds=0.0))


@pytest.fixture(scope="module")
def undisturbed(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrialResult, Path]:
    folder = tmp_path_factory.mktemp("undisturbed")
    return train(tiny_dataset, folder), folder


def assert_like(undisturbed: tuple[TrialResult, Path], result: TrialResult, folder: Path) -> None:
    """Numbers, histories and weights are the same to the bit."""
    assert numbers(result) == numbers(undisturbed[0])
    assert record(folder).status == "finished"
    for file in ("checkpoint.pt", "best.pt"):
        mine, other = (load_checkpoint(place / file) for place in (folder, undisturbed[1]))
        for name, value in other["net"].items():
            assert torch.equal(mine["net"][name], value), (file, name)
    ours, others = ([reproducible(past) for past in record(f).history] for f in (folder, undisturbed[1]))
    assert ours == others


PLACES = [  # one after the other; what is saved then, and the last epoch that is evaluated
    ((1, 2), (0, 2), 0),
    ((1, None), (1, 0), 1),
    ((2, STEPS), (1, STEPS), 1),  # the last update, before the epoch is evaluated
    ((2, None), (2, 0), 2),  # only the test is left to do
]


@pytest.mark.slow
def test_an_interrupted_training_waits_and_goes_on_to_the_same_end(
    undisturbed: tuple[TrialResult, Path], tiny_dataset: Path, tmp_path: Path
) -> None:
    heard: list[tuple[int, int | None]] = []
    for place, saved, epoch in PLACES:
        ear = Ear(place, raises(InterruptionError("as the node's time is up")))
        with pytest.raises(InterruptionError, match="as the node's time is up"):
            train(tiny_dataset, tmp_path, ear)
        assert ear.heard[-1] == place
        assert progress(tmp_path) == saved
        found = record(tmp_path)
        assert (found.status, found.traceback) == ("waiting", None)
        assert found.reason == f"interrupted after epoch {epoch}, as the node's time is up"
        assert len(found.history) == epoch + 1
        assert not (tmp_path / "predictions.parquet").exists()
        heard += ear.heard
    again = Ear((99, None), raises(AssertionError()))
    assert_like(undisturbed, train(tiny_dataset, tmp_path, again), tmp_path)
    # No update is done twice, and none is left out.
    heard += again.heard
    steps = [(e, s) for e in (1, 2) for s in range(1, STEPS + 1)]
    assert [each for each in heard if each[1] is not None] == steps
    assert [each[0] for each in heard if each[1] is None] == [0, 1, 2]


@pytest.mark.slow
def test_a_file_stop_ends_a_training_after_the_running_update_until_it_is_removed(
    undisturbed: tuple[TrialResult, Path], tiny_dataset: Path, tmp_path: Path
) -> None:
    stop = tmp_path / "stop"
    stop.touch()
    ear = Ear((99, None), raises(AssertionError()))
    with pytest.raises(StopError, match=f"^{BY_HAND}$"):  # before its start, and nothing is done
        train(tiny_dataset, tmp_path, ear)
    assert ear.heard == []
    assert not (tmp_path / "checkpoint.pt").exists()
    found = record(tmp_path)
    assert (found.status, found.reason, found.history) == ("stopped", "stopped by hand", ())
    stop.unlink()
    for place, saved, epoch in PLACES:
        ear = Ear(place, lambda: stop.write_text("  not worth it \nmore about it\n"))
        for _ in range(2):  # the second time without any update
            with pytest.raises(StopError, match=r"^not worth it$"):
                train(tiny_dataset, tmp_path, ear)
            assert ear.heard[-1] == place
            assert len(set(ear.heard)) == len(ear.heard)
            assert progress(tmp_path) == saved
            found = record(tmp_path)
            assert (found.status, found.reason, found.traceback) == ("stopped", "not worth it", None)
            assert len(found.history) == epoch + 1
            assert not (tmp_path / "predictions.parquet").exists()  # it is never tested
            assert not (tmp_path / "result.json").exists()
        stop.unlink()
    assert_like(undisturbed, train(tiny_dataset, tmp_path), tmp_path)


def test_a_training_that_is_interrupted_before_its_first_evaluation_says_so(
    tiny_dataset: Path, tmp_path: Path
) -> None:
    class AtStart(Callback):
        def on_start(self, trainer: Training) -> None:
            raise InterruptionError("as the node's time is up")

    with pytest.raises(InterruptionError):
        train(tiny_dataset, tmp_path, AtStart())
    reason = "interrupted before its first evaluation, as the node's time is up"
    assert (record(tmp_path).status, record(tmp_path).reason) == ("waiting", reason)


def test_a_callback_may_stop_a_training_too(tiny_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(StopError):
        train(tiny_dataset, tmp_path, Ear((1, 1), raises(StopError("worse than others"))))
    assert (record(tmp_path).status, record(tmp_path).reason) == ("stopped", "worse than others")
    assert progress(tmp_path) == (0, 1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "stopped by hand"),
        (b" \n\n", "stopped by hand"),
        (b"too slow", "too slow"),
        (b"\n\n  too slow \r\nfor us", "too slow"),
        ("zu träge".encode(), "zu träge"),
        (b"caf\xe9", "caf\ufffd"),
    ],
)
def test_the_reason_is_the_first_line_of_the_file(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "stop").write_bytes(content)
    assert stop_reason(tmp_path) == reason
    with pytest.raises(StopError) as error:
        heed_stop(tmp_path)
    assert str(error.value) == reason


def test_without_a_file_nothing_is_stopped_and_a_folder_of_that_name_stops(tmp_path: Path) -> None:
    assert stop_reason(tmp_path) is None
    assert stop_reason(tmp_path / "nowhere") is None
    heed_stop(tmp_path)
    (tmp_path / "stop").mkdir()
    assert stop_reason(tmp_path) == "stopped by hand"


def test_an_end_before_the_end_is_the_users_and_of_two_kinds() -> None:
    assert issubclass(HaltError, UserError)
    assert issubclass(StopError, HaltError)
    assert issubclass(InterruptionError, HaltError)
    assert not issubclass(StopError, InterruptionError)
    assert not issubclass(InterruptionError, StopError)
