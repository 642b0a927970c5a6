"""What a trial's folder tells while it runs and after it ended, by whatever end."""

import dataclasses
import json
import socket
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch

from epropnp.data.reader import ArrowDataset
from epropnp.errors import UserError
from epropnp.plain import from_dict
from epropnp.training.callbacks import Callback, Training
from epropnp.training.config import TrialConfig
from epropnp.training.guard import NonFiniteError
from epropnp.training.halt import InterruptionError, StopError
from epropnp.training.identity import identity, trial_hash
from epropnp.training.memory import MemoryLackError
from epropnp.training.record import Record, device_name, note_failure
from epropnp.training.result import EpochReport
from epropnp.training.trainer import Trainer
from tests.forked import Origin
from tests.training.tiny import tiny, with_optim

SHORT = with_optim(epochs=2, batch_size=32)  # two updates an epoch


class Ends(Callback):
    """Raises after the first epoch, and keeps what the folder said before."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.seen: list[Record | None] = []

    def on_start(self, trainer: Training) -> None:
        self.folder = trainer.work_dir
        self.seen.append(Record.read(self.folder))

    def on_epoch(self, report: EpochReport) -> None:
        self.seen.append(Record.read(self.folder))
        if self.error is not None and report.epoch == 1:
            raise self.error


def ended(dataset: Path, folder: Path, error: BaseException | None = None) -> Record:
    ends = Ends(error)
    trainer = Trainer(SHORT, dataset, folder, "cpu")
    if error is None:
        trainer.fit([ends])
    else:
        with pytest.raises(type(error)):
            trainer.fit([ends])
    assert all(seen is not None and seen.status == "running" for seen in ends.seen)
    found = Record.read(folder)
    assert found is not None
    return found


@pytest.mark.parametrize(("has", "told"), [(True, "cpu"), (False, "cpu (float32 for bf16)")])
def test_the_device_tells_of_another_precision_than_the_configs(
    has: bool, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("epropnp.inference.precision.cpu_has_bf16", lambda: has)
    assert device_name(torch.device("cpu"), "bf16") == told
    assert device_name(torch.device("cpu"), "float32") == "cpu"


def test_a_finished_trial_says_where_when_on_what_and_how_it_went(tiny_dataset: Path, tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    found = ended(tiny_dataset, tmp_path)
    result = json.loads((tmp_path / "result.json").read_text())
    assert (found.status, found.reason, found.traceback) == ("finished", None, None)
    assert found.started is not None
    assert found.ended is not None
    times = [datetime.fromisoformat(text) for text in (found.started, found.ended)]
    assert before <= times[0] <= times[1] <= datetime.now(UTC)
    assert (found.host, found.device) == (socket.gethostname(), "cpu")
    assert found.versions["torch"] == metadata.version("torch")
    assert found.versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found.dataset_id == ArrowDataset(tiny_dataset).dataset_id
    assert found.test_id == ArrowDataset(tiny_dataset).test_id
    assert [metrics.get("train/loss") for metrics in found.history] == [None, *result["train_loss"]]
    assert [metrics["val/add_0.10d"] for metrics in found.history] == result["val_add"]
    note = json.loads((tmp_path / "trial.json").read_text())
    assert from_dict(TrialConfig, note["config"]) == SHORT
    assert found.dataset_id is not None
    assert (note["hash"], note["dataset_id"]) == (trial_hash(SHORT, found.dataset_id), found.dataset_id)
    assert note["settings"] == identity(SHORT)


def test_the_commit_is_that_of_the_source_and_marked_where_it_was_changed(
    tiny_dataset: Path, tmp_path: Path
) -> None:
    root = Path(__file__).parents[2]
    git = ["git", "-C", str(root)]
    run = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    changed = [*git, "status", "--porcelain", "--untracked-files=no", "epropnp/training"]
    marked = subprocess.run(changed, capture_output=True, text=True, check=False).stdout.strip()
    expected = None if run.returncode else run.stdout.strip() + ("+" if marked else "")
    assert ended(tiny_dataset, tmp_path).commit == expected


@pytest.mark.parametrize(
    ("error", "status", "reason", "traced", "failure"),
    [
        (UserError("lower the rate"), "failed", "lower the rate", False, None),
        (RuntimeError("broken\nin many lines"), "failed", "RuntimeError: broken", True, None),
        (
            OSError("s3://me:hush@b is gone\nin many lines"),
            "failed",
            "OSError: s3://***@b is gone",
            True,
            None,
        ),
        # A search leaves settings that are to blame themselves; what a machine fails at, it tries again.
        (NonFiniteError("not finite"), "failed", "not finite", False, "diverged"),
        (MemoryLackError("cpu is out of memory"), "failed", "cpu is out of memory", False, "memory"),
        (KeyboardInterrupt(), "waiting", "interrupted after epoch 1", False, None),
        (SystemExit(143), "waiting", "interrupted after epoch 1", False, None),
        (StopError("worse than others"), "stopped", "worse than others", False, None),
        (
            InterruptionError("as the node goes"),
            "waiting",
            "interrupted after epoch 1, as the node goes",
            False,
            None,
        ),
    ],
)
def test_every_end_leaves_its_reason_and_the_history(
    tiny_dataset: Path,
    tmp_path: Path,
    error: BaseException,
    status: str,
    reason: str,
    traced: bool,
    failure: str | None,
) -> None:
    found = ended(tiny_dataset, tmp_path, error)
    assert (found.status, found.reason, found.failure) == (status, reason, failure)
    assert ("in many lines" in (found.traceback or "")) == traced
    assert "hush" not in (found.traceback or "")
    assert len(found.history) == 2
    assert found.ended is not None
    again = ended(tiny_dataset, tmp_path)
    assert (again.status, again.reason, again.traceback) == ("finished", None, None)
    assert again.failure is None
    assert again.history[:2] == found.history
    assert len(again.history) == 3


def test_a_killed_trial_is_left_running_with_its_history(
    origin: Origin, tiny_dataset: Path, tmp_path: Path
) -> None:
    """Whether anyone still runs it, the claim on the folder says."""
    program = (
        "import os, sys, json; from pathlib import Path; from tests.training.tiny import with_optim\n"
        "from epropnp.training.callbacks import Callback; from epropnp.training.trainer import Trainer\n"
        "class Dies(Callback):\n"
        "    def on_epoch(self, report):\n"
        "        if report.epoch == 1: os.kill(os.getpid(), 9)\n"
        "Trainer(with_optim(epochs=2, batch_size=32), sys.argv[1], Path(sys.argv[2]), 'cpu').fit([Dies()])"
    )
    assert origin.start(["-c", program, str(tiny_dataset), str(tmp_path)]).wait() == -9
    found = Record.read(tmp_path)
    assert found is not None
    assert (found.status, len(found.history), found.ended) == ("running", 2, None)


def test_the_folder_of_another_trial_keeps_its_record(tiny_dataset: Path, tmp_path: Path) -> None:
    before = ended(tiny_dataset, tmp_path)
    with pytest.raises(UserError, match="is of another config"):
        Trainer(with_optim(epochs=3), tiny_dataset, tmp_path, "cpu").fit()
    assert Record.read(tmp_path) == before


def test_a_damaged_checkpoint_is_a_failure_with_its_reason(tiny_dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be read"):
        Trainer(tiny(), tiny_dataset, tmp_path, "cpu").fit()
    found = Record.read(tmp_path)
    assert found is not None
    assert found.status == "failed"
    assert found.reason is not None
    assert "checkpoint.pt cannot be read" in found.reason


def test_a_record_comes_back_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    assert Record.read(tmp_path) is None
    given: dict[str, Any] = {"reason": "by hand", "host": "node7", "versions": {"torch": torch.__version__}}
    written = Record(status="stopped", history=({"val/add_area": 12.5},), **given)
    written.write(tmp_path)
    assert Record.read(tmp_path) == written
    for text in ("{", '{"status": "running", "colour": 1}', "[]"):
        (tmp_path / "status.json").write_text(text)
        with pytest.raises(UserError, match=r"status.json is damaged .*delete it"):
            Record.read(tmp_path)


def test_a_failure_that_no_process_can_tell_of_is_noted_beside_what_is_known(tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    known: dict[str, Any] = {"host": "node7", "started": "2026-01-02T03:04:05+00:00", "dataset_id": "ab"}
    running = Record(status="running", history=({"val/add_area": 12.5},), **known)
    running.write(tmp_path)
    for reason in ("its process ended", "its node is gone"):
        note_failure(tmp_path, reason)
        found = Record.read(tmp_path)
        assert found is not None
        assert found.ended is not None
        assert before <= datetime.fromisoformat(found.ended) <= datetime.now(UTC)
        assert found == dataclasses.replace(running, status="failed", reason=reason, ended=found.ended)
        # What an earlier failure left behind explains nothing any more.
        dataclasses.replace(found, traceback="of the first one").write(tmp_path)


def test_a_failure_is_noted_where_nothing_was_known(tmp_path: Path) -> None:
    note_failure(tmp_path, "its process ended")
    found = Record.read(tmp_path)
    assert found is not None
    assert (found.status, found.reason, found.history) == ("failed", "its process ended", ())
