"""Evaluation: the same poses with and without samples, either initial pose, and what the file says."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from epropnp.data.dataset import Batch, CropDataset
from epropnp.data.reader import ArrowDataset
from epropnp.evaluation.evaluator import fit_temperatures, predict
from epropnp.evaluation.predictions import Predictions
from epropnp.inference import poses
from epropnp.inference.config import EvaluationConfig
from epropnp.inference.temperature import Temperature, Temperatures
from epropnp.models.config import ModelConfig
from epropnp.models.network import Prediction
from epropnp.pnp import Correspondences, EProPnP
from epropnp.training.config import DataConfig, TrialConfig
from epropnp.training.inference import inference_of

CONFIG = TrialConfig(
    model=ModelConfig(input_px=64, weight_norm="v2"),
    data=DataConfig(points=64),
    evaluation=EvaluationConfig(proposals=32, batch_size=5),
)


class Oracle(torch.nn.Module):
    """In place of a network: the true coordinate maps, with noise, trusted inside of the mask."""

    def __init__(self, data: CropDataset) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))
        self.data = data
        self.seen = 0

    def forward(self, image: torch.Tensor) -> Prediction:
        rows = range(self.seen, self.seen + len(image))
        batch: Batch = self.data.__getitems__([(0, i, i) for i in rows])
        self.seen = (self.seen + len(image)) % len(self.data)
        noise = torch.randn(batch.coords.shape, generator=torch.Generator().manual_seed(self.seen))
        logits = torch.where(batch.mask[:, None], 0.0, -20.0).expand(-1, 2, -1, -1)
        return Prediction(batch.coords + 0.02 * noise, logits, torch.full((len(image), 2), 5.0))


def crops(dataset: Path, split: str) -> CropDataset:
    return CropDataset(
        ArrowDataset(dataset), split, input_px=CONFIG.model.input_px, map_px=CONFIG.model.map_px
    )


def predicted(
    dataset: Path, split: str = "test", temperatures: Temperatures | None = None, **changes: object
) -> Predictions:
    data = crops(dataset, split)
    evaluation = dataclasses.replace(CONFIG.evaluation, **changes)  # type: ignore[arg-type]
    config = dataclasses.replace(CONFIG, evaluation=evaluation)
    return predict(inference_of(Oracle(data), EProPnP(), config), data, temperatures)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sampled(tiny_dataset: Path) -> Predictions:
    return predicted(tiny_dataset)


def test_poses_are_the_same_without_samples(sampled: Predictions, tiny_dataset: Path) -> None:
    plain = predicted(tiny_dataset, samples=0)
    assert plain.posterior is None
    np.testing.assert_array_equal(plain.T_pred, sampled.T_pred)
    np.testing.assert_array_equal(plain.cost, sampled.cost)
    assert predicted(tiny_dataset, "validation").posterior is None


def test_every_field_is_of_its_image(sampled: Predictions, tiny_dataset: Path) -> None:
    records = list(ArrowDataset(tiny_dataset).split("test"))
    assert sampled.sample_id == [record.sample_id for record in records]
    assert sampled.valid.all()
    assert sampled.image_size.tolist() == [[640, 480]] * len(records)
    assert list(sampled.objects) == [6, 10]
    shift_m = np.linalg.norm(sampled.T_pred[:, :3, 3] - sampled.T_true[:, :3, 3], axis=1)
    assert np.median(shift_m) < 0.02
    posterior = sampled.posterior
    assert posterior is not None
    assert (posterior.cost_true >= 0.99 * sampled.cost).all()
    assert ((posterior.credible_level >= 0) & (posterior.credible_level <= 1)).all()
    assert np.median(posterior.effective_samples) > 50


def test_epnp_finds_the_poses_too(sampled: Predictions, tiny_dataset: Path) -> None:
    found = predicted(tiny_dataset, initial="epnp", samples=0)
    near = np.linalg.norm(found.T_pred[:, :3, 3] - sampled.T_pred[:, :3, 3], axis=1) < 1e-3
    assert near.mean() > 0.8


def test_several_hypotheses_come_with_their_probabilities(
    sampled: Predictions, tiny_dataset: Path, tmp_path: Path
) -> None:
    found = predicted(tiny_dataset, hypotheses=3)
    found.write(tmp_path / "p.parquet")
    found = Predictions.read(tmp_path / "p.parquet")
    assert found.T_hypotheses is not None
    assert found.probability is not None
    assert found.T_hypotheses.shape == (len(found), 3, 4, 4)
    np.testing.assert_array_equal(found.T_hypotheses[:, 0], found.T_pred)
    np.testing.assert_allclose(found.probability.sum(1), 1, rtol=1e-5)
    assert (np.diff(found.probability, axis=1) <= 0).all()
    near = np.linalg.norm(found.T_pred[:, :3, 3] - sampled.T_pred[:, :3, 3], axis=1) < 1e-3
    assert near.mean() > 0.8


def test_the_cost_is_that_of_as_many_cells_as_training_sees(
    sampled: Predictions, tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The maps have 256 cells and training sees 64: variances are a quarter of the plain ones."""
    monkeypatch.setattr(poses, "_as_trained", lambda found, points: found)
    plain = predicted(tiny_dataset, samples=0)
    np.testing.assert_allclose(plain.T_pred, sampled.T_pred, atol=1e-3)
    np.testing.assert_allclose(sampled.cost, 4 * plain.cost, rtol=1e-2)
    ratio = sampled.covariance[:, range(6), range(6)] / plain.covariance[:, range(6), range(6)]
    np.testing.assert_allclose(ratio, 0.25, rtol=0.05)


def test_temperatures_change_the_uncertainty_alone(sampled: Predictions, tiny_dataset: Path) -> None:
    flat = Temperatures(posterior=Temperature(scale=0.5), covariance=Temperature(scale=0.5, tail=0.25))
    found = predicted(tiny_dataset, temperatures=flat)
    assert found.temperatures == flat
    np.testing.assert_array_equal(found.T_pred, sampled.T_pred)
    np.testing.assert_allclose(found.covariance, 8 * sampled.covariance, rtol=1e-5)
    np.testing.assert_allclose(found.cost, sampled.cost / 4, rtol=1e-5)
    assert sampled.posterior is not None
    assert found.posterior is not None
    np.testing.assert_allclose(found.posterior.cost_true, sampled.posterior.cost_true / 4, rtol=1e-3)
    assert (found.posterior.credible_level < sampled.posterior.credible_level + 0.1).all()


def fitted(data: CropDataset, **changes: object) -> Temperatures:
    evaluation = dataclasses.replace(CONFIG.evaluation, **changes)  # type: ignore[arg-type]
    config = dataclasses.replace(CONFIG, evaluation=evaluation)
    inference = inference_of(Oracle(data), EProPnP(), config)  # type: ignore[arg-type]
    return fit_temperatures(inference, data, predict(inference, data))


def test_temperatures_undo_wrong_weights(tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that are three times too large for one fit are found to be so beside the other."""
    data = crops(tiny_dataset, "validation")
    right = fitted(data)
    as_trained = poses._as_trained

    def threefold(found: Correspondences, points: int) -> Correspondences:
        found = as_trained(found, points)
        return dataclasses.replace(found, weights=3 * found.weights)

    monkeypatch.setattr(poses, "_as_trained", threefold)
    wrong = fitted(data)
    assert wrong.posterior.scale < 0.6 * right.posterior.scale
    assert wrong.covariance.scale < 0.6 * right.covariance.scale
    plain = fitted(data, samples=0)
    assert (plain.posterior, plain.covariance) == (Temperature(), wrong.covariance)
