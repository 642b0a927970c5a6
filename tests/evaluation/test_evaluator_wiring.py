"""Evaluation passes on what it should: modes, settings, random streams, temperatures, symmetric truths."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from epropnp.data.dataset import CropDataset
from epropnp.data.reader import ArrowDataset
from epropnp.evaluation import evaluator
from epropnp.evaluation.calibration import squared_distances
from epropnp.evaluation.evaluator import fit_temperatures, predict
from epropnp.evaluation.predictions import Predictions
from epropnp.inference import poses
from epropnp.inference.poses import as_image
from epropnp.inference.temperature import Draws, Temperature, Temperatures, covariance_temperature
from epropnp.models.network import Prediction
from epropnp.pnp import Camera, Correspondences, EProPnP
from epropnp.training.config import TrialConfig
from epropnp.training.inference import inference_of
from tests.evaluation.known_errors import model, pose, turn
from tests.evaluation.test_evaluator import CONFIG, Oracle, crops

SEED = 20220331  # of the random starts; that of the samples is the next


class Watched(Oracle):
    """Notes how it is called; `broken` rows of the split have the same coordinates everywhere, or none."""

    def __init__(self, data: CropDataset, broken: Mapping[int, float] = MappingProxyType({})) -> None:
        super().__init__(data)
        self.broken = broken
        self.called: list[tuple[bool, bool, torch.dtype]] = []
        self.brightest = 0.0

    def forward(self, image: Tensor) -> Prediction:
        first = self.seen
        half = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32
        self.called.append((self.training, torch.is_grad_enabled(), half))
        self.brightest = max(self.brightest, image.max().item())
        found = super().forward(image)
        for row, value in self.broken.items():
            if first <= row < first + len(image):
                found.coords[row - first] = value
        return found


def config(precision: str = "float32", **changes: Any) -> TrialConfig:
    evaluation = dataclasses.replace(CONFIG.evaluation, **changes)
    optim = dataclasses.replace(CONFIG.optim, precision=precision)  # type: ignore[arg-type]
    return dataclasses.replace(CONFIG, evaluation=evaluation, optim=optim)


@pytest.fixture(scope="module")
def data(tiny_dataset: Path) -> CropDataset:
    return crops(tiny_dataset, "test")


def predicted(net: Watched, settings: TrialConfig, temperatures: Temperatures | None = None) -> Predictions:
    return predict(inference_of(net, EProPnP(), settings), net.data, temperatures)  # type: ignore[arg-type]


@pytest.mark.usefixtures("bf16_anywhere")
@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bf16", torch.bfloat16)])
def test_the_network_runs_in_evaluation_mode_without_gradient_in_the_precision_that_is_set(
    precision: str, dtype: torch.dtype, data: CropDataset
) -> None:
    net = Watched(data)
    net.train()
    state, random_state = {k: v.clone() for k, v in net.state_dict().items()}, torch.get_rng_state()
    predicted(net, config(precision, samples=0, proposals=4, iterations=1))
    assert net.called == [(False, False, dtype)] * 3  # 12 images in batches of 5
    assert 0.5 < net.brightest <= 1
    assert not net.training
    assert all(torch.equal(state[k], v) for k, v in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random_state)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """Settings of the first call of each method of the layer, its generator as its seed."""
    seen: dict[str, dict[str, Any]] = {}
    for name in ("solve", "hypotheses", "monte_carlo"):
        original = getattr(EProPnP, name)

        def spy(
            self: EProPnP, *args: Any, _name: str = name, _original: Any = original, **kwargs: Any
        ) -> Any:
            numbers = {k: v for k, v in kwargs.items() if not isinstance(v, Tensor)}
            if "generator" in numbers:
                numbers["generator"] = numbers["generator"].generator.initial_seed()
            seen.setdefault(_name, numbers)
            return _original(self, *args, **kwargs)

        monkeypatch.setattr(EProPnP, name, spy)
    return seen


def test_settings_and_random_streams_reach_the_layer(
    calls: dict[str, dict[str, Any]], data: CropDataset
) -> None:
    predicted(Watched(data), config(proposals=9, iterations=3, samples=32))
    assert calls["solve"] == {"proposals": 9, "iterations": 3, "generator": SEED}
    assert calls["monte_carlo"] == {"generator": SEED + 1}
    predicted(Watched(data), config(proposals=9, iterations=3, hypotheses=2, samples=0))
    assert calls["hypotheses"] == {"count": 2, "proposals": 9, "iterations": 3, "generator": SEED}
    calls.clear()
    predicted(Watched(data), config(proposals=9, iterations=3, initial="epnp", samples=0))
    assert calls["solve"] == {"proposals": 0, "iterations": 3, "fast": True}
    calls.clear()
    predicted(Watched(data), config(proposals=9, iterations=3, initial="epnp_or_random", samples=0))
    assert calls["solve"] == {"proposals": 9, "iterations": 3, "generator": SEED}


def test_an_image_without_a_pose_is_said_to_be_so_and_leaves_the_others(data: CropDataset) -> None:
    settings = config(samples=8, proposals=8)
    net = Watched(data, {6: torch.nan, 8: 0.5})  # not finite; a single point that any turn fits
    whole, broken = predicted(Watched(data), settings), predicted(net, settings)
    rest = ~np.isin(np.arange(12), (6, 8))
    assert np.isfinite(broken.T_pred[8]).all()
    assert whole.valid.all()
    assert broken.valid.tolist() == rest.tolist()
    np.testing.assert_allclose(broken.T_pred[rest], whole.T_pred[rest], atol=1e-5)


def test_each_temperature_changes_what_it_is_for(data: CropDataset) -> None:
    settings = config(samples=0, proposals=8, hypotheses=2)
    plain = predicted(Watched(data), settings)
    warm = Temperatures(
        posterior=Temperature(scale=3.0, tail=0.1), covariance=Temperature(scale=0.5, tail=0.25)
    )
    found = predicted(Watched(data), settings, warm)
    np.testing.assert_allclose(found.cost, 9 * plain.cost, rtol=1e-6)
    np.testing.assert_allclose(found.covariance, 8 * plain.covariance, rtol=1e-6)
    assert found.probability is not None
    assert plain.probability is not None
    assert (found.probability[:, 0] >= plain.probability[:, 0] - 1e-6).all()


def test_what_is_known_of_an_image_comes_from_its_record(data: CropDataset, tiny_dataset: Path) -> None:
    """The crop is a square of 1.5 times the longer side of the box about the centre of its pixels."""
    found = predicted(Watched(data), config(samples=0, proposals=4, iterations=1))
    for i, record in enumerate(ArrowDataset(tiny_dataset).split("test")):
        left, top, width, height = record.box
        side = 1.5 * max(width, height)
        corner = np.array([left + (width - 1) / 2, top + (height - 1) / 2]) - side / 2
        np.testing.assert_allclose(found.crop[i], [*corner, side], rtol=1e-5, atol=1e-3)
        np.testing.assert_array_equal(found.K[i], record.K)
        np.testing.assert_array_equal(found.T_true[i], record.T_cam_obj)


def test_rows_of_a_file_are_gathered_image_by_image() -> None:
    """Two batches, of two images and one; every camera and size differs."""
    parts = [
        {"cost": torch.tensor([1.0, 2]), "cost_true": torch.tensor([7.0, 8])},
        {"cost": torch.tensor([3.0]), "cost_true": torch.tensor([9.0])},
    ]
    shapes = {"T_pred": (4, 4), "crop": (3,), "covariance": (6, 6), "valid": ()}
    for part in parts:
        part |= {name: torch.zeros(len(part["cost"]), *shape) for name, shape in shapes.items()}
        part |= dict.fromkeys(("log_evidence", "effective_samples", "credible_level"), part["cost"])
    records = [
        SimpleNamespace(
            sample_id=f"s{i}",
            object_id=10 + i,
            T_cam_obj=np.eye(4) * i,
            K=np.eye(3) * (i + 5),
            image_size=np.array([640 + i, 480 + i]),
        )
        for i in range(3)
    ]
    split = SimpleNamespace(records=records, objects={10: model()})
    found = evaluator._collect(parts, split, Temperatures())  # type: ignore[arg-type]
    assert (found.sample_id, found.object_id.tolist()) == (["s0", "s1", "s2"], [10, 11, 12])
    assert found.cost.tolist() == [1, 2, 3]
    assert found.T_true[:, 0, 0].tolist() == [0, 1, 2]
    assert found.K[:, 0, 0].tolist() == [5, 6, 7]
    assert found.image_size.tolist() == [[640, 480], [641, 481], [642, 482]]
    assert found.posterior is not None
    assert found.posterior.cost_true.tolist() == [7, 8, 9]
    assert list(found.objects) == [10]


@pytest.mark.parametrize(("points", "factor"), [(64, 2.0), (16, 4.0), (256, 1.0), (512, 1.0)])
def test_weights_grow_by_the_root_of_the_cells_that_training_does_not_see(points: int, factor: float) -> None:
    weights = torch.rand(2, 256, 2)
    zero = torch.zeros(2, 2)
    camera = Camera(torch.eye(3).expand(2, 3, 3), zero, zero)
    points_obj = torch.rand(2, 256, 3)
    given = Correspondences(points_obj=points_obj, points_img=-weights, weights=weights, camera=camera)
    found = poses._as_trained(given, points)
    torch.testing.assert_close(found.weights, factor * weights)
    assert torch.equal(found.points_obj, given.points_obj)
    assert torch.equal(found.points_img, given.points_img)


def test_true_poses_are_those_of_each_object_s_own_symmetries() -> None:
    quarter = np.stack([pose(turn("z", 90 * k), (0, 0, 0))[0] for k in range(4)])
    half = quarter[::2]
    T = torch.from_numpy(np.concatenate([pose(turn("x", 20), (0.1, 0, 1)), pose(turn("x", 40)), pose()]))
    objects = {
        i: dataclasses.replace(model(), symmetries=s) for i, s in ((1, quarter), (2, half), (3, quarter[:1]))
    }
    batch = SimpleNamespace(object_id=torch.tensor([2, 1, 3]), T_cam_obj=T)
    found = evaluator._true_poses(batch, SimpleNamespace(objects=objects))  # type: ignore[arg-type]
    assert found.shape == (4, 3, 7)
    for b, symmetries in enumerate((half, quarter, quarter[:1])):
        for s in range(4):
            expected = T[b].numpy() @ symmetries[s % len(symmetries)]
            np.testing.assert_allclose(evaluator.pose.to_matrix(found[s, b]), expected, atol=1e-12)


def test_temperatures_are_fitted_to_valid_images_first_the_covariance_then_the_samples_at_its_scale(
    tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = crops(tiny_dataset, "validation")
    settings = config(samples=32, proposals=8)
    given: list[Draws] = []
    made: list[Temperatures] = []
    original = evaluator.PosteriorSampler

    def sampler(layer: EProPnP, samples: int, temperatures: Temperatures) -> Any:
        assert samples == 32
        made.append(temperatures)
        return original(layer, samples, temperatures)

    monkeypatch.setattr(evaluator, "PosteriorSampler", sampler)
    monkeypatch.setattr(
        evaluator, "posterior_temperature", lambda draws: given.append(draws) or Temperature(scale=7.0)
    )
    net = Watched(data, broken={3: torch.nan})
    plain = predicted(Watched(data, {3: torch.nan}), config(samples=0, proposals=8))
    told: list[bool] = []
    found = fit_temperatures(
        inference_of(net, EProPnP(), settings),  # type: ignore[arg-type]
        data,
        plain,
        lambda: told.append(True),
    )
    assert len(told) == 3  # batches of twelve images, that an interruption may come between
    expected = covariance_temperature(squared_distances(plain, data.objects))
    assert found.covariance.scale == pytest.approx(expected.scale, rel=1e-6)
    assert found.covariance.scale != 1
    assert found.posterior == Temperature(scale=7.0)
    assert made == [Temperatures(covariance=found.covariance)]
    (draws,) = given
    assert draws.excess.shape == (32, 11)  # twelve images, one of them broken
    assert draws.excess_true.isfinite().all()
    np.testing.assert_allclose(draws.cost, plain.cost[plain.valid], rtol=1e-4)


def test_images_become_numbers_from_0_to_1_with_colours_first() -> None:
    image = torch.tensor([[[[0, 51, 255], [255, 0, 102]]]], dtype=torch.uint8)  # (1, 1, 2, 3)
    expected = torch.tensor([[[[0.0, 1.0]], [[0.2, 0.0]], [[1.0, 0.4]]]])
    torch.testing.assert_close(as_image(image), expected)
    assert math.isclose(as_image(image).max().item(), 1)
