"""What a trial tells within an epoch, and how often, against a clock that the test sets."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sweeps.running import steps as module
from sweeps.running.steps import Steps, memory_bytes

BATCH, STEPS = 32, 100
Told = list[dict[str, Any]]


class Trial:
    """One that is told what happens, and a clock that goes on with it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, epoch: int = 0, step: int = 0) -> None:
        self.now_s, self.told = 500.0, Told()
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now_s)
        monkeypatch.setattr(module, "memory_bytes", lambda: 7)
        self.steps = Steps(lambda **content: self.told.append(content))
        config = SimpleNamespace(optim=SimpleNamespace(batch_size=BATCH, epochs=3))
        state, data = SimpleNamespace(epoch=epoch, step=step), SimpleNamespace(steps=STEPS)
        trainer: Any = SimpleNamespace(config=config, state=state, data=data)
        self.steps.on_start(trainer)

    def update(self, epoch: int, step: int, seconds: float, loss: float = 1.0) -> None:
        self.now_s += seconds
        report: Any = SimpleNamespace(epoch=epoch, step=step, steps=STEPS, loss=torch.tensor(loss))
        self.steps.on_step(report)

    def scored(self, seconds: float) -> None:
        self.now_s += seconds
        self.steps.on_scored()

    def epoch(self, number: int) -> None:
        report: Any = SimpleNamespace(epoch=number, epochs=3)
        self.steps.on_epoch(report)


def test_updates_are_told_every_two_seconds_with_their_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(monkeypatch)
    for i in range(1, 21):  # 10 s
        trial.update(1, i, 0.5, loss=float(i))
    assert len(trial.told) == 5
    assert trial.told[0] == {
        "doing": "running",
        "epoch": 0,
        "step": 4,
        "steps": STEPS,
        "images_per_s": pytest.approx(2 * BATCH),
        "loss": pytest.approx((1 + 2 + 3 + 4) / 4),
        "memory_bytes": 7,
    }
    assert [told["step"] for told in trial.told] == [4, 8, 12, 16, 20]
    assert trial.told[1]["loss"] == pytest.approx((5 + 6 + 7 + 8) / 4)


def test_slow_updates_are_told_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(monkeypatch, epoch=1, step=7)
    for i in range(8, 11):
        trial.update(2, i, 30.0)
    assert [(told["epoch"], told["step"]) for told in trial.told] == [(1, 8), (1, 9), (1, 10)]
    assert trial.told[0]["images_per_s"] == pytest.approx(BATCH / 30.0)


def test_short_trials_tell_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(monkeypatch, epoch=-1)
    trial.scored(0.1)
    trial.epoch(0)
    for epoch in (1, 2, 3):
        trial.update(epoch, 1, 0.2)
        trial.scored(0.2)
        trial.epoch(epoch)
    trial.scored(0.2)
    assert trial.told == []


def test_evaluations_are_told_and_are_no_time_of_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(monkeypatch, epoch=-1)
    trial.scored(3.0)
    trial.scored(1.0)
    trial.epoch(0)
    trial.update(1, 1, 1.0)
    trial.update(1, 2, 1.0)  # the first that is told: two updates in two seconds
    trial.update(1, STEPS, 1.0)
    trial.scored(5.0)
    for _ in range(10):
        trial.scored(0.1)
    trial.epoch(1)
    trial.update(2, 1, 0.9)
    trial.epoch(3)
    trial.scored(9.0)
    assert [(told["doing"], told["epoch"], told["step"]) for told in trial.told] == [
        ("validating", 0, 0),
        ("running", 0, 1),
        ("running", 0, STEPS),
        ("validating", 0, STEPS),
        ("testing", 3, 0),
    ]
    assert [told.get("images_per_s") for told in trial.told] == [None, BATCH / 1, BATCH / 1, None, None]


def test_a_trial_that_had_only_its_test_left_is_testing(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(monkeypatch, epoch=3)
    trial.scored(3.0)
    assert [told["doing"] for told in trial.told] == ["testing"]


def test_a_loss_that_is_not_finite_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(monkeypatch)
    trial.update(1, 1, 1.0, loss=float("nan"))
    trial.update(1, 2, 1.0)
    trial.update(1, 3, 2.0, loss=4.0)
    assert [told.get("loss") for told in trial.told] == [None, 4.0]


def test_memory_is_that_of_the_process_or_of_its_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    monkeypatch.setattr(module.os, "sysconf", lambda name: {"SC_PAGE_SIZE": 4096}[name])
    (tmp_path / "statm").write_text("90000 1000 300 1 0 800 0\n")
    monkeypatch.setattr(module, "STATM", tmp_path / "statm")
    assert memory_bytes() == 4_096_000
    monkeypatch.setattr(module, "STATM", tmp_path / "none")
    assert memory_bytes() is None
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: 123)
    assert memory_bytes() == 123
