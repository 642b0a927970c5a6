"""Learning rates over whole trainings, updates of both optimisers, clipping, loss scale, averaged weights.

Each against the formula of its paper, written down here in plain numpy.
"""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from epropnp.models.config import ModelConfig
from epropnp.models.network import CorrespondenceNet
from epropnp.training.config import OptimConfig
from epropnp.training.objective import Objective
from epropnp.training.optim import Updates, learning_rate, make_optimiser
from tests.training.test_objective import PLAIN
from tests.training.test_objective import config as trial_with
from tests.training.tiny import tiny


def rates(config: OptimConfig, steps_per_epoch: int) -> list[float]:
    """Of every update of a whole training."""
    return [learning_rate(config, step, steps_per_epoch) for step in range(config.epochs * steps_per_epoch)]


@pytest.mark.parametrize("steps_per_epoch", [1, 7])
def test_steps_divide_the_rate_by_ten_after_each_milestone(steps_per_epoch: int) -> None:
    """The report: 160 epochs, a tenth after 50, after 100 and after 150 of them."""
    expected = np.repeat([1e-4, 1e-5, 1e-6, 1e-7], np.array([50, 50, 50, 10]) * steps_per_epoch)
    np.testing.assert_allclose(rates(OptimConfig(), steps_per_epoch), expected, rtol=1e-9)


def test_milestones_are_those_of_the_config() -> None:
    config = OptimConfig(lr=0.3, milestones=(0.25, 0.75), epochs=4)
    np.testing.assert_allclose(rates(config, 2), [0.3, 0.3, 0.03, 0.03, 0.03, 0.03, 0.003, 0.003], rtol=1e-9)


