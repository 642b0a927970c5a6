"""The objective by hand: each term's value and weight, the running scale, targets of symmetric objects."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from epropnp.data.dataset import Batch
from epropnp.losses.algebra import LossValue
from epropnp.models.config import ModelConfig
from epropnp.models.network import Prediction
from epropnp.pnp import pose
from epropnp.training.config import DataConfig, LossConfig, OptimConfig, TrialConfig
from epropnp.training.objective import Objective
from tests.training.toys import (
    HandLayer,
    about_z,
    looking,
    made_batch,
    model,
    prediction_of,
    reprojection_error_px,
)

ALL_TERMS = LossConfig(coord=2.0, mc=3.0, deriv_t=5.0, deriv_r=7.0)
PLAIN = {0: model(0, [np.eye(4)])}
POSES = [looking(20.0, (0.05, -0.03, 0.8)), looking(-70.0, (-0.1, 0.06, 1.1))]


def config(loss: LossConfig = ALL_TERMS, **optim: Any) -> TrialConfig:
    return TrialConfig(
        model=ModelConfig(input_px=32, weight_norm="v2"),
        data=DataConfig(points=16),
        loss=loss,
        optim=OptimConfig(**optim),
    )


def quaternion_pose(x: float, angle: float) -> list[float]:
    return [x, 0.0, 1.0, math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2)]


def by_hand(batch: Batch, step: Tensor | None = None) -> HandLayer:
    """Costs 3 and 8, log-evidences 2 and -1: their sums' mean is 6."""
    truth = pose.from_matrix(batch.T_cam_obj)
    mode = truth + 1.0
    return HandLayer(
        cost=torch.tensor([3.0, 8.0]),
        log_evidence=torch.tensor([2.0, -1.0]),
        mode=mode,
        step=truth if step is None else step,
    )


def loss_of(objective: Objective, prediction: Prediction, batch: Batch, seed: int = 0) -> LossValue:
    value: LossValue = objective(prediction, batch, torch.Generator().manual_seed(seed))
    return value


LOG_SCALE = torch.tensor([[1.0, 3.0], [5.0, 7.0]]).log()  # the mean of the scales is 4


def test_every_term_has_its_own_value_and_its_own_weight() -> None:
    batch = made_batch(POSES, [0, 0])
    mask = torch.zeros_like(batch.mask)
    mask[0, 0, :3] = mask[1, 4, 4] = True  # three visible cells of one object, one of the other
    batch = dataclasses.replace(
        batch, mask=mask, T_cam_obj=pose.to_matrix(torch.tensor([quaternion_pose(0.0, 0.0)] * 2))
    )
    coords = batch.coords + 9.0
    coords[0, :, 0, :3] = batch.coords[0, :, 0, :3]
    coords[0, 1, 0, :3] += 0.6
    coords[1, :, 4, 4] = batch.coords[1, :, 4, 4] - 0.3
    objective = Objective(config(), PLAIN)
    # 2 cm is in the quadratic part of smooth L1 (beta 5 cm), 15 cm in the linear one; a right angle.
    step = torch.tensor([quaternion_pose(0.02, math.pi / 2), quaternion_pose(-0.15, 0.0)])
    objective.layer = by_hand(batch, step)  # type: ignore[assignment]
    value = loss_of(objective, prediction_of(coords, LOG_SCALE), batch)
    expected = {
        "coord": (3 * 0.6 + 3 * 0.3) / (3 * 4),
        "mc": 6 / (0.99 * 1 + 0.01 * 4),
        "deriv_t": (0.02**2 / 2 / 0.05 + 0.15 - 0.05 / 2) / 2,
        "deriv_r": (2 * (1 - math.cos(math.pi / 4) ** 2) + 0) / 2,
    }
    weights = {"coord": 2.0, "mc": 3.0, "deriv_t": 5.0, "deriv_r": 7.0}
    assert {name: term.item() for name, term in value.raw.items()} == pytest.approx(expected, rel=1e-4)
    weighted = {name: weights[name] * expected[name] for name in weights}
    assert {name: term.item() for name, term in value.weighted.items()} == pytest.approx(weighted, rel=1e-4)
    assert value.total.item() == pytest.approx(sum(weighted.values()), rel=1e-4)


