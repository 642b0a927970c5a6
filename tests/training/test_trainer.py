"""The trainer: learns, resumes bit for bit, refuses what it cannot go on with."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from epropnp.data.reader import ArrowDataset
from epropnp.errors import UserError
from epropnp.evaluation import error_file
from epropnp.evaluation.pose_errors import pose_errors
from epropnp.evaluation.predictions import Predictions
from epropnp.evaluation.scores import mean_scores, score
from epropnp.training import trainer as trainer_module
from epropnp.training.callbacks import Callback, Training
from epropnp.training.checkpoint import load_checkpoint, save_checkpoint
from epropnp.training.guard import NonFiniteError
from epropnp.training.result import EpochReport, StepReport
from epropnp.training.trainer import Trainer
from tests.training.tiny import Killed, Stop, result_of, tiny, with_optim


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = load_checkpoint(folder / "checkpoint.pt")["net"]
    return weights


@pytest.mark.slow
def test_loss_falls_and_the_result_is_complete(trained: Path, tiny_dataset: Path) -> None:
    result = result_of(trained)
    assert len(result.train_loss) == 3
    assert result.train_loss[-1] < 0.8 * result.train_loss[0]
    assert result.test_images == 12
    predictions = Predictions.read(trained / "predictions.parquet")
    assert len(predictions.sample_id) == 12
    boxes = np.stack([record.box for record in ArrowDataset(tiny_dataset).split("test")])
    np.testing.assert_allclose(predictions.crop[:, 2], 1.5 * boxes[:, 2:].max(1), rtol=1e-6)


@pytest.mark.slow
def test_the_errors_of_what_is_kept_lie_beside_it(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of symmetric objects take minutes: nobody who reads the folder computes them again."""
    result = result_of(trained)
    for name, scores in (("predictions", result.test), ("validation", result.validation)):
        predictions = Predictions.read(trained / f"{name}.parquet")
        expected = pose_errors(predictions, predictions.objects)
        with monkeypatch.context() as patch:
            patch.setattr(error_file, "pose_errors", None)
            found = error_file.errors_beside(predictions, predictions.objects, trained / f"{name}.parquet")
        np.testing.assert_array_equal(found.add_m, expected.add_m)
        assert mean_scores(found) == scores


@pytest.mark.slow
def test_resume_after_stops_is_bit_identical(trained: Path, tiny_dataset: Path, tmp_path: Path) -> None:
    for stop in (Stop(0), Stop(2, 2), Stop(2)):
        with pytest.raises(Killed):
            Trainer(tiny(), tiny_dataset, tmp_path, "cpu", checkpoint_s=0).fit([stop])
        torch.rand(7)  # whatever else drew random numbers meanwhile
    trainer = Trainer(tiny(), tiny_dataset, tmp_path, "cpu")
    result = trainer.fit()
    assert result == result_of(tmp_path)
    expected = result_of(trained)
    assert result.train_loss == expected.train_loss
    assert result.test == expected.test
    for name, value in weights_of(trained).items():
        assert torch.equal(value, weights_of(tmp_path)[name]), name


@pytest.mark.slow
def test_loader_processes_do_not_change_the_numbers(
    trained: Path, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny()
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, workers=2))
    threads: list[int] = []  # that errors were computed on
    monkeypatch.setattr(trainer_module, "score", lambda *given: threads.append(given[2]) or score(*given))
    assert Trainer(config, tiny_dataset, tmp_path, "cpu").fit().train_loss == result_of(trained).train_loss
    assert set(threads) == {3}  # the trial's own and its loaders', which wait then; no others


@pytest.mark.slow
def test_callbacks_hear_of_every_update_and_epoch(tiny_dataset: Path, tmp_path: Path) -> None:
    heard: list[tuple[int, ...]] = []

    class Ear(Callback):
        def on_start(self, trainer: Training) -> None:
            heard.append((trainer.state.epoch,))

        def on_step(self, report: StepReport) -> None:
            assert torch.isfinite(report.loss)
            heard.append((report.epoch, report.step, report.steps))

        def on_epoch(self, report: EpochReport) -> None:
            heard.append((report.epoch,))

    trainer = Trainer(tiny(), tiny_dataset, tmp_path, "cpu", keep_every=2)
    trainer.fit([Ear()])
    steps = trainer.data.steps
    updates = {epoch: [(epoch, i + 1, steps) for i in range(steps)] for epoch in (1, 2, 3)}
    assert heard == [(-1,), (0,), *updates[1], (1,), *updates[2], (2,), *updates[3], (3,)]
    assert [file.name for file in sorted(tmp_path.glob("epoch-*.pt"))] == ["epoch-0002.pt"]


