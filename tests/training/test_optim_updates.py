"""One update: accumulated, clipped, scaled in fp16, and what it leaves in the averaged weights."""

import copy

import numpy as np
import pytest
import torch

from epropnp.training.optim import Updates
from tests.training.test_optim import linear, parameters, toy_updates, update

# Norms: matrix 3, bias 4, threshold 12; all together 13.
KNOWN = [np.array([[1.0, 2.0], [2.0, 0.0]]), np.array([0.0, -4.0]), np.array(12.0)]


def gradients(updates: Updates) -> list[np.ndarray]:
    return [p.grad.numpy() for p in parameters(updates) if p.grad is not None]


@pytest.mark.parametrize(("limit", "factor"), [(6.5, 0.5), (13.1, 1.0), (1000.0, 1.0), (None, 1.0)])
@pytest.mark.parametrize("precision", ["float32", "fp16"])
def test_gradients_above_the_limit_are_shortened_to_it_and_the_norm_before_is_told(
    limit: float | None, factor: float, precision: str
) -> None:
    """The norm is that of all parameters together, the objective's too, without fp16's loss scale."""
    updates = toy_updates(clip_norm=limit, precision=precision)
    updates.start(0)
    updates.backward(linear(updates, KNOWN))
    assert updates.clip().item() == pytest.approx(13.0, rel=1e-6)
    for found, known in zip(gradients(updates), KNOWN, strict=True):
        np.testing.assert_allclose(found, factor * known, rtol=1e-5)


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_parts_of_a_batch_share_one_gradient_that_is_their_mean(parts: int) -> None:
    updates = toy_updates(accumulate=parts, clip_norm=6.5, batch_size=4)
    updates.start(0)
    for part in range(parts):  # of mean 1 to 2.5
        updates.backward((1 + part) * linear(updates, KNOWN))
    mean = (1 + parts) / 2
    for found, known in zip(gradients(updates), KNOWN, strict=True):
        np.testing.assert_allclose(found, mean * known, rtol=1e-9)
    assert updates.clip().item() == pytest.approx(mean * 13)  # clipped once, when all parts are in
    assert np.sqrt(sum((g**2).sum() for g in gradients(updates))) == pytest.approx(6.5, rel=1e-5)


def test_averaged_weights_follow_the_decay_that_warms_up() -> None:
    """Update n keeps 1 - n^(-2/3) of the average, at most the decay; floating buffers are averaged, too."""
    updates = toy_updates(steps_per_epoch=8, ema=0.6)
    net, average = updates.net, updates.evaluated
    assert average is not net
    expected = {name: value.double() for name, value in net.state_dict().items()}
    for step in range(8):
        net.state_dict()["mean"] += 1.0 + step
        net.state_dict()["count"] += 3
        if step == 5:  # as another process would go on
            saved, weights = copy.deepcopy(updates.state_dict()), copy.deepcopy(net.state_dict())
            updates = toy_updates(steps_per_epoch=8, ema=0.6)
            updates.load_state_dict(saved)
            updates.net.load_state_dict(weights)
            net, average = updates.net, updates.evaluated
        update(updates, step, KNOWN)
        keep = min(0.6, 1 - (step + 1) ** (-2 / 3))
        for name, value in net.state_dict().items():
            mixed = keep * expected[name] + (1 - keep) * value.double()
            expected[name] = value.double() if name == "count" else mixed
            np.testing.assert_allclose(average.state_dict()[name].double(), expected[name], rtol=1e-9)
    assert not average.training


def test_without_an_average_the_weights_themselves_are_evaluated() -> None:
    updates = toy_updates(ema=None)
    assert updates.evaluated is updates.net
    assert "average" not in updates.state_dict()


def test_only_fp16_scales_its_loss() -> None:
    for precision, enabled in [("float32", False), ("bf16", False), ("fp16", True)]:
        assert toy_updates(precision=precision).scaler.is_enabled() == enabled


def test_fp16_moves_the_weights_as_float32_does() -> None:
    plain, scaled = toy_updates(), toy_updates(precision="fp16")
    for step in range(2):
        for updates in (plain, scaled):
            update(updates, step, KNOWN)
    for mine, theirs in zip(parameters(scaled), parameters(plain), strict=True):
        np.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), rtol=1e-9)


def test_the_loss_scale_and_its_count_of_good_updates_survive_a_resume() -> None:
    first = toy_updates(precision="fp16")
    first.scaler.load_state_dict(first.scaler.state_dict() | {"scale": 1024.0, "growth_interval": 4})
    for step in range(2):
        update(first, step, KNOWN)
    second = toy_updates(precision="fp16")
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    update(second, 2, KNOWN)
    assert second.scaler.get_scale() == 1024
    update(second, 3, KNOWN)  # the fourth good one in a row
    assert second.scaler.get_scale() == 2048


def test_an_update_that_is_left_out_halves_the_loss_scale_and_moves_nothing() -> None:
    updates = toy_updates(precision="fp16", ema=0.5)
    before = [p.detach().clone() for p in parameters(updates)]
    scale = updates.scaler.get_scale()
    updates.start(0)
    updates.backward(linear(updates, [np.full((2, 2), np.inf), *KNOWN[1:]]))
    assert not updates.clip().isfinite()
    updates.leave_out()
    assert updates.scaler.get_scale() == scale / 2
    assert all(torch.equal(p, b) for p, b in zip(parameters(updates), before, strict=True))
    norm = update(updates, 1, KNOWN)  # and the next one goes on
    assert norm.item() == pytest.approx(13.0, rel=1e-6)
    assert not any(torch.equal(p, b) for p, b in zip(parameters(updates), before, strict=True))
