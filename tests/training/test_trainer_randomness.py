"""Every random choice differs between updates and between parts, and the seed alone repeats them."""

import dataclasses
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from epropnp.training import terms
from epropnp.training import trainer as trainer_module
from epropnp.training.callbacks import Callback
from epropnp.training.config import TrialConfig
from epropnp.training.result import StepReport
from epropnp.training.trainer import Trainer
from tests.training.tiny import Killed, Stop, tiny

EPOCHS, UPDATES, PARTS = 2, 2, 2  # 64 samples in batches of 32, each in two parts
SCORES = dict.fromkeys(("add_area", "mspd_ar", "add_auc_10cm", "add_0.10d"), 0.0)


def config(seed: int = 0, **optim: Any) -> TrialConfig:
    start = tiny(seed=seed)
    return dataclasses.replace(
        start,
        pnp=dataclasses.replace(start.pnp, amis_samples=4, amis_iterations=2),
        loss=dataclasses.replace(start.loss, deriv_t=0.0, deriv_r=0.0),
        optim=dataclasses.replace(
            start.optim, **{"epochs": EPOCHS, "batch_size": 32, "accumulate": PARTS, **optim}
        ),
        data=dataclasses.replace(start.data, points=16),
    )


class Drawn(NamedTuple):
    """What each part of each update has drawn, as values that can be compared."""

    order: list[tuple[int, ...]]
    cells: list[bytes]
    posterior: list[bytes]  # what the solver and the sampler are about to draw
    dropout: list[bytes]
    start: bytes  # the network's first weights


class Junk(Callback):
    """Somebody else who draws random numbers, and seeds their generators."""

    def on_step(self, report: StepReport) -> None:
        random.seed(0)
        np.random.seed(0)
        torch.manual_seed(0)


@pytest.fixture(scope="module")
def runs(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Drawn]]:
    """Trains with some seed, in one piece or in two, and says what was drawn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            trainer_module, "predict", lambda *_: torch.rand(5)
        )  # evaluation may draw what it likes
        patch.setattr(trainer_module, "score", lambda *_: SCORES)

        def run(seed: int = 0, junk: bool = False, stop: Stop | None = None, epochs: int = EPOCHS) -> Drawn:
            folder = tmp_path_factory.mktemp("run")
            drawn = Drawn([], [], [], [], b"")
            for last in (stop, Stop(epochs)) if stop else (Stop(epochs),):
                if junk:
                    torch.rand(11)
                trainer = Trainer(config(seed), tiny_dataset, folder, "cpu", checkpoint_s=0)
                start = bytes(drawn.start) or trainer.net.output.weight.detach().numpy().tobytes()
                drawn = drawn._replace(start=start)
                note(trainer, drawn, patch)
                with pytest.raises(Killed):
                    trainer.fit([Junk(), last] if junk else [last])
            return drawn

        yield run


def note(trainer: Trainer, drawn: Drawn, patch: pytest.MonkeyPatch) -> None:
    """Watch a trainer's draws; it draws no pictures, whose passes of the network would be counted."""
    trainer.frames.images = 0

    def cells(*args: Any) -> Tensor:
        chosen = random_cells(*args)
        drawn.cells.append(chosen.sort(1).values.numpy().tobytes())
        return chosen

    def posterior(*args: Any, generator: torch.Generator, **kwargs: Any) -> Any:
        drawn.posterior.append(torch.rand(4, generator=generator.clone_state()).numpy().tobytes())
        return monte_carlo(*args, generator=generator, **kwargs)

    def dropout(module: nn.Module, inputs: Any, output: Tensor) -> None:
        drawn.dropout.append(F.dropout(torch.ones(64)).numpy().tobytes())

    def objective(module: nn.Module, inputs: Any) -> None:
        drawn.order.append(tuple(inputs[1].index.tolist()))

    random_cells, monte_carlo = ORIGINAL_CELLS, trainer.objective.layer.monte_carlo
    patch.setattr(terms, "random_cells", cells)
    trainer.objective.layer.monte_carlo = posterior  # type: ignore[assignment, method-assign]
    trainer.net.head.register_forward_hook(dropout)
    trainer.objective.register_forward_pre_hook(objective)


ORIGINAL_CELLS = terms.random_cells


