"""One whole training, watched from outside: what it reads, in which mode, what its numbers are means of."""

import dataclasses
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from epropnp.data.dataset import CropDataset
from epropnp.data.reader import ArrowDataset
from epropnp.evaluation import evaluator
from epropnp.evaluation.evaluator import fit_temperatures, predict
from epropnp.evaluation.predictions import Predictions
from epropnp.evaluation.scores import score
from epropnp.inference.model import load_checkpoint
from epropnp.models.network import CorrespondenceNet
from epropnp.pnp import EProPnP
from epropnp.training import trainer as trainer_module
from epropnp.training.callbacks import Callback
from epropnp.training.config import TrialConfig
from epropnp.training.inference import inference_of
from epropnp.training.result import EpochReport, StepReport, TrialResult
from epropnp.training.trainer import Trainer
from tests.training.tiny import Killed, Stop, tiny

EPOCHS, UPDATES, PARTS = 2, 4, 2  # of 16 images each
POISONED = 5  # update, counted from 0: the second one of epoch 2
CHANGES: dict[str, dict[str, Any]] = {
    "optim": {"epochs": EPOCHS, "accumulate": PARTS, "skip_limit": 1, "clip_norm": 0.5},
    "pnp": {"amis_samples": 4, "amis_iterations": 2},
    "evaluation": {"samples": 8, "batch_size": 5},
}


def config() -> TrialConfig:
    start = tiny()
    return dataclasses.replace(
        start, **{key: dataclasses.replace(getattr(start, key), **new) for key, new in CHANGES.items()}
    )


class Update(NamedTuple):
    """What one update was made of, by our own sums."""

    losses: list[float]  # of the parts
    terms: list[dict[str, float]]  # of the parts
    norm: float


