"""What goes wrong on the way: numbers that are not finite, files that are lost, folders that are full."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from epropnp.data.reader import ArrowDataset
from epropnp.errors import UserError
from epropnp.evaluation.predictions import Predictions
from epropnp.files import replaced
from epropnp.training import trainer as trainer_module
from epropnp.training.callbacks import Callback
from epropnp.training.config import TrialConfig
from epropnp.training.guard import NonFiniteError
from epropnp.training.objective import Objective
from epropnp.training.record import Record
from epropnp.training.result import StepReport
from epropnp.training.trainer import Trainer
from tests.training.tiny import Killed, Stop, tiny, with_optim


def poison_gradient(trainer: Trainer, at: set[int]) -> None:
    """Make the gradients, not the losses, of some updates infinite."""
    original, calls = trainer.updates.clip, iter(range(1000))

    def clip() -> torch.Tensor:
        if next(calls) in at:
            for parameter in trainer.net.parameters():
                if parameter.grad is not None:
                    parameter.grad.fill_(torch.inf)
        return original()

    trainer.updates.clip = clip  # type: ignore[method-assign]


def fp16(**changes: Any) -> TrialConfig:
    """On images of 32 px: a CPU is slow at it."""
    config = with_optim(precision="fp16", **changes)
    return dataclasses.replace(config, model=dataclasses.replace(config.model, input_px=32))


@pytest.mark.slow
def test_fp16_goes_on_after_a_skipped_update(tiny_dataset: Path, tmp_path: Path) -> None:
    trainer = Trainer(fp16(skip_limit=2, epochs=1), tiny_dataset, tmp_path, "cpu")
    trainer.updates.scaler.load_state_dict(trainer.updates.scaler.state_dict() | {"scale": 256.0})
    original, calls = trainer._predict, iter(range(100))
    trainer._predict = lambda image: original(image * (torch.nan if next(calls) == 1 else 1))
    assert trainer.fit().skipped == 1


@pytest.mark.slow
def test_an_overflow_in_fp16_lowers_the_scale_and_changes_nothing_else(
    tiny_dataset: Path, tmp_path: Path
) -> None:
    trainer = Trainer(fp16(ema=0.9), tiny_dataset, tmp_path, "cpu")
    poison_gradient(trainer, {0})
    before = {name: value.clone() for name, value in trainer.updates.evaluated.state_dict().items()}
    scale = trainer.updates.scaler.get_scale()
    trainer._update(next(trainer.data.batches(1)), 0)
    assert trainer.updates.scaler.get_scale() == scale / 2
    assert trainer.state.skipped == 0
    assert all(
        torch.equal(value, before[name]) for name, value in trainer.updates.evaluated.state_dict().items()
    )


@pytest.mark.slow
def test_gradients_that_never_become_finite_stop_fp16_too(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_module, "OVERFLOWS", 3)
    trainer = Trainer(fp16(), tiny_dataset, tmp_path, "cpu")
    poison_gradient(trainer, set(range(1000)))
    with pytest.raises(NonFiniteError, match="the gradient not finite at update 2"):
        trainer.fit()


class Kill(Callback):
    """Ends a training after a number of updates, whatever they are called."""

    def __init__(self, updates: int) -> None:
        self.left = updates

    def on_step(self, report: StepReport) -> None:
        self.left -= 1
        if not self.left:
            raise Killed


@pytest.mark.slow
def test_fp16_finds_its_scale_in_epochs_that_are_shorter_than_the_search(
    tiny_dataset: Path, tmp_path: Path
) -> None:
    """And a trial that is killed on the way goes on as if it had not been."""

    def made(folder: str, lost: int) -> Trainer:
        config = fp16(epochs=1, batch_size=2)
        config = dataclasses.replace(config, data=dataclasses.replace(config.data, overfit=4))  # two updates
        trainer = Trainer(config, tiny_dataset, tmp_path / folder, "cpu", checkpoint_s=0)
        trainer.updates.scaler.load_state_dict(trainer.updates.scaler.state_dict() | {"scale": 4096.0})
        poison_gradient(trainer, set(range(lost)))
        return trainer

    whole = made("whole", lost=5)
    result = whole.fit()
    assert whole.updates.scaler.get_scale() == 4096 / 2**5
    assert result.skipped == 0
    assert np.isfinite(result.train_loss).all()
    with pytest.raises(Killed):
        made("cut", lost=5).fit([Kill(4)])
    rest = made("cut", lost=2)  # the last that was saved is the first of the second try, the third of all
    rest.fit()
    for name, value in whole.net.state_dict().items():
        assert torch.equal(value, rest.net.state_dict()[name]), name


def test_an_epoch_without_any_update_stops_the_trial(tiny_dataset: Path, tmp_path: Path) -> None:
    trainer = Trainer(with_optim(skip_limit=100), tiny_dataset, tmp_path, "cpu")
    poison_gradient(trainer, set(range(trainer.data.steps)))
    with pytest.raises(NonFiniteError, match=r"none of the \d+ updates of epoch 1 was finite"):
        trainer.fit()


def test_of_epochs_that_count_the_same_the_last_one_is_tested(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing_yet(*_: object) -> dict[str, float]:
        return dict.fromkeys(("add_area", "mspd_ar", "add_auc_10cm", "add_0.10d"), 0.0)

    monkeypatch.setattr(trainer_module, "score", nothing_yet)
    assert Trainer(with_optim(epochs=2), tiny_dataset, tmp_path, "cpu").fit().best_epoch == 2


def test_a_lost_best_checkpoint_says_what_to_do(tiny_dataset: Path, tmp_path: Path) -> None:
    config = with_optim(epochs=1)
    Trainer(config, tiny_dataset, tmp_path, "cpu").fit()
    (tmp_path / "best.pt").unlink()
    with pytest.raises(UserError, match=r"best\.pt cannot be read .*delete checkpoint\.pt, too"):
        Trainer(config, tiny_dataset, tmp_path, "cpu").fit()
    torch.save(torch.ones(3), tmp_path / "checkpoint.pt")
    with pytest.raises(UserError, match=r"checkpoint\.pt cannot be read \(TypeError\)"):
        Trainer(config, tiny_dataset, tmp_path, "cpu").fit()


@pytest.mark.slow
def test_the_tested_threshold_is_that_of_the_best_epoch(tiny_dataset: Path, tmp_path: Path) -> None:
    config = tiny(pnp=dataclasses.replace(tiny().pnp, learn_delta=True))
    trainer = Trainer(config, tiny_dataset, tmp_path, "cpu")
    trainer.fit()
    best = torch.load(tmp_path / "best.pt", weights_only=True)
    log_delta = trainer.objective.layer.log_delta
    assert log_delta is not None
    assert torch.equal(log_delta.detach(), best["objective"]["layer.log_delta"])


def test_a_resume_needs_the_pretrained_weights_no_more(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "weights.pth"
    start = Trainer(tiny(seed=5), tiny_dataset, tmp_path / "any", "cpu").net.backbone.state_dict()
    torch.save({name.removeprefix("net."): value for name, value in start.items()}, file)
    model = dataclasses.replace(tiny().model, pretrained=True, weights_file=str(file))
    config = with_optim(epochs=1)
    config = dataclasses.replace(config, model=model)
    with pytest.raises(Killed):
        Trainer(config, tiny_dataset, tmp_path / "run", "cpu").fit([Stop(0)])
    first = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["state"]["weights_sha256"]
    file.unlink()
    result = Trainer(config, tiny_dataset, tmp_path / "run", "cpu").fit()
    assert result.pretrained
    assert result.weights_sha256 == first is not None


@pytest.mark.slow
def test_another_number_of_loader_processes_may_go_on(tiny_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        Trainer(tiny(), tiny_dataset, tmp_path, "cpu").fit([Stop(0)])
    config = tiny(data=dataclasses.replace(tiny().data, workers=2))
    with pytest.raises(Killed):
        Trainer(config, tiny_dataset, tmp_path, "cpu").fit([Stop(1)])
    with pytest.raises(UserError, match=r"of another config \(seed 0, now 1\)"):
        Trainer(tiny(seed=1), tiny_dataset, tmp_path, "cpu").fit()


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_dataset_without_a_split_is_refused_at_once(
    tiny_dataset: Path, tmp_path: Path, split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ArrowDataset.split

    def emptied(self: ArrowDataset, name: str):  # type: ignore[no-untyped-def]
        return whole(self, name)[:0] if name == split else whole(self, name)

    monkeypatch.setattr(ArrowDataset, "split", emptied)
    with pytest.raises(UserError, match=f"its {split} split is empty"):
        Trainer(tiny(), tiny_dataset, tmp_path, "cpu")


def test_parts_of_a_batch_move_the_running_scale_as_far_as_the_whole(tiny_dataset: Path) -> None:
    objects = ArrowDataset(tiny_dataset).objects
    moved = []
    for parts in (1, 4):
        loss = Objective(with_optim(accumulate=parts), objects).monte_carlo
        for _ in range(parts):
            loss(torch.zeros(2), torch.zeros(2), torch.full((2,), 20.0))
        moved.append(float(loss.norm_factor))
    assert moved[0] == pytest.approx(moved[1], rel=1e-6)


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    file.write_text(json.dumps({"whole": True}))

    def fill_the_disk() -> None:
        with replaced(file) as temporary:
            temporary.write_text("half of")
            raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match=r"result\.json cannot be written: .*free some space"):
        fill_the_disk()
    assert json.loads(file.read_text()) == {"whole": True}
    assert list(tmp_path.iterdir()) == [file]


def test_predictions_and_result_are_written_whole(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Predictions, path: Path) -> None:
        path.write_bytes(b"half of")
        raise OSError(28, "No space left on device")

    config = with_optim(epochs=1)
    with monkeypatch.context() as patched:
        patched.setattr(Predictions, "write", full)
        with pytest.raises(UserError, match="free some space, then resume"):
            Trainer(config, tiny_dataset, tmp_path, "cpu").fit()
    assert not (tmp_path / "predictions.parquet").exists()
    assert not (tmp_path / "result.json").exists()
    assert Trainer(config, tiny_dataset, tmp_path, "cpu").fit().test_images == 12


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from epropnp.claims import claimed\n"
        "with claimed(pathlib.Path(sys.argv[1])): print('in', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "in\n"
        second = subprocess.run(command, capture_output=True, text=True, input="")
        assert "another process trains here" in second.stderr
        first.kill()
    assert subprocess.run(command, capture_output=True, text=True, input="").stdout == "in\n"


def test_a_device_without_memory_is_one_line_with_the_ways_out(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 10 MiB free.")

    monkeypatch.setattr(Trainer, "_update", full)
    trainer = Trainer(with_optim(batch_size=8, accumulate=2), tiny_dataset, tmp_path, "cpu")
    with pytest.raises(UserError) as caught:
        trainer.fit()
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("cpu is out of memory (it wanted 2.00 GiB more) with test_resnet at ")
    assert "optim.batch_size 8 in 2 parts" in message
    assert "optim.accumulate=4" in message
    assert "--trials-at-once 1" in message
    record = Record.read(tmp_path)
    assert record is not None
    assert (record.status, record.reason) == ("failed", message)
