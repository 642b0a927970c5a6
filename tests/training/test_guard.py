"""Updates that are not finite: what is undone, exactly how many are let pass, and what is said."""

import dataclasses
import logging
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from epropnp.data.dataset import Batch
from epropnp.losses.algebra import LossValue
from epropnp.training import trainer as trainer_module
from epropnp.training.callbacks import Callback
from epropnp.training.guard import Guard, NonFiniteError
from epropnp.training.result import StepReport
from epropnp.training.trainer import Trainer
from tests.training.test_optim import cycle
from tests.training.tiny import with_optim


def loss_of(**raw: float) -> LossValue:
    terms = {name: torch.tensor(value) for name, value in raw.items()}
    return LossValue(torch.stack(list(terms.values())).sum(), terms, terms)


def refuse(guard: Guard, skipped: int, samples: int = 2) -> None:
    names = [f"s{i}" for i in range(samples)]
    parts = [loss_of(coord=0.5, mc=1.0), loss_of(coord=0.25, mc=float("nan"))]
    guard.refuse(parts, torch.tensor(3.0), names, step=17, skipped=skipped)


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_as_many_updates_as_the_limit_says_are_left_out_and_no_more(limit: int) -> None:
    guard = Guard([nn.BatchNorm1d(2)], limit)
    for skipped in range(limit):
        guard.remember()
        refuse(guard, skipped)
    guard.remember()
    with pytest.raises(NonFiniteError, match="; samples s0, s1; lower the learning rate"):
        refuse(guard, limit)


def test_batch_statistics_of_a_refused_update_are_forgotten_and_weights_stay() -> None:
    norms = [nn.BatchNorm1d(2), nn.BatchNorm1d(2)]
    norms[0](torch.rand(4, 2))
    guard = Guard(norms, limit=1)
    guard.remember()
    before = [{name: value.clone() for name, value in norm.named_buffers()} for norm in norms]
    for norm in norms:
        norm(torch.full((4, 2), torch.nan))
        nn.init.constant_(norm.weight, 7.0)
    refuse(guard, 0)
    for norm, buffers in zip(norms, before, strict=True):
        assert sorted(buffers) == ["num_batches_tracked", "running_mean", "running_var"]
        for name, value in buffers.items():
            assert torch.equal(norm.get_buffer(name), value), name
        assert torch.equal(norm.weight, torch.full((2,), 7.0))


def test_only_the_last_update_is_undone() -> None:
    norm = nn.BatchNorm1d(1, momentum=0.5)
    guard = Guard([norm], limit=1)
    for value in (2.0, torch.nan):
        guard.remember()
        norm(torch.full((4, 1), value))
    refuse(guard, 0)
    assert norm.running_mean is not None
    assert float(norm.running_mean) == 1.0  # half of the way from 0 to 2


def test_the_message_names_the_guilty_term_the_update_and_some_samples(
    caplog: pytest.LogCaptureFixture,
) -> None:
    guard = Guard([nn.BatchNorm1d(2)], limit=2)
    guard.remember()
    with caplog.at_level(logging.WARNING):
        refuse(guard, 1, samples=10)
    assert caplog.messages == [
        "left out: mc not finite at update 17, after 1 skipped ones (coord 0.5, mc nan; gradient norm 3); "
        "samples s0, s1, s2, s3, s4, s5, s6, s7 and 2 more"
    ]
    finite, inf = [loss_of(coord=0.5)], torch.tensor(torch.inf)
    with pytest.raises(
        NonFiniteError, match=r"^the gradient not finite at update 0 \(coord 0\.5; .* norm inf"
    ):
        Guard([], 0).refuse(finite, inf, ["a"], step=0, skipped=0)


# -- what the trainer makes of it


def snapshot(trainer: Trainer) -> dict[str, Tensor]:
    """All that an update may change, but for the loss scale."""
    state: dict[str, Any] = {"net": trainer.net.state_dict(), "objective": trainer.objective.state_dict()}
    state["average"] = trainer.updates.evaluated.state_dict()
    moments = trainer.updates.optimiser.state_dict()["state"]
    state["moments"] = {f"{i} {name}": value for i, own in moments.items() for name, value in own.items()}
    return {f"{key} {k}": v.clone() for key, values in state.items() for k, v in values.items()}


