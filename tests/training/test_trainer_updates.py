"""What the trainer does in every update of a training, recorded from outside and compared with formulas.

Two epochs of four updates, each in two parts, with everything on that drives an update. Evaluation is
replaced by given scores: the first epoch is the best one.
"""

import copy
import dataclasses
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from epropnp.inference.temperature import Temperatures
from epropnp.models.released import Released
from epropnp.pnp import PnPConfig
from epropnp.training import trainer as trainer_module
from epropnp.training.callbacks import Callback
from epropnp.training.config import DataConfig, TrialConfig
from epropnp.training.result import StepReport
from epropnp.training.trainer import Trainer
from tests.training.test_optim import cycle
from tests.training.tiny import Killed, Stop, tiny

State = dict[str, Tensor]
LIMIT, DECAY, SEED = 0.5, 0.7, 11
SCORES = {0: 0.1, 1: 0.9, 2: 0.5}  # of the validation split by epoch


def config(**optim: Any) -> TrialConfig:
    base = tiny(seed=SEED, pnp=PnPConfig(amis_samples=8, learn_delta=True), data=DataConfig(points=16))
    changes = {"epochs": 2, "accumulate": 2, "clip_norm": LIMIT, "ema": DECAY, "weight_decay": 0.01}
    return dataclasses.replace(
        base,
        loss=dataclasses.replace(base.loss, deriv_ramp=0.5),
        optim=dataclasses.replace(base.optim, **(changes | optim)),
        evaluation=dataclasses.replace(base.evaluation, temperature="none"),
    )