@pytest.mark.parametrize(
    ("ramp", "done", "share"),
    [(0.5, 0.0, 0.0), (0.5, 0.2, 0.4), (0.5, 0.7, 1.0), (1.0, 0.75, 0.75), (0.0, 0.0, 1.0)],
)
def test_derivative_terms_count_more_and_more(ramp: float, done: float, share: float) -> None:
    """Their weights rise in a straight line over the first part of the training; the other terms' stay."""
    batch = made_batch(POSES, [0, 0])
    objective = Objective(config(dataclasses.replace(ALL_TERMS, deriv_ramp=ramp)), PLAIN)
    objective.start(done)
    value = loss_of(objective, prediction_of(batch.coords + 0.1, LOG_SCALE), batch)
    raw = {name: term.item() for name, term in value.raw.items()}
    assert min(abs(term) for term in raw.values()) > 1e-6
    weights = {"coord": 2.0, "mc": 3.0, "deriv_t": 5.0 * share, "deriv_r": 7.0 * share}
    expected = {name: weights[name] * raw[name] for name in raw}
    assert {name: term.item() for name, term in value.weighted.items()} == pytest.approx(expected, rel=1e-5)
    assert value.total.item() == pytest.approx(sum(expected.values()), rel=1e-5)


def test_the_mean_over_all_cells_is_asked_for_by_the_config() -> None:
    batch = made_batch(POSES, [0, 0])
    coords = (batch.coords + 0.5).requires_grad_()
    for mean, share in [("visible", 1.0), ("all", batch.mask.float().mean().item())]:
        loss = LossConfig(coord=1.0, mc=0.0, coord_mean=mean)  # type: ignore[arg-type]
        value = loss_of(Objective(config(loss), PLAIN), prediction_of(coords), batch)
        assert value.total.item() == pytest.approx(0.5 * share, rel=1e-5)
        assert list(value.raw) == ["coord"]


def test_the_pose_layer_is_asked_about_the_true_pose_its_mode_and_one_threshold() -> None:
    batch = made_batch(POSES, [0, 0])
    objective, layer = Objective(config(), PLAIN), by_hand(batch)
    objective.layer = layer  # type: ignore[assignment]
    generator = torch.Generator().manual_seed(3)
    objective(prediction_of(batch.coords), batch, generator)
    asked, cost, step = (layer.noted[name] for name in ("monte_carlo", "cost", "step"))
    assert asked.generator is generator
    for given in (asked.init_pose, cost.pose):
        torch.testing.assert_close(pose.to_matrix(given), batch.T_cam_obj)
    assert torch.equal(step.pose, layer.answers.mode)
    assert cost.delta is layer.delta
    assert step.delta is layer.delta
    assert cost.given is asked.given
    assert step.given is asked.given
    assert asked.given.points_obj.shape == (2, 16, 3)  # data.points


def test_a_perfect_prediction_costs_nothing_at_the_true_pose_and_the_next_step_stays_there() -> None:
    batch = made_batch(POSES, [0, 0])
    full = dataclasses.replace(batch, mask=torch.ones_like(batch.mask))
    # Points of the cells outside of the mask are at the object's origin: only the visible ones get weight.
    logits = torch.where(batch.mask[:, None], 0.0, -60.0).expand(-1, 2, -1, -1)
    prediction = Prediction(batch.coords, logits, torch.full((2, 2), 2.0))
    wide = dataclasses.replace(config(), data=DataConfig(points=64))
    objective = Objective(wide, PLAIN)
    seen: list[Tensor] = []
    original = objective.layer.cost
    objective.layer.cost = lambda *given, **named: seen.append(original(*given, **named)) or seen[-1]  # type: ignore
    value = loss_of(objective, prediction, full)
    assert seen[0].abs().max() < 1e-4
    assert value.raw["coord"].item() == 0
    assert value.raw["deriv_t"].item() < 1e-8
    assert value.raw["deriv_r"].item() < 1e-6


@pytest.mark.parametrize("term", ["coord", "mc", "deriv_t", "deriv_r"])
def test_every_term_pulls_on_what_it_is_made_of(term: str) -> None:
    """Coordinates by all of them, weight maps by those of the pose, scales by the one of its distribution."""
    batch = made_batch(POSES, [0, 0])
    noise = torch.Generator().manual_seed(2)
    maps = [
        (batch.coords + 0.1 * torch.randn(batch.coords.shape, generator=noise)).requires_grad_(),
        torch.randn(2, 2, 8, 8, generator=noise).requires_grad_(),
        torch.full((2, 2), 2.0).requires_grad_(),
    ]
    value = loss_of(Objective(config(), PLAIN), Prediction(*maps), batch)
    gradients = torch.autograd.grad(value.raw[term], maps, allow_unused=True)
    pulls = [g is not None and bool(g.isfinite().all()) and g.abs().max().item() > 1e-6 for g in gradients]
    expected = {"coord": [True, False], "mc": [True, True], "deriv_t": [True, True], "deriv_r": [True, True]}
    assert pulls[:2] == expected[term]
    assert pulls[2] or term != "mc"