def spoil(trainer: Trainer, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Make the images, or the gradients, of the updates to come not finite."""
    if what == "images":
        monkeypatch.setattr(trainer, "_predict", lambda image: trainer.net(image * torch.nan))
        return
    clip = trainer.updates.clip

    def clipped() -> Tensor:
        for value in trainer.net.parameters():
            if value.grad is not None:
                value.grad.fill_(torch.inf)
        return clip()

    monkeypatch.setattr(trainer.updates, "clip", clipped)


@pytest.mark.parametrize("what", ["images", "gradients"])
@pytest.mark.parametrize("clip_norm", [None, 5.0])
def test_a_skipped_update_leaves_everything_as_it_was(
    what: str, clip_norm: float | None, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = with_optim(skip_limit=5, ema=0.5, clip_norm=clip_norm)
    config = dataclasses.replace(config, loss=dataclasses.replace(config.loss, deriv_t=0.0, deriv_r=0.0))
    trainer = Trainer(config, tiny_dataset, tmp_path, "cpu")
    trainer.net.train()
    parts = next(trainer.data.batches(1))
    trainer._update(parts, 0)
    before = snapshot(trainer)
    assert any("moments" in name for name in before)
    assert any("norm_factor" in name for name in before)
    with monkeypatch.context() as patch:
        spoil(trainer, patch, what)
        for step in (1, 2):
            trainer._update(parts, step)
    after = snapshot(trainer)
    assert before.keys() == after.keys()
    assert [name for name in before if not torch.equal(before[name], after[name])] == []
    assert (trainer.state.skipped, trainer.state.overflows) == (2, 0)
    trainer._update(parts, 3)
    moved = snapshot(trainer)
    assert not torch.equal(moved["net output.weight"], before["net output.weight"])
    assert all(value.isfinite().all() for value in moved.values())
    assert trainer.state.skipped == 2


class Fp16:
    """A trainer whose losses and gradient norms are given; only the bookkeeping is its own."""

    def __init__(self, dataset: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, **optim: Any) -> None:
        config = with_optim(precision="fp16", accumulate=2, **optim)
        self.trainer = Trainer(config, dataset, folder, "cpu")
        self.applied = 0
        self.batch = next(self.trainer.data.batches(1))
        self.norm, self.loss = 1.0, 1.0
        updates = self.trainer.updates
        monkeypatch.setattr(self.trainer, "_part_loss", self._part_loss)
        monkeypatch.setattr(updates, "clip", lambda: torch.tensor(self.norm))
        monkeypatch.setattr(updates, "apply", self._apply)
        monkeypatch.setattr(updates, "leave_out", lambda: None)

    def _part_loss(self, batch: Batch, draw: int) -> LossValue:
        return loss_of(coord=self.loss if draw % 2 else 1.0)  # only the second part is spoilt

    def _apply(self, step: int) -> None:
        self.applied += 1

    def update(self, count: int, *, loss: float = 1.0, norm: float = 1.0) -> None:
        self.loss, self.norm = loss, norm
        for step in range(count):
            self.trainer._update(self.batch, step)

    @property
    def counts(self) -> tuple[int, int, int]:
        return self.applied, self.trainer.state.skipped, self.trainer.state.overflows


def test_only_overflows_in_a_row_are_counted(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inf, nan, most = float("inf"), float("nan"), trainer_module.OVERFLOWS
    fp16 = Fp16(tiny_dataset, tmp_path, monkeypatch, skip_limit=1)
    fp16.update(most - 1, norm=inf)
    assert fp16.counts == (0, 0, most - 1)
    fp16.update(1)
    assert fp16.counts == (1, 0, 0)  # an update that went well begins the count again
    fp16.update(most - 1, norm=nan)
    assert fp16.counts == (1, 0, most - 1)
    fp16.update(1, loss=nan, norm=nan)  # no smaller scale mends a loss that is not a number
    assert fp16.counts == (1, 1, 0)
    fp16.update(most - 1, norm=inf)
    with pytest.raises(NonFiniteError):
        fp16.update(1, norm=inf)


class Steps(Callback):
    """Notes the number that each update is reported under."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def on_step(self, report: StepReport) -> None:
        self.seen.append(report.step)


def test_an_epoch_lost_to_the_search_for_a_loss_scale_begins_again(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of four updates each, six overflow: the search takes one epoch and a half, the training none less."""
    fp16, steps = Fp16(tiny_dataset, tmp_path, monkeypatch), Steps()
    norms = iter([math.inf] * 6 + [2.0, 4.0])
    monkeypatch.setattr(fp16.trainer.updates, "clip", lambda: torch.tensor(next(norms)))
    metrics = fp16.trainer._train_epoch(1, [steps])
    assert steps.seen == [1, 2, 3, 4, 1, 2, 3, 4]
    assert fp16.counts == (2, 0, 0)
    assert metrics["train/grad_norm"] == 3
    assert metrics["train/lr"] == pytest.approx(cycle(2e-3, 12)[2:4].mean())


@pytest.mark.parametrize(
    ("skip_limit", "words"),
    [(0, "the gradient not finite at update 3 "), (100, "none of the 4 updates of epoch 1 was finite")],
)
def test_overflows_that_no_scale_mends_end_short_epochs_too(
    skip_limit: int, words: str, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fp16, steps = Fp16(tiny_dataset, tmp_path, monkeypatch, skip_limit=skip_limit), Steps()
    fp16.norm = math.inf
    with pytest.raises(NonFiniteError, match=words):
        fp16.trainer._train_epoch(1, [steps])
    assert len(steps.seen) == 20 - (skip_limit == 0)
    fp16 = Fp16(tiny_dataset, tmp_path, monkeypatch)
    fp16.norm = fp16.loss = math.nan  # such a loss is no overflow: it ends the first update
    with pytest.raises(NonFiniteError, match="coord not finite at update 0 "):
        fp16.trainer._train_epoch(1, [])


def test_an_overflow_outside_of_fp16_is_none(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Fp16(tiny_dataset, tmp_path, monkeypatch)
    monkeypatch.setattr(other.trainer.updates.scaler, "is_enabled", lambda: False)
    with pytest.raises(NonFiniteError):
        other.update(1, norm=float("inf"))