@pytest.mark.parametrize("epochs", [1, 3, 7, 160, 199])
def test_a_share_that_is_no_whole_epoch_divides_the_rate_at_the_epoch_before(epochs: int) -> None:
    """Integer arithmetic: after 150 * epochs // 160 epochs of 3 updates each."""
    found = rates(OptimConfig(lr=1.0, milestones=(0.9375,), epochs=epochs), 3)
    full = 3 * (150 * epochs // 160)
    np.testing.assert_allclose(found, [1.0] * full + [0.1] * (3 * epochs - full), rtol=1e-9)


def test_every_quotient_of_whole_epochs_is_a_share_that_means_them() -> None:
    for epochs in range(1, 201):
        config = OptimConfig(milestones=tuple(epoch / epochs for epoch in range(epochs + 1)), epochs=epochs)
        assert config.milestone_epochs == tuple(range(epochs + 1))


def cycle(lr: float, total: int) -> np.ndarray:
    """A straight line up to `lr` over 15 % of the updates, then half a cosine down to a floor."""
    done = np.arange(1, total + 1) / total
    down = lr * np.cos(np.pi / 2 * (done - 0.15) / 0.85) ** 2 + 0.001 * lr
    return np.where(done < 0.15, lr * done / 0.15, down)


@pytest.mark.parametrize(("epochs", "steps_per_epoch"), [(4, 10), (1, 40), (8, 25), (3, 7)])
def test_one_cycle_over_a_whole_training(epochs: int, steps_per_epoch: int) -> None:
    config = OptimConfig(lr=2e-3, schedule="onecycle", epochs=epochs)
    np.testing.assert_allclose(
        rates(config, steps_per_epoch), cycle(2e-3, epochs * steps_per_epoch), rtol=1e-6
    )


def test_one_cycle_at_points_worked_out_by_hand() -> None:
    found = rates(OptimConfig(lr=2e-3, schedule="onecycle", epochs=4, milestones=(0.25,)), 10)
    assert found[0] == pytest.approx(2e-3 / 6)  # the first of the 6 updates that warm up
    assert found[2] == pytest.approx(2e-3 / 2)
    assert found[5] == max(found) == pytest.approx(2e-3, rel=2e-3)  # at 15 %
    assert found[22] == pytest.approx(1e-3 + 2e-6)  # in the middle of the cosine
    assert found[39] == min(found) == pytest.approx(2e-6)  # a thousandth at the end


class Toy(nn.Module):
    """A matrix, a bias, and the two kinds of buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=torch.float64))
        self.bias = nn.Parameter(torch.tensor([0.3, -0.7], dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(2, dtype=torch.float64))
        self.register_buffer("count", torch.tensor(0))


class Threshold(nn.Module):
    """Stands for an objective with a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.log_delta = nn.Parameter(torch.tensor(-2.3, dtype=torch.float64))


def toy_updates(steps_per_epoch: int = 4, **settings: Any) -> Updates:
    given: dict[str, Any] = {"epochs": 1, "schedule": "onecycle", "lr": 0.1}
    config = OptimConfig(**(given | settings))
    return Updates(Toy(), Threshold(), config, steps_per_epoch)  # type: ignore[arg-type]


def parameters(updates: Updates) -> list[nn.Parameter]:
    """Matrix, bias, threshold."""
    found = {p.ndim: p for group in updates.optimiser.param_groups for p in group["params"]}
    return [found[2], found[1], found[0]]


def linear(updates: Updates, gradients: list[np.ndarray]) -> Tensor:
    """A loss that has these gradients."""
    pairs = zip(parameters(updates), gradients, strict=True)
    return torch.stack([(p * torch.from_numpy(np.asarray(g))).sum() for p, g in pairs]).sum()


def update(updates: Updates, step: int, gradients: list[np.ndarray]) -> Tensor:
    updates.start(step)
    updates.backward(linear(updates, gradients))
    norm = updates.clip()
    updates.apply(step)
    return norm


# Of four updates; one of each is so small that the epsilon matters.
GRADIENTS = [
    [np.array([[0.5, -1.0], [2e-7, 3.0]]) * k, np.array([0.1, -0.2]) / k, np.array(0.4 - 0.1 * k)]
    for k in (1.0, -2.0, 0.5, 3.0)
]


def rmsprop(p: np.ndarray, gradients: list[np.ndarray], lr: np.ndarray, decay: float) -> np.ndarray:
    square = np.zeros_like(p)
    for g, rate in zip(gradients, lr, strict=True):
        g = g + decay * p
        square = 0.99 * square + 0.01 * g**2
        p = p - rate * g / (np.sqrt(square) + 1e-8)
    return p


def adamw(p: np.ndarray, gradients: list[np.ndarray], lr: np.ndarray, decay: float) -> np.ndarray:
    mean, square = np.zeros_like(p), np.zeros_like(p)
    for t, (g, rate) in enumerate(zip(gradients, lr, strict=True), 1):
        p = p * (1 - rate * decay)
        mean, square = 0.9 * mean + 0.1 * g, 0.99 * square + 0.01 * g**2
        p = p - rate * (mean / (1 - 0.9**t)) / (np.sqrt(square / (1 - 0.99**t)) + 1e-8)
    return p


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("optimiser", ["rmsprop", "adamw"])
def test_updates_follow_the_optimisers_formula_also_after_a_resume(optimiser: str, decay: float) -> None:
    settings: dict[str, Any] = {"optimiser": optimiser, "weight_decay": decay}
    updates = toy_updates(**settings)
    start = [p.detach().numpy().copy() for p in parameters(updates)]
    for step in range(4):
        if step == 2:  # as another process would go on
            saved, weights = copy.deepcopy(updates.state_dict()), [p.detach() for p in parameters(updates)]
            updates = toy_updates(**settings)
            updates.load_state_dict(saved)
            with torch.no_grad():
                for mine, theirs in zip(parameters(updates), weights, strict=True):
                    mine.copy_(theirs)
        update(updates, step, GRADIENTS[step])
    formula = rmsprop if optimiser == "rmsprop" else adamw
    # AdamW leaves what is no matrix alone.
    decays = [decay, decay, decay] if optimiser == "rmsprop" else [decay, 0.0, 0.0]
    for i, p in enumerate(parameters(updates)):
        expected = formula(start[i], [g[i] for g in GRADIENTS], cycle(0.1, 4), decays[i])
        np.testing.assert_allclose(p.detach().numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("backbone", ["test_resnet", "test_convnext"])
def test_without_gradient_only_kernels_and_matrices_decay(backbone: str) -> None:
    torch.manual_seed(0)
    net = CorrespondenceNet(ModelConfig(backbone=backbone, input_px=64, head_width=16, weight_norm="v1b"))
    for p in net.parameters():
        nn.init.uniform_(p, 0.5, 1.5)
        p.grad = torch.zeros_like(p)
    optimiser = make_optimiser([net], OptimConfig(optimiser="adamw", lr=0.1, weight_decay=0.5))
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    optimiser.step()
    kinds = nn.Linear | nn.Conv2d | nn.ConvTranspose2d
    kernels = {f"{name}.weight" for name, module in net.named_modules() if isinstance(module, kinds)}
    assert len(kernels) > 10
    for name, p in net.named_parameters():
        factor = 1 - 0.1 * 0.5 if name in kernels else 1.0
        torch.testing.assert_close(p.detach(), factor * before[name], rtol=1e-6, atol=0, msg=name)


@pytest.mark.parametrize("optimiser", ["rmsprop", "adamw"])
def test_every_parameter_of_network_and_objective_is_trained_once_at_the_rate_of_the_step(
    optimiser: str,
) -> None:
    net = CorrespondenceNet(tiny().model)
    trial = trial_with()
    objective = Objective(trial, PLAIN)
    objective.layer.log_delta = nn.Parameter(torch.zeros(()))
    config = OptimConfig(optimiser=optimiser, schedule="onecycle", epochs=2, lr=0.5)  # type: ignore[arg-type]
    updates = Updates(net, objective, config, 5)
    groups = updates.optimiser.param_groups
    trained = [id(p) for group in groups for p in group["params"]]
    assert sorted(trained) == sorted(id(p) for p in [*net.parameters(), objective.layer.log_delta])
    for step, rate in enumerate(cycle(0.5, 10)):
        net.output.weight.grad = torch.ones_like(net.output.weight)
        assert updates.start(step) == pytest.approx(rate)
        assert [group["lr"] for group in groups] == pytest.approx([rate] * len(groups))
        assert net.output.weight.grad is None  # nothing is left of the last update's gradient