class Recorder(Callback):
    """Notes what goes through one trainer."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.seeds: list[tuple[int, int]] = []  # of each part: its generator's, and torch's own
        self.indices: list[list[int]] = []  # of each part
        self.modes: list[tuple[bool, bool]] = []
        self.losses: list[float] = []
        self.shares: list[float] = []  # of each part: what counts of the weights of the derivative terms
        self.scales: list[
            tuple[float, float]
        ] = []  # of each part: mean predicted scale, running one after it
        self.rates: list[list[float]] = []  # of each update, by group
        self.norms: list[tuple[float, float]] = []  # before and after clipping
        self.reports: list[float] = []
        self.weights: list[State] = []  # after each update
        self.averages: list[State] = []
        self.objectives: list[State] = []
        self.tested: list[tuple[str, State, float]] = []  # split, weights, log of the threshold
        self._wrap()

    def _wrap(self) -> None:
        trainer, updates = self.trainer, self.trainer.updates
        objective, clip = trainer.objective.forward, updates.clip

        def forward(prediction: Any, batch: Any, generator: torch.Generator) -> Any:
            self.seeds.append((generator.initial_seed(), torch.initial_seed()))
            self.indices.append(batch.index.tolist())
            self.modes.append((trainer.net.training, trainer.objective.training))
            value = objective(prediction, batch, generator)
            self.losses.append(value.total.item())
            self.shares.append((value.weighted["deriv_t"] / value.raw["deriv_t"]).item() / 0.1)
            norm_factor = trainer.objective.monte_carlo.norm_factor.item()
            self.scales.append((prediction.log_scale.detach().exp().mean().item(), norm_factor))
            return value

        def clipped() -> Tensor:
            before = self._norm()
            told = clip()
            self.norms.append((before, self._norm()))
            return told

        trainer.objective.forward = forward  # type: ignore[method-assign]
        updates.clip = clipped  # type: ignore[method-assign]
        updates.optimiser.register_step_pre_hook(
            lambda optimiser, *_: self.rates.append([group["lr"] for group in optimiser.param_groups])
        )

    def _norm(self) -> float:
        trained = [*self.trainer.net.parameters(), *self.trainer.objective.parameters()]
        return math.sqrt(sum(float(p.grad.double().square().sum()) for p in trained if p.grad is not None))

    def on_step(self, report: StepReport) -> None:
        self.reports.append(report.loss.item())
        self.weights.append(copy.deepcopy(self.trainer.net.state_dict()))
        self.averages.append(copy.deepcopy(self.trainer.updates.evaluated.state_dict()))
        self.objectives.append(copy.deepcopy(self.trainer.objective.state_dict()))

    def predict(self, inference: Any, crops: Any, *_: Any) -> SimpleNamespace:
        """In place of `evaluator.predict`, which leaves evaluation mode behind."""
        self.trainer.net.eval()
        self.trainer.objective.eval()
        split = crops.records.name
        self.tested.append(
            (split, copy.deepcopy(inference.net.state_dict()), inference.layer.log_delta.item())
        )
        return SimpleNamespace(
            sample_id=[], temperatures=Temperatures(), write=lambda file: file.write_bytes(b"")
        )

    def score(self, *_: Any) -> dict[str, float]:
        """In place of `scores.score`."""
        value = SCORES.get(self.trainer.state.epoch + 1, 0.0)
        return dict.fromkeys(("add_area", "mspd_ar", "add_auc_10cm", "add_0.10d"), value)


def recorded(
    dataset: Path, folder: Path, *callbacks: Callback, initial: list[State] | None = None
) -> Recorder:
    """One call of `fit`."""
    with pytest.MonkeyPatch.context() as patch:
        trainer = Trainer(config(), dataset, folder, "cpu", checkpoint_s=0)
        recorder = Recorder(trainer)
        patch.setattr(trainer_module, "predict", recorder.predict)
        patch.setattr(trainer_module, "score", recorder.score)
        patch.setattr(trainer_module, "errors_beside", lambda *_: None)
        patch.setattr(trainer_module, "mean_scores", recorder.score)
        if initial is not None:
            initial.append(copy.deepcopy(trainer.net.state_dict()))
        if callbacks:
            with pytest.raises(Killed):
                trainer.fit([recorder, *callbacks])
        else:
            trainer.fit([recorder])
    return recorder


@dataclasses.dataclass
class Training:
    whole: Recorder
    initial: State  # weights before the first update
    folder: Path


@pytest.fixture(scope="module")
def training(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Training:
    folder = tmp_path_factory.mktemp("whole")
    initial: list[State] = []
    return Training(recorded(tiny_dataset, folder, initial=initial), initial[0], folder)


@pytest.fixture(scope="module")
def rest(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    """Of the same training, from the middle of its second epoch on."""
    folder = tmp_path_factory.mktemp("cut")
    recorded(tiny_dataset, folder, Stop(2, 2))
    # The stop comes before the second update is saved: the resume goes on from the first.
    return recorded(tiny_dataset, folder)


def test_every_update_uses_the_rate_of_the_cycle_in_all_groups(training: Training) -> None:
    expected = cycle(2e-3, 8)
    np.testing.assert_allclose(training.whole.rates, np.stack([expected, expected], 1), rtol=1e-6)
    history = training.whole.trainer.state.history
    lr = [metrics["train/lr"] for metrics in history[1:]]
    np.testing.assert_allclose(lr, expected.reshape(2, 4).mean(1), rtol=1e-5)


def test_derivative_terms_reach_their_weights_in_the_middle(training: Training, rest: Recorder) -> None:
    """In a resumed training, too: 8 updates of 2 parts, the share of the one that follows 3 being 3 / 4."""
    expected = np.repeat([0, 0.25, 0.5, 0.75, 1, 1, 1, 1], 2)
    np.testing.assert_allclose(training.whole.shares, expected, atol=1e-5)
    np.testing.assert_allclose(rest.shares, expected[-len(rest.shares) :], atol=1e-5)


def test_gradients_are_clipped_in_every_update_and_the_norm_before_is_logged(training: Training) -> None:
    before, after = np.array(training.whole.norms).T
    assert (before > LIMIT).any()
    np.testing.assert_allclose(after, np.minimum(before, LIMIT), rtol=1e-4)
    logged = [metrics["train/grad_norm"] for metrics in training.whole.trainer.state.history[1:]]
    np.testing.assert_allclose(logged, before.reshape(2, 4).mean(1), rtol=1e-4)


def test_losses_of_parts_are_averaged_for_the_report_and_the_history(training: Training) -> None:
    of_updates = np.array(training.whole.losses).reshape(8, 2).mean(1)
    np.testing.assert_allclose(training.whole.reports, of_updates, rtol=1e-5)
    logged = [metrics["train/loss"] for metrics in training.whole.trainer.state.history[1:]]
    np.testing.assert_allclose(logged, of_updates.reshape(2, 4).mean(1), rtol=1e-5)


def test_draws_are_numbered_over_all_parts_of_the_training(training: Training) -> None:
    """Part i of the training draws from (seed, i), whatever happened before: sampling and dropout alike."""
    keys = [np.random.SeedSequence(SEED, spawn_key=(i,)) for i in range(16)]
    numbers = [int(key.generate_state(1, np.uint64)[0]) for key in keys]
    assert [generator for generator, _ in training.whole.seeds] == numbers
    assert len({own for _, own in training.whole.seeds}) == 16


def test_parts_are_halves_of_the_batch_and_an_epoch_sees_every_sample_once(training: Training) -> None:
    assert {len(part) for part in training.whole.indices} == {8}
    for epoch in (training.whole.indices[:8], training.whole.indices[8:]):
        assert sorted(index for part in epoch for index in part) == list(range(64))


def test_every_update_is_made_in_training_mode(training: Training) -> None:
    """Also after the evaluation of an epoch has switched it off."""
    assert set(training.whole.modes) == {(True, True)}
    assert len(training.whole.modes) == 16


def test_the_running_scale_goes_on_over_updates_and_epochs(training: Training) -> None:
    expected, momentum = 1.0, 1 - math.sqrt(0.99)  # two parts make one hundredth
    for mean, after in training.whole.scales:
        expected += momentum * (mean - expected)
        assert after == pytest.approx(expected, rel=1e-5)


def test_the_average_follows_its_formula_over_epochs(training: Training) -> None:
    average = {name: value.double() for name, value in training.initial.items()}
    for n, (weights, found) in enumerate(
        zip(training.whole.weights, training.whole.averages, strict=True), 1
    ):
        keep = min(DECAY, 1 - n ** (-2 / 3))
        for name, value in weights.items():
            counter = not value.is_floating_point()
            average[name] = value if counter else keep * average[name] + (1 - keep) * value.double()
            torch.testing.assert_close(found[name].double(), average[name].double(), rtol=1e-4, atol=1e-6)


def same(first: State, second: State) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_the_average_is_what_is_evaluated_kept_and_tested(training: Training) -> None:
    whole = training.whole
    assert [split for split, *_ in whole.tested] == ["validation"] * 4 + ["test"]
    weights = [state for _, state, _ in whole.tested]
    of_best = whole.averages[3]  # after the first epoch, the best one
    epochs = [training.initial, of_best, whole.averages[7]]
    for found, expected in zip(weights, [*epochs, of_best, of_best], strict=True):
        assert same(found, expected)
    best = torch.load(training.folder / "best.pt", weights_only=True)
    assert same(best["net"], of_best)
    assert same(best["objective"], whole.objectives[3])
    last = torch.load(training.folder / "checkpoint.pt", weights_only=True)
    assert same(last["net"], whole.weights[7])
    assert same(last["objective"], whole.objectives[7])
    assert same(last["updates"]["average"], whole.averages[7])
    assert not same(last["net"], last["updates"]["average"])


def test_a_learnt_threshold_is_trained_in_every_update_and_tested_as_it_was_in_the_best_epoch(
    training: Training,
) -> None:
    learnt = [state["layer.log_delta"].item() for state in training.whole.objectives]
    assert len({math.log(0.1), *learnt[:-1]}) == 8  # the last rate is so low that float32 may not show it
    thresholds = [threshold for *_, threshold in training.whole.tested]
    assert thresholds == [pytest.approx(math.log(0.1)), learnt[3], learnt[7], learnt[3], learnt[3]]


def test_a_resume_in_the_midst_of_an_epoch_goes_on_with_everything(
    training: Training, rest: Recorder
) -> None:
    """From update 5 of 8, parts 10 of 16: all that the tests above have found right in the whole."""
    whole = training.whole
    assert len(rest.rates) == 3
    np.testing.assert_allclose(rest.rates, np.stack([cycle(2e-3, 8)[5:]] * 2, 1), rtol=1e-6)
    assert rest.norms == whole.norms[5:]
    assert (rest.seeds, rest.indices, rest.scales) == (
        whole.seeds[10:],
        whole.indices[10:],
        whole.scales[10:],
    )
    for kept in ("weights", "averages", "objectives"):
        mine, theirs = getattr(rest, kept), getattr(whole, kept)[5:]
        assert all(same(a, b) for a, b in zip(mine, theirs, strict=True)), kept
    histories = [recorder.trainer.state.history for recorder in (rest, whole)]
    for name in ("train/loss", "train/lr", "train/grad_norm"):  # also of the epoch that was cut in two
        assert len({tuple(epoch[name] for epoch in history[1:]) for history in histories}) == 1


@pytest.mark.parametrize("factor", [7.5, None])
def test_the_running_scale_starts_where_a_released_network_left_it(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: float | None
) -> None:
    monkeypatch.setattr("epropnp.models.network.load_released", lambda *_: Released(factor, 0, ()))
    base = config()
    released = dataclasses.replace(base, model=dataclasses.replace(base.model, released="official.pth"))
    trainer = Trainer(released, tiny_dataset, tmp_path, "cpu")
    assert trainer.objective.monte_carlo.norm_factor.item() == (factor or 1.0)
