"""A finished trial without its result: its test is repeated from `best.pt` alone, with the same outcome."""

import dataclasses
from pathlib import Path

import pytest

from epropnp.files import replaced
from epropnp.training.callbacks import Callback
from epropnp.training.result import StepReport, TrialResult
from epropnp.training.trainer import Trainer
from sweeps.running.keep import remove_surplus
from sweeps.running.retest import _best_epoch, restore_for_test
from sweeps.trial import read
from tests.training.tiny import with_optim


class Updates(Callback):
    done = 0

    def on_step(self, report: StepReport) -> None:
        self.done += 1


def again(dataset: Path, folder: Path) -> tuple[TrialResult, int]:
    """The result, and how many updates it took."""
    updates = Updates()
    trainer = Trainer(with_optim(epochs=2, ema=0.9), dataset, folder, "cpu")
    restore_for_test(trainer)
    return trainer.fit([updates]), updates.done


@pytest.mark.slow
def test_the_best_weights_are_enough_to_test_again(tiny_dataset: Path, tmp_path: Path) -> None:
    first, updates = again(tiny_dataset, tmp_path)
    assert updates == 8
    predictions = (tmp_path / "predictions.parquet").read_bytes()
    remove_surplus(tmp_path, "best")
    assert not (tmp_path / "checkpoint.pt").exists()
    validation = (tmp_path / "validation.parquet").read_bytes()
    for name in ("result.json", "predictions.parquet", "validation.parquet"):
        (tmp_path / name).unlink()
    assert read(tmp_path).reason == "its result.json was removed: only the test is left to do"
    second, updates = again(tiny_dataset, tmp_path)
    assert updates == 0
    assert second == dataclasses.replace(first, seconds=second.seconds)
    assert second.seconds == pytest.approx(first.seconds, abs=1)
    assert (tmp_path / "predictions.parquet").read_bytes() == predictions
    assert (tmp_path / "validation.parquet").read_bytes() == validation


@pytest.mark.slow
def test_without_weights_it_is_trained_anew_and_its_folder_says_so(
    tiny_dataset: Path, tmp_path: Path
) -> None:
    first, _ = again(tiny_dataset, tmp_path)
    (tmp_path / "result.json").unlink()
    (tmp_path / "best.pt").unlink()
    assert read(tmp_path).reason == (
        "its result.json was removed: its best.pt is not kept; remove checkpoint.pt, too, to train it anew"
    )
    (tmp_path / "checkpoint.pt").unlink()
    assert read(tmp_path).reason == (
        "its result.json was removed: no weights are kept, and it is trained anew"
    )
    second, updates = again(tiny_dataset, tmp_path)
    assert updates == 8
    assert second == dataclasses.replace(first, seconds=second.seconds)


@pytest.mark.slow
def test_a_trial_that_is_not_finished_is_left_alone(tiny_dataset: Path, tmp_path: Path) -> None:
    trainer = Trainer(with_optim(epochs=2), tiny_dataset, tmp_path, "cpu")
    restore_for_test(trainer)  # nothing is there
    with replaced(tmp_path / "best.pt") as file:
        file.write_bytes(b"of a training that was killed")
    restore_for_test(trainer)
    assert not (tmp_path / "checkpoint.pt").exists()


@pytest.mark.parametrize(
    ("qualities", "best"),
    [([[1.0, 2.0]], 0), ([[1.0, 2.0], [3.0, 0.0], [2.0, 9.0]], 1), ([[0.0, 1.0], [0.0, 1.0], [0.0, 0.5]], 1)],
)
def test_the_last_of_the_best_epochs(qualities: list[list[float]], best: int) -> None:
    assert _best_epoch(qualities) == best
