"""What a trial leaves in its folder, however it ends: stopped, failed, without space, resumed, finished."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from epropnp.errors import UserError
from epropnp.inference.model import load_checkpoint
from epropnp.training import trainer as trainer_module
from epropnp.training.callbacks import Callback, Training
from epropnp.training.guard import NonFiniteError
from epropnp.training.result import EpochReport, Metrics, StepReport
from epropnp.training.trainer import Trainer
from tests.training.scripted_trial import Clock, Scripted, number_in, script
from tests.training.tiny import Killed, Stop, with_optim

STOPPED = {".lock", "best.pt", "checkpoint.pt", "trial.log"}
TESTED = {"result.json", "predictions.parquet"}
FINISHED = STOPPED | TESTED | {"validation.parquet"}


def scores(split: str, number: float) -> Metrics:
    """The first epoch is the best one."""
    value = -abs(number - 1)
    return dict.fromkeys(("add_area", "mspd_ar", "add_auc_10cm", "add_0.10d"), value)


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()} - {"trial.json", "status.json"}  # see test_record


def progress(folder: Path) -> tuple[int, int]:
    """Epoch and step of the last checkpoint."""
    state = load_checkpoint(folder / "checkpoint.pt")["state"]
    return state["epoch"], state["step"]


def claim(folder: Path) -> str:
    """What another process hears that would train in the folder."""
    code = (
        "import sys, pathlib\nfrom epropnp.claims import claimed\n"
        "with claimed(pathlib.Path(sys.argv[1])): print('free', end='')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False
    )
    return done.stdout or done.stderr


class Raises(Callback):
    """A callback that fails when it hears of something."""

    def __init__(self, when: str, error: BaseException, epoch: int = 1) -> None:
        self.when, self.error, self.epoch = when, error, epoch

    def on_start(self, trainer: Training) -> None:
        if self.when == "start":
            raise self.error

    def on_epoch(self, report: EpochReport) -> None:
        if self.when == "epoch" and report.epoch == self.epoch:
            raise self.error


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), RuntimeError("a bug"), UserError("no space"), SystemExit(3)]
)
def test_a_callback_that_raises_ends_the_trial_after_the_checkpoint_of_its_epoch(
    error: BaseException, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(monkeypatch, scores)
    trainer = Scripted(with_optim(epochs=3), tiny_dataset, tmp_path, "cpu")
    with pytest.raises(type(error)):
        trainer.fit([Raises("epoch", error)])
    assert names(tmp_path) == STOPPED
    assert progress(tmp_path) == (1, 0)
    assert number_in(load_checkpoint(tmp_path / "best.pt")["net"]) == 1
    assert Scripted(with_optim(epochs=3), tiny_dataset, tmp_path, "cpu").fit().best_epoch == 1
    assert names(tmp_path) == FINISHED


def test_a_folder_is_claimed_while_a_trial_runs_and_free_after_it_failed(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = []

    class Second(Callback):
        def on_start(self, trainer: Training) -> None:
            heard.append(claim(tmp_path))
            raise Killed

    script(monkeypatch, scores)
    with pytest.raises(Killed):
        Scripted(with_optim(epochs=1), tiny_dataset, tmp_path, "cpu").fit([Second()])
    assert "another process trains here" in heard[0]
    assert names(tmp_path) == {".lock", "trial.log"}
    assert claim(tmp_path) == "free"


def test_an_epoch_is_told_of_when_it_can_be_gone_on_from(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []

    class Looks(Callback):
        def on_epoch(self, report: EpochReport) -> None:
            found.append((progress(tmp_path), number_in(load_checkpoint(report.checkpoint)["net"])))
            assert "result.json" not in names(tmp_path)

    script(monkeypatch, scores)
    Scripted(with_optim(epochs=2), tiny_dataset, tmp_path, "cpu").fit([Looks()])
    assert found == [((0, 0), 0.0), ((1, 0), 1.0), ((2, 0), 2.0)]


@pytest.mark.parametrize(
    ("keep_every", "kept"), [(0, []), (1, [1, 2, 3, 4, 5]), (2, [2, 4]), (3, [3]), (9, [])]
)
def test_every_nth_epoch_is_kept_with_its_own_weights(
    keep_every: int, kept: list[int], tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(monkeypatch, scores)
    Scripted(with_optim(epochs=5), tiny_dataset, tmp_path, "cpu", keep_every=keep_every).fit()
    assert names(tmp_path) == FINISHED | {f"epoch-{epoch:04d}.pt" for epoch in kept}
    for epoch in kept:
        saved = load_checkpoint(tmp_path / f"epoch-{epoch:04d}.pt")
        assert number_in(saved["net"]) == epoch
        assert saved["config"]["optim"]["epochs"] == 5
        assert "objective" in saved


@pytest.mark.parametrize(
    "full", ["checkpoint.pt", "best.pt", "result.json", *("predictions.parquet", "validation.parquet")]
)
def test_a_trial_without_space_goes_on_from_what_was_written(
    full: str, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever file cannot be put in its place when the first epoch, which is the best, ends."""
    script(monkeypatch, scores)
    place = Path.replace

    def replace(self: Path, target: Path) -> Path:
        ended = number_in(trainer.net.state_dict()) > 0
        if Path(target).name == full and ended:
            raise OSError(28, "No space left on device")
        return place(self, target)

    trainer = Scripted(with_optim(epochs=2), tiny_dataset, tmp_path, "cpu")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(UserError, match=f"{full} cannot be written.*free some space, then resume"):
            trainer.fit()
    missing = {"result.json": {"result.json"}, "predictions.parquet": TESTED}
    missing["validation.parquet"] = FINISHED - STOPPED
    assert names(tmp_path) == FINISHED - missing.get(full, FINISHED - STOPPED)
    assert progress(tmp_path) == ((2, 0) if full in missing else (0, 0))
    # Where the epoch counts as done, its weights are there.
    best = number_in(load_checkpoint(tmp_path / "best.pt")["net"])
    assert best == {"best.pt": 0}.get(full, 1)
    result = Scripted(with_optim(epochs=2), tiny_dataset, tmp_path, "cpu").fit()
    assert (result.best_epoch, number_in(load_checkpoint(tmp_path / "best.pt")["net"])) == (1, 1)
    assert names(tmp_path) == FINISHED