def test_terms_are_logged_raw_and_weighted(trained: Path) -> None:
    metrics = load_checkpoint(trained / "checkpoint.pt")["state"]["history"][1]
    weights = tiny().loss.weights
    assert set(weights) == {"coord", "mc", "deriv_t", "deriv_r"}
    for name, weight in weights.items():
        raw, weighted = metrics[f"train/loss_{name}"], metrics[f"train/weighted_{name}"]
        assert weighted == pytest.approx(weight * raw, rel=1e-5)
    total = sum(metrics[f"train/weighted_{name}"] for name in weights)
    assert metrics["train/loss"] == pytest.approx(total, rel=1e-5)


@pytest.mark.slow
def test_averaged_weights_are_evaluated_and_survive_a_stop(tiny_dataset: Path, tmp_path: Path) -> None:
    config = with_optim(ema=0.9)
    whole = Trainer(config, tiny_dataset, tmp_path / "whole", "cpu")
    expected = whole.fit()
    average, last = whole.updates.evaluated.state_dict(), whole.net.state_dict()
    assert whole.updates.evaluated is not whole.net
    assert not torch.equal(average["output.weight"], last["output.weight"])
    with pytest.raises(Killed):
        Trainer(config, tiny_dataset, tmp_path / "cut", "cpu", checkpoint_s=0).fit([Stop(2, 1)])
    assert Trainer(config, tiny_dataset, tmp_path / "cut", "cpu").fit().test == expected.test


def poison(trainer: Trainer, at: set[int]) -> None:
    """Make the Monte Carlo term of some updates NaN, as a network that spoils its batch statistics would."""
    original, calls = trainer._predict, iter(range(100))

    def predict(image: torch.Tensor):  # type: ignore[no-untyped-def]
        call = next(calls)
        if call in at:
            image = image * float("nan")
        return original(image)

    trainer._predict = predict


def test_a_loss_that_is_not_finite_stops_the_trial_and_names_the_samples(
    tiny_dataset: Path, tmp_path: Path
) -> None:
    trainer = Trainer(tiny(), tiny_dataset, tmp_path, "cpu")
    poison(trainer, {0})
    with pytest.raises(NonFiniteError, match=r"^coord and mc .*not finite at update 0 \(coord nan") as error:
        trainer.fit()
    names = str(error.value).partition("samples ")[2].partition(" and 8 more")[0].split(", ")
    known = {record.sample_id for record in ArrowDataset(tiny_dataset).split("train")}
    assert len(names) == 8
    assert set(names) <= known


@pytest.mark.slow
def test_updates_that_are_not_finite_are_skipped_and_counted_up_to_a_limit(
    tiny_dataset: Path, tmp_path: Path
) -> None:
    trainer = Trainer(with_optim(skip_limit=2), tiny_dataset, tmp_path / "two", "cpu")
    poison(trainer, {1, 3})
    result = trainer.fit()
    assert result.skipped == 2
    assert all(np.isfinite(result.train_loss))
    assert all(value.isfinite().all() for value in trainer.net.state_dict().values())
    trainer = Trainer(with_optim(skip_limit=2), tiny_dataset, tmp_path / "three", "cpu")
    poison(trainer, {0, 1, 2})
    with pytest.raises(NonFiniteError, match=r"at update 2, after 2 skipped ones"):
        trainer.fit()


@pytest.mark.slow
def test_overfit_trains_and_tests_on_the_same_images(tiny_dataset: Path, tmp_path: Path) -> None:
    config = tiny()
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, overfit=4))
    config = dataclasses.replace(config, optim=dataclasses.replace(config.optim, batch_size=4, epochs=2))
    result = Trainer(config, tiny_dataset, tmp_path, "cpu").fit()
    first = [record.sample_id for record in ArrowDataset(tiny_dataset).split("train")[:4]]
    assert Predictions.read(tmp_path / "predictions.parquet").sample_id == first
    assert result.test_images == 4
    assert result.train_loss[1] < result.train_loss[0]


def test_a_checkpoint_of_another_config_is_refused(trained: Path, tiny_dataset: Path, tmp_path: Path) -> None:
    shutil.copy(trained / "checkpoint.pt", tmp_path)
    with pytest.raises(UserError, match="is of another config"):
        Trainer(tiny(seed=1), tiny_dataset, tmp_path, "cpu").fit()


def test_a_damaged_checkpoint_is_named(tiny_dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match=r"checkpoint\.pt cannot be read"):
        Trainer(tiny(), tiny_dataset, tmp_path, "cpu").fit()


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"x": torch.ones(3)})
    with pytest.raises(UserError, match="cannot be written"):
        save_checkpoint(Path("/proc/missing") / "checkpoint.pt", {"x": torch.zeros(3)})
    assert torch.equal(load_checkpoint(path)["x"], torch.ones(3))