@pytest.fixture(scope="module")
def first(runs: Callable[..., Drawn]) -> Drawn:
    return runs()


DRAWS = ("cells", "posterior", "dropout")


@pytest.mark.parametrize("name", DRAWS)
def test_no_part_of_any_update_draws_what_another_one_has_drawn(first: Drawn, name: str) -> None:
    values = getattr(first, name)
    assert len(values) == EPOCHS * UPDATES * PARTS
    assert len(set(values)) == len(values)


def test_each_epoch_visits_every_sample_once_in_an_order_of_its_own(first: Drawn) -> None:
    parts = first.order
    assert {len(part) for part in parts} == {16}
    epochs = [sum(parts[i : i + UPDATES * PARTS], ()) for i in (0, UPDATES * PARTS)]
    for order in epochs:
        assert sorted(order) == list(range(64))
        assert list(order) != sorted(order)
    assert epochs[0] != epochs[1]


def test_the_seed_repeats_all_draws_whatever_else_draws_and_seeds(
    runs: Callable[..., Drawn], first: Drawn
) -> None:
    assert runs(junk=True) == first


def test_a_resumed_training_draws_what_was_left(runs: Callable[..., Drawn], first: Drawn) -> None:
    cut = runs(junk=True, stop=Stop(1, 2))  # its second update is not in the checkpoint: it is repeated
    assert cut.order[: 2 * PARTS] == first.order[: 2 * PARTS]
    for name in ("order", *DRAWS):
        assert getattr(cut, name)[2 * PARTS :] == getattr(first, name)[PARTS:], name


def test_another_seed_changes_every_draw(runs: Callable[..., Drawn], first: Drawn) -> None:
    other = runs(seed=1, epochs=1)
    assert other.start != first.start
    for name in DRAWS:
        assert not set(getattr(other, name)) & set(getattr(first, name)), name
    assert not set(other.order) & set(first.order)


@pytest.mark.parametrize("sampler", ["random", "quasi"])
def test_the_samples_of_a_posterior_differ_by_themselves(
    sampler: Literal["random", "quasi"], tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same images, cells, weights and modes in every update: only the pose samples are left to differ."""
    monkeypatch.setattr(terms, "random_cells", lambda maps, *_: torch.arange(16).expand(len(maps.coords), -1))
    still = config(lr=0.0, weight_decay=0.0)
    still = dataclasses.replace(still, pnp=dataclasses.replace(still.pnp, rslm_proposals=0, sampler=sampler))
    trainer = Trainer(still, tiny_dataset, tmp_path, "cpu")
    trainer.net.eval()
    monte_carlo, losses = trainer.objective.layer.monte_carlo, list[float]()
    modes, samples = list[bytes](), list[bytes]()

    def kept(*args: Any, **kwargs: Any) -> Any:
        posterior = monte_carlo(*args, **kwargs)
        modes.append(posterior.solution.pose.numpy().tobytes())
        samples.append(posterior.samples.numpy().tobytes())
        return posterior

    trainer.objective.layer.monte_carlo = kept  # type: ignore[method-assign]
    trainer.objective.eval()
    part = next(trainer.data.batches(1))[0]
    for step in (0, 1, 0):
        losses.append(float(trainer._update([part, part], step)))
    assert len(set(modes)) == 1
    assert len(set(samples)) == 2 * PARTS
    assert samples[:PARTS] == samples[2 * PARTS :]
    assert losses[0] == losses[2] != losses[1]


def test_the_chosen_cells_do_not_depend_on_what_the_network_draws(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two networks, with dropout and without, are trained on the same cells."""
    chosen: list[Tensor] = []

    def cells(*args: Any) -> Tensor:
        chosen.append(ORIGINAL_CELLS(*args))
        return chosen[-1]

    def dropout(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        return F.dropout(output, 0.1)

    monkeypatch.setattr(terms, "random_cells", cells)
    trainer = Trainer(config(), tiny_dataset, tmp_path, "cpu")
    part = next(trainer.data.batches(1))[0]
    trainer._part_loss(part, 0)
    trainer.net.head.register_forward_hook(dropout)
    trainer._part_loss(part, 0)
    assert torch.equal(chosen[0], chosen[1])
