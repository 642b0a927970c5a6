"""The trainer: learns, resumes bit for bit, refuses what it cannot go on with."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from epropnp.data.augment import AugmentConfig
from epropnp.data.format import ArrowDataset
from epropnp.errors import UserError
from epropnp.evaluation.predictions import Predictions
from epropnp.models.network import ModelConfig
from epropnp.pnp import PnPConfig
from epropnp.training.checkpoint import load_checkpoint, save_checkpoint
from epropnp.training.config import DataConfig, EvaluationConfig, LossConfig, OptimConfig, TrialConfig
from epropnp.training.result import EpochReport, TrialResult
from epropnp.training.trainer import NonFiniteError, Trainer


class Killed(Exception):
    """Stands for the end of the process in the middle of a training."""


def tiny(**changes) -> TrialConfig:  # type: ignore[no-untyped-def]
    config = TrialConfig(
        model=ModelConfig(
            backbone="test_resnet", input_px=64, deconv_stride=16, head_width=16, weight_norm="v2"
        ),
        pnp=PnPConfig(amis_samples=16),
        loss=LossConfig(mc=0.02, deriv_t=0.1, deriv_r=0.1),
        optim=OptimConfig(
            optimiser="adamw", lr=2e-3, schedule="onecycle", epochs=3, batch_size=16, clip_norm=5.0
        ),
        data=DataConfig(points=64, augment=AugmentConfig(color=0.2)),
        evaluation=EvaluationConfig(proposals=8, iterations=5),
    )
    return dataclasses.replace(config, **changes)


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = load_checkpoint(folder / "checkpoint.pt")["net"]
    return weights


@pytest.fixture(scope="module")
def uninterrupted(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrialResult]:
    folder = tmp_path_factory.mktemp("uninterrupted")
    return folder, Trainer(tiny(), tiny_dataset, folder, "cpu").fit()


def test_loss_falls_and_the_result_is_complete(
    uninterrupted: tuple[Path, TrialResult], tiny_dataset: Path
) -> None:
    folder, result = uninterrupted
    assert len(result.train_loss) == 3
    assert result.train_loss[-1] < 0.8 * result.train_loss[0]
    assert result.test_images == 12
    assert TrialResult.from_json((folder / "result.json").read_text()) == result
    predictions = Predictions.read(folder / "predictions.parquet")
    assert len(predictions.sample_id) == 12
    boxes = np.stack([record.box for record in ArrowDataset(tiny_dataset).split("test")])
    np.testing.assert_allclose(predictions.crop[:, 2], 1.5 * boxes[:, 2:].max(1), rtol=1e-6)


@pytest.mark.parametrize("stop_after", [0, 2])
def test_resume_after_a_stop_is_bit_identical(
    uninterrupted: tuple[Path, TrialResult], tiny_dataset: Path, tmp_path: Path, stop_after: int
) -> None:
    def stop(report: EpochReport) -> None:
        if report.epoch == stop_after:
            raise Killed

    with pytest.raises(Killed):
        Trainer(tiny(), tiny_dataset, tmp_path, "cpu").fit(stop)
    torch.rand(7)  # whatever else drew random numbers meanwhile
    result = Trainer(tiny(), tiny_dataset, tmp_path, "cpu").fit()
    folder, expected = uninterrupted
    assert result.train_loss == expected.train_loss
    assert result.test == expected.test
    for name, value in weights_of(folder).items():
        assert torch.equal(value, weights_of(tmp_path)[name]), name


def test_loader_processes_do_not_change_the_numbers(
    uninterrupted: tuple[Path, TrialResult], tiny_dataset: Path, tmp_path: Path
) -> None:
    config = tiny()
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, workers=1))
    assert Trainer(config, tiny_dataset, tmp_path, "cpu").fit().train_loss == uninterrupted[1].train_loss


def test_epochs_are_as_many_as_asked_for(tiny_dataset: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    trainer = Trainer(tiny(), tiny_dataset, tmp_path, "cpu")
    trainer.fit(lambda report: seen.append(report.epoch))
    assert seen == [0, 1, 2, 3]  # 0 is the evaluation before training


def test_a_loss_that_is_not_finite_stops_the_trial(tiny_dataset: Path, tmp_path: Path) -> None:
    trainer = Trainer(tiny(), tiny_dataset, tmp_path, "cpu")
    with torch.no_grad():
        next(trainer.net.head.parameters()).fill_(float("nan"))
    with pytest.raises(NonFiniteError, match=r"not finite at step 0 \(coord nan"):
        trainer.fit()


def test_a_checkpoint_of_another_config_is_refused(
    uninterrupted: tuple[Path, TrialResult], tiny_dataset: Path
) -> None:
    with pytest.raises(UserError, match="is of another config"):
        Trainer(tiny(seed=1), tiny_dataset, uninterrupted[0], "cpu").fit()


def test_a_damaged_checkpoint_is_named(tiny_dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match=r"checkpoint\.pt cannot be read"):
        Trainer(tiny(), tiny_dataset, tmp_path, "cpu").fit()


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"x": torch.ones(3)})
    with pytest.raises(UserError, match="cannot be written"):
        save_checkpoint(tmp_path / "missing" / "checkpoint.pt", {"x": torch.zeros(3)})
    assert torch.equal(load_checkpoint(path)["x"], torch.ones(3))