def test_a_trial_whose_losses_are_not_finite_keeps_its_last_checkpoint(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Diverges(Scripted):
        def _train_epoch(self, epoch: int, callbacks: Sequence[Callback]) -> Metrics:
            if epoch == 2:
                raise NonFiniteError("the gradient not finite")
            return super()._train_epoch(epoch, callbacks)

    script(monkeypatch, scores)
    heard: list[EpochReport] = []

    class Ear(Callback):
        def on_epoch(self, report: EpochReport) -> None:
            heard.append(report)

    with pytest.raises(NonFiniteError):
        Diverges(with_optim(epochs=3), tiny_dataset, tmp_path, "cpu").fit([Ear()])
    assert [report.epoch for report in heard] == [0, 1]
    assert names(tmp_path) == STOPPED
    assert progress(tmp_path) == (1, 0)
    assert claim(tmp_path) == "free"


def test_a_finished_trial_is_not_trained_again(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = script(monkeypatch, scores)
    first = Scripted(with_optim(epochs=2), tiny_dataset, tmp_path, "cpu").fit()
    checkpoint = (tmp_path / "checkpoint.pt").read_bytes()
    asked.clear()
    second = Scripted(with_optim(epochs=2), tiny_dataset, tmp_path, "cpu").fit()
    assert second == first
    assert [(call.what, call.split, call.number) for call in asked] == [
        ("poses", "validation", 1.0),
        ("temperatures", "validation", 1.0),
        ("poses", "test", 1.0),
    ]
    assert (tmp_path / "checkpoint.pt").read_bytes() == checkpoint


@pytest.mark.parametrize(
    ("every_s", "stop", "expected"),
    [
        (300.0, (1, 4), (0, 0)),  # 3 updates of 10 s are not enough for a checkpoint
        (30.0, (1, 4), (0, 3)),  # exactly as old as allowed
        (20.0, (1, 4), (0, 2)),
        (20.0, (2, 1), (1, 0)),
        (20.0, (2, 4), (1, 2)),  # the epoch's own checkpoint begins the count again
    ],
)
def test_checkpoints_within_an_epoch_are_written_when_the_last_one_is_old_enough(
    every_s: float,
    stop: tuple[int, int],
    expected: tuple[int, int],
    tiny_dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    script(monkeypatch, scores)
    trainer = Trainer(with_optim(epochs=2), tiny_dataset, tmp_path, "cpu", checkpoint_s=every_s)
    monkeypatch.setattr(trainer, "_update", counted(trainer))

    class Ten(Callback):
        def on_step(self, report: StepReport) -> None:
            clock.now_s += 10

    with pytest.raises(Killed):
        trainer.fit([Ten(), Stop(*stop)])
    assert progress(tmp_path) == expected
    assert names(tmp_path) == STOPPED
    assert load_checkpoint(tmp_path / "checkpoint.pt")["state"]["seconds"] == 10.0 * (
        4 * expected[0] + expected[1]
    )


def counted(trainer: Trainer) -> Callable[[object, int], Tensor]:
    """In place of an update: one that only counts."""

    def update(parts: object, step: int) -> Tensor:
        trainer._sums = {name: torch.ones(()) for name in ("updates", "loss")}
        return torch.ones(())

    return update


def test_time_between_checkpoints_has_a_default_within_an_epoch() -> None:
    assert 60 <= trainer_module.CHECKPOINT_S <= 900