class Seen(Callback):
    """Hooks into a trainer; everything is noted in the order in which it happens."""

    def __init__(self) -> None:
        self.modes: list[tuple[str, frozenset[bool]]] = []  # who ran the network, and its modules' modes
        self.updates: list[Update] = []
        self.step_losses: list[float] = []
        self.skipped: list[int] = []
        self.reports: list[EpochReport] = []
        self.during = "train"
        self._parts: list[tuple[float, dict[str, float]]] = []

    def watch(self, trainer: Trainer) -> None:
        self.trainer = trainer
        trainer.net.register_forward_pre_hook(self._on_forward)
        trainer.objective.register_forward_hook(self._on_loss)
        clip = trainer.updates.clip

        def clipped() -> Tensor:
            squares = [
                float((p.grad.double() ** 2).sum()) for p in trainer.net.parameters() if p.grad is not None
            ]
            self.updates.append(
                Update(
                    [part[0] for part in self._parts],
                    [part[1] for part in self._parts],
                    math.sqrt(sum(squares)),
                )
            )
            self._parts = []
            return clip()

        trainer.updates.clip = clipped  # type: ignore[method-assign]

    def _on_forward(self, net: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        whole = [*net.modules(), *(self.trainer.objective.modules() if self.during == "train" else [])]
        self.modes.append((self.during, frozenset(module.training for module in whole)))
        if self.during == "train" and len(self.updates) == POISONED:
            return (inputs[0] * torch.nan,)
        return inputs

    def _on_loss(self, objective: nn.Module, inputs: tuple[Any, ...], loss: Any) -> None:
        self._parts.append((float(loss.total.detach()), {k: float(v.detach()) for k, v in loss.raw.items()}))

    def on_step(self, report: StepReport) -> None:
        self.step_losses.append(float(report.loss))
        self.skipped.append(report.skipped)

    def on_epoch(self, report: EpochReport) -> None:
        self.reports.append(report)


class Watched(NamedTuple):
    """The finished trial."""

    seen: Seen
    reads: list[tuple[str, str]]  # who evaluated which split
    changed: list[str]  # tensors that an evaluation changed
    result: TrialResult
    folder: Path


@pytest.fixture(scope="module")
def watched(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    folder = tmp_path_factory.mktemp("watched")
    seen, reads, changed = Seen(), list[tuple[str, str]](), list[str]()
    trainer = Trainer(config(), tiny_dataset, folder, "cpu")
    trainer.frames.images = 0  # another pass of the network, which is told of in test_frames
    seen.watch(trainer)

    def around(name: str, original: Any) -> Any:
        def called(*args: Any) -> Any:
            before = {key: value.clone() for key, value in trainer.net.state_dict().items()}
            before |= {f"objective {k}": v.clone() for k, v in trainer.objective.state_dict().items()}
            seen.during = name
            found = original(*args)
            seen.during = "train"
            after = trainer.net.state_dict() | {
                f"objective {k}": v for k, v in trainer.objective.state_dict().items()
            }
            changed.extend(key for key in before if not torch.equal(before[key], after[key]))
            return found

        return called

    def loader(data: CropDataset, batch_size: int) -> Any:
        reads.append((seen.during, data.records.name))
        return evaluation_loader(data, batch_size)

    evaluation_loader = evaluator.evaluation_loader
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer_module, "predict", around("predict", predict))
        patch.setattr(trainer_module, "fit_temperatures", around("temperatures", fit_temperatures))
        patch.setattr(evaluator, "evaluation_loader", loader)
        result = trainer.fit([seen])
    return Watched(seen, reads, changed, result, folder)


@pytest.mark.slow
def test_the_loaders_read_validation_after_each_epoch_and_both_splits_at_the_end(watched: Watched) -> None:
    assert watched.reads == [
        *[("predict", "validation")] * (EPOCHS + 1),
        ("predict", "validation"),  # all of it, for scores and covariances
        ("temperatures", "validation"),  # for the samples
        ("predict", "test"),
    ]


def test_training_runs_in_training_mode_and_evaluation_in_its_own(watched: Watched) -> None:
    modes = watched.seen.modes
    trained = [mode for during, mode in modes if during == "train"]
    assert len(trained) == EPOCHS * UPDATES * PARTS
    assert set(trained) == {frozenset({True})}  # every module, after an evaluation, too
    others = [mode for during, mode in modes if during != "train"]
    assert len(others) == (EPOCHS + 1 + 2 + 1) * 3  # 12 images in batches of 5
    assert set(others) == {frozenset({False})}


def test_evaluation_changes_neither_weights_nor_batch_statistics(watched: Watched) -> None:
    assert watched.changed == []
    names = watched.seen.trainer.net.state_dict()
    assert any("running_mean" in name for name in names)  # there are some that it could change


def test_the_test_scores_are_those_of_the_best_weights(watched: Watched, tiny_dataset: Path) -> None:
    """Computed again from the files alone, on a network that was never trained."""
    settings, dataset = config(), ArrowDataset(tiny_dataset)
    net = CorrespondenceNet(settings.model)
    net.load_state_dict(load_checkpoint(watched.folder / "best.pt")["net"])
    size: dict[str, Any] = {"input_px": settings.model.input_px, "map_px": settings.model.map_px}
    inference = inference_of(net, EProPnP(settings.pnp), settings)
    images = CropDataset(dataset, "validation", **size)
    found = fit_temperatures(inference, images, predict(inference, images))
    predictions = predict(inference, CropDataset(dataset, "test", **size), found)
    saved = Predictions.read(watched.folder / "predictions.parquet")
    np.testing.assert_allclose(saved.T_pred, predictions.T_pred, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(saved.covariance, predictions.covariance, rtol=1e-3)
    assert watched.result.temperatures["covariance"]["scale"] == pytest.approx(
        found.covariance.scale, rel=1e-4
    )
    assert watched.result.temperatures["posterior"]["scale"] == pytest.approx(found.posterior.scale, rel=1e-4)
    expected = score(predictions, dataset.objects)
    assert watched.result.test == pytest.approx(expected, rel=1e-3, nan_ok=True)


def one_cycle(step: int) -> float:
    """Learning rate by the definition: up to 2e-3 over 15 % of the updates, then half a cosine down."""
    share = (step + 1) / (EPOCHS * UPDATES)
    return 2e-3 * (
        share / 0.15 if share < 0.15 else 0.5 + 0.5 * math.cos(math.pi * (share - 0.15) / 0.85) + 1e-3
    )


def test_the_metrics_of_an_epoch_are_means_over_its_finite_updates(watched: Watched) -> None:
    updates = watched.seen.updates
    assert len(updates) == EPOCHS * UPDATES
    assert math.isnan(sum(updates[POISONED].losses))
    for epoch in (1, 2):
        steps = [s for s in range((epoch - 1) * UPDATES, epoch * UPDATES) if s != POISONED]
        metrics = watched.seen.reports[epoch].metrics
        parts = [loss for step in steps for loss in updates[step].losses]
        assert metrics["train/loss"] == pytest.approx(np.mean(parts), rel=1e-5)
        for name in updates[0].terms[0]:
            values = [terms[name] for step in steps for terms in updates[step].terms]
            assert metrics[f"train/loss_{name}"] == pytest.approx(np.mean(values), rel=1e-5), name
        norms = [updates[step].norm for step in steps]
        assert min(norms) > CHANGES["optim"]["clip_norm"]  # it is the norm before clipping that is told
        assert metrics["train/grad_norm"] == pytest.approx(np.mean(norms), rel=1e-4)
        assert metrics["train/lr"] == pytest.approx(np.mean([one_cycle(step) for step in steps]), rel=1e-5)
        assert metrics["train/skipped"] == (0, 1)[epoch - 1]
        assert watched.result.train_loss[epoch - 1] == metrics["train/loss"]


def test_each_step_is_told_with_its_own_loss_and_count(watched: Watched) -> None:
    told, updates = watched.seen.step_losses, watched.seen.updates
    assert math.isnan(told[POISONED])
    finite = [step for step in range(len(updates)) if step != POISONED]
    assert [told[s] for s in finite] == pytest.approx([np.mean(updates[s].losses) for s in finite], rel=1e-6)
    assert watched.seen.skipped == [0] * POISONED + [1] * (EPOCHS * UPDATES - POISONED)
    assert watched.result.skipped == 1


def test_means_of_an_epoch_that_was_cut_are_those_of_the_whole(
    watched: Watched, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_module, "predict", lambda *_: None)
    nothing = dict.fromkeys(("add_area", "mspd_ar", "add_auc_10cm", "add_0.10d"), 0.0)
    monkeypatch.setattr(trainer_module, "score", lambda *_: nothing)
    first, second = Seen(), Seen()
    for seen, stops in ((first, Stop(2, 3)), (second, Stop(2))):
        trainer = Trainer(config(), tiny_dataset, tmp_path, "cpu", checkpoint_s=0)
        seen.watch(trainer)
        if seen is second:  # the poisoned update is done, the next one is the seventh
            seen.updates = [Update([], [], 0.0)] * (UPDATES + 2)
        with pytest.raises(Killed):
            trainer.fit([seen, stops])
    metrics = second.reports[-1].metrics
    assert len(second.step_losses) == 2
    whole = watched.seen.reports[2].metrics
    for name in (name for name in whole if name.startswith("train/")):
        assert metrics[name] == pytest.approx(whole[name], rel=1e-5), name
