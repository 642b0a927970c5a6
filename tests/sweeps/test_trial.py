"""A trial's folder and its failures, as the driver reads them."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from epropnp.errors import UserError
from epropnp.training.config import TrialConfig
from epropnp.training.overrides import override
from epropnp.training.record import Record, config_note, write_config
from epropnp.training.result import TrialResult
from sweeps.trial import one_line, read, read_note, read_result

RAY = (
    "\x1b[36mray::ImplicitFunc.train()\x1b[39m (pid=30168, ip=127.0.0.1, actor_id=a1, repr=run_trial)\n"
    '  File "sweeps/trial.py", line 50, in run_trial\n    trainer.fit()\n'
    "RuntimeError: out of memory\n"
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (RAY, "RuntimeError: out of memory"),
        ("Traceback (most recent call last):\n  x\nValueError: no", "ValueError: no"),
        ("loss not finite\nmore", "loss not finite"),
    ],
)
def test_the_reason_of_a_failure_is_one_line(text: str, line: str) -> None:
    assert one_line(text) == line


def test_a_damaged_result_is_named(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text('{"recipe": ')
    with pytest.raises(UserError, match=r"result\.json: not a trial result"):
        read_result(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        json.dumps({"hash": "a", "dataset_id": "b"}),
        json.dumps({"hash": "a", "dataset_id": "b", "config": []}),
        json.dumps({"hash": "a", "dataset_id": "b", "config": {"colour": 1}}),
        json.dumps({"hash": "a", "dataset_id": "b", "config": {}, "settings": {}, "build": 5}),
    ],
)
def test_a_damaged_note_of_a_trial_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "trial.json").write_text(text)
    for reader in (read, read_note):
        with pytest.raises(UserError, match=rf"{tmp_path}/trial\.json is damaged .*; remove {tmp_path} to"):
            reader(tmp_path)


def a_folder(folder: Path, **record: Any) -> Path:
    """Of a trial that was prepared, with a record if one is given."""
    write_config(folder, config_note(TrialConfig(seed=7), "0123456789ab"))
    if record:
        Record(dataset_id="0123456789ab", test_id="fedcba987654", **record).write(folder)
    return folder


def test_a_note_is_that_of_its_trial_and_of_no_other(tmp_path: Path) -> None:
    note = read_note(a_folder(tmp_path))
    assert (note.config(), note.dataset_id) == (TrialConfig(seed=7), "0123456789ab")
    assert note.is_of(TrialConfig(seed=7), "0123456789ab")
    assert note.is_of(override(TrialConfig(seed=7), ["data.workers=3"]), "0123456789ab")  # changes no number
    assert not note.is_of(TrialConfig(seed=8), "0123456789ab")
    assert not note.is_of(override(TrialConfig(seed=7), ["loss.mc=0.0200000001"]), "0123456789ab")
    assert not note.is_of(TrialConfig(seed=7), "ba9876543210")


def test_a_note_from_before_a_setting_was_added_is_that_of_the_same_trial(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    note = json.loads((folder / "trial.json").read_text())
    del note["config"]["optim"]["skip_limit"]
    (folder / "trial.json").write_text(json.dumps(note))
    assert read(folder).config == TrialConfig(seed=7)
    assert read_note(folder).is_of(TrialConfig(seed=7), "0123456789ab")
    assert not read_note(folder).is_of(override(TrialConfig(seed=7), ["optim.skip_limit=2"]), "0123456789ab")


HISTORY = ({"val/add_area": 1.0}, {"val/add_area": 2.0})


@pytest.mark.parametrize(
    ("record", "status", "reason"),
    [
        ({"status": "running", "history": HISTORY}, "waiting", "interrupted after epoch 1"),
        ({"status": "running"}, "waiting", "interrupted before its first evaluation"),
        (
            {"status": "stopped", "reason": "by hand"},
            "waiting",
            "its file `stop` was removed: it may go on",
        ),
        ({"status": "failed", "reason": "loss is NaN"}, "failed", "loss is NaN"),
        (
            {"status": "waiting", "reason": "interrupted after epoch 3"},
            "waiting",
            "interrupted after epoch 3",
        ),
        (
            {"status": "finished"},
            "waiting",
            "its result.json was removed: no weights are kept, and it is trained anew",
        ),
    ],
)
def test_a_folder_gives_back_what_its_trial_said(
    tmp_path: Path, record: dict[str, Any], status: str, reason: str
) -> None:
    trial = read(a_folder(tmp_path / "resnet-seed7", **record))
    assert (trial.name, trial.status, trial.reason) == ("resnet-seed7", status, reason)
    assert trial.config == TrialConfig(seed=7)
    assert (trial.dataset_id, trial.test_id) == ("0123456789ab", "fedcba987654")
    assert trial.history == record.get("history", ())
    assert (trial.result, trial.missing) == (None, None)
    assert trial.untested == (record["status"] == "finished")


@pytest.mark.parametrize("status", [None, "waiting", "running", "failed", "stopped", "finished"])
def test_a_trial_whose_folder_has_a_file_stop_is_stopped_for_its_reason(
    tmp_path: Path, status: Any, result: TrialResult
) -> None:
    """However it fared; also one of which a process was killed, or that no process has begun."""
    record = {} if status is None else {"status": status, "reason": "another", "history": HISTORY}
    folder = a_folder(tmp_path / "t", **record)
    (folder / "stop").write_text("too slow\nand too large\n")
    assert (read(folder).status, read(folder).reason) == ("stopped", "too slow")
    assert read(folder).history == (HISTORY if record else ())
    (folder / "result.json").write_text(result.to_json())  # then it came too late
    assert (read(folder).status, read(folder).reason) == ("finished", None)


def test_a_trial_runs_while_a_process_holds_its_folder(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, status="running", history=HISTORY)
    program = (
        "import pathlib, sys; from epropnp.claims import claimed\n"
        "with claimed(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert (read(folder).status, read(folder).reason) == ("running", None)
        (folder / "stop").touch()  # it will stop after the running update
        assert (read(folder).status, read(folder).reason) == ("running", None)
        (folder / "stop").unlink()
        holder.communicate("")
    assert read(folder).status == "waiting"


def test_folders_of_older_versions_are_read_and_what_they_lack_is_said_in_one_line(
    tmp_path: Path, result: TrialResult
) -> None:
    folder = a_folder(tmp_path / "old")
    lacking = r"old: no status.json, as in older versions; its status is inferred, and history, .* unknown"
    for state in ((), ("checkpoint.pt",)):
        for name in state:
            (folder / name).touch()
        trial = read(folder)
        assert (trial.status, trial.reason) == ("waiting", "interrupted" if state else None)
        assert re.fullmatch(lacking, trial.missing or "")
    (folder / "result.json").write_text(result.to_json())
    assert (read(folder).status, read(folder).result) == ("finished", result)


def test_a_result_is_that_of_its_folder_or_none(result: TrialResult, tmp_path: Path) -> None:
    for name, epochs in (("a", 2), ("b", 5)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "result.json").write_text(dataclasses.replace(result, epochs=epochs).to_json())
    assert read_result(tmp_path / "a") == result
    assert read_result(tmp_path / "b") == dataclasses.replace(result, epochs=5)
    assert read_result(tmp_path) is None


def test_an_error_without_words_is_named_by_its_kind() -> None:
    assert one_line(MemoryError()) == "MemoryError"
    assert one_line(OSError("s3://me:hush@bucket is not there")) == "s3://***@bucket is not there"
    assert one_line(ValueError("\n  \nfirst\nsecond\n")) == "first"


def test_another_folder_is_no_trial(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is no folder of a trial: it has no trial.json"):
        read(tmp_path)