@pytest.mark.parametrize("accumulate", [1, 2, 4])
def test_the_running_scale_takes_one_hundredth_of_the_mean_scale_per_update(accumulate: int) -> None:
    batch = made_batch(POSES, [0, 0])
    objective = Objective(config(batch_size=8, accumulate=accumulate), PLAIN, norm_factor=20.0)
    objective.layer = by_hand(batch)  # type: ignore[assignment]
    log_scale = LOG_SCALE.clone().requires_grad_()
    expected = 20.0
    for _ in range(3):
        for _ in range(accumulate):
            value = loss_of(objective, prediction_of(batch.coords, log_scale), batch)
        expected = 0.99 * expected + 0.01 * 4
        assert objective.monte_carlo.norm_factor.item() == pytest.approx(expected, rel=1e-5)
        # The loss is divided by the scale after its update.
        assert value.raw["mc"].item() == pytest.approx(6 / expected, rel=1e-5)
    assert not value.raw["mc"].requires_grad  # the scale is a constant to the gradient
    objective.eval()
    loss_of(objective, prediction_of(batch.coords, log_scale), batch)
    assert objective.monte_carlo.norm_factor.item() == pytest.approx(expected, rel=1e-5)


LARGE = 2_000_000_010  # ids may be large and far apart
# Three objects: four turns about an axis beside the origin, (1, 2) cm; two about another one; none.
SYMMETRIES = {
    3: [
        np.eye(4),
        about_z(90.0, (0.03, 0.01, 0)),
        about_z(180.0, (0.02, 0.04, 0)),
        about_z(270.0, (-0.01, 0.03, 0)),
    ],
    LARGE: [np.eye(4), about_z(180.0, (0.02, -0.01, 0.0))],
    7: [np.eye(4)],
}
OBJECTS = {key: model(key, symmetries) for key, symmetries in SYMMETRIES.items()}
IDS = [3, 7, LARGE, 3]
TRUE = [looking(20.0 * i, (0.05 * i - 0.1, 0.04, 0.8 + 0.1 * i)) for i in range(4)]
PREDICTED = [3, 0, 1, 2]  # the symmetry in which the network sees each object


def equivalent(choice: list[int]) -> list[np.ndarray]:
    return [T @ SYMMETRIES[key][k] for T, key, k in zip(TRUE, IDS, choice, strict=True)]


def noted(loss: LossConfig, prediction: Prediction, batch: Batch) -> tuple[LossValue, Any]:
    """The loss, and what the pose layer was given for it."""
    objective = Objective(dataclasses.replace(config(loss), data=DataConfig(points=64)), OBJECTS)
    truth = pose.from_matrix(batch.T_cam_obj)
    layer = HandLayer(cost=torch.zeros(4), log_evidence=torch.zeros(4), mode=truth, step=truth)
    objective.layer = layer  # type: ignore[assignment]
    return loss_of(objective, prediction, batch), layer.noted["monte_carlo"]


@pytest.mark.parametrize("given", [[0, 0, 0, 0], [1, 0, 1, 3], [3, 0, 0, 1], [2, 0, 1, 2]])
def test_each_object_is_trained_on_the_equivalent_pose_that_was_predicted(given: list[int]) -> None:
    """Whichever of its equivalent poses the dataset names; coordinates and pose are of one symmetry."""
    batch = made_batch(equivalent(given), IDS, TRUE)
    seen = made_batch(equivalent(PREDICTED), IDS, TRUE)  # the same crops and depths, other coordinates
    noise = 0.02 * torch.randn(seen.coords.shape, generator=torch.Generator().manual_seed(0))
    coords = torch.where(seen.mask[:, None], seen.coords + noise, 5.0)  # nobody looks outside of the mask
    loss = dataclasses.replace(ALL_TERMS, symmetric=True)
    value, asked = noted(loss, prediction_of(coords), batch)
    torch.testing.assert_close(pose.to_matrix(asked.init_pose), seen.T_cam_obj, rtol=1e-4, atol=1e-5)
    expected = (noise * seen.mask[:, None]).abs().sum() / (3 * seen.mask.sum())
    assert value.raw["coord"].item() == pytest.approx(expected.item(), rel=1e-3)
    exact, asked = noted(loss, prediction_of(seen.coords), batch)
    error_px = reprojection_error_px(asked.given, pose.to_matrix(asked.init_pose))
    visible = asked.given.points_obj.abs().sum(-1) > 0
    assert error_px[visible].max() < 0.01
    assert exact.raw["coord"].item() < 1e-5


def test_without_the_setting_the_datasets_pose_is_the_target() -> None:
    batch = made_batch(TRUE, IDS)
    seen = made_batch(equivalent(PREDICTED), IDS, TRUE)
    value, asked = noted(ALL_TERMS, prediction_of(seen.coords), batch)
    torch.testing.assert_close(pose.to_matrix(asked.init_pose), batch.T_cam_obj)
    expected = (seen.coords - batch.coords).abs().sum() / (3 * batch.mask.sum())
    assert value.raw["coord"].item() == pytest.approx(expected.item(), rel=1e-5)
