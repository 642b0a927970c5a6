"""A trial as its folder tells it: what is trained on what, how it fares, and what came out."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from epropnp.errors import UserError
from epropnp.files import is_claimed
from epropnp.plain import differing, from_dict, to_dict
from epropnp.training.config import TrialConfig, upgraded
from epropnp.training.record import CONFIG_FILE, Record, Status, config_note, write_config
from epropnp.training.result import Metrics, TrialResult

RESULT_FILE = "result.json"
PREDICTIONS_FILE, CHECKPOINT_FILE = "predictions.parquet", "checkpoint.pt"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # Ray writes them around the head of a traceback


def prepare_folder(folder: Path, config: TrialConfig, dataset_id: str) -> None:
    """Create a trial's folder and note what is trained in it.

    Raises:
        UserError: the folder belongs to a trial of other settings or other data.
    """
    file = folder / CONFIG_FILE
    wanted = config_note(config, dataset_id)
    if file.is_file():
        difference = _difference(_noted(file), wanted, config)
        if difference:
            raise UserError(
                f"{folder}: this trial was started with {difference}; "
                "give the same flags to resume it, or start a new sweep with another --name"
            )
        return
    write_config(folder, wanted)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a trial's folder says.

    Attributes:
        name: of the folder.
        config, dataset_id: what is trained on what.
        test_id: which images it is tested on; None where the folder does not say.
        status: `running` only while a process holds the folder.
        reason: of a failure, a stop or an interruption, in one line.
        history: metrics of the epochs so far, from epoch 0 on.
        result: of a finished trial.
        record: all of `status.json`, or None.
        missing: what an older version has not written, in one line, or None.
    """

    name: str
    config: TrialConfig
    dataset_id: str
    test_id: str | None
    status: Status
    reason: str | None
    history: Sequence[Metrics]
    result: TrialResult | None
    record: Record | None
    missing: str | None


def read(folder: Path) -> Trial:
    """Read a trial's folder, of an older version, too. UserError where there is none, or it is damaged."""
    if not (folder / CONFIG_FILE).is_file():
        raise UserError(f"{folder} is no folder of a trial: it has no {CONFIG_FILE}")
    note = _noted(folder / CONFIG_FILE)
    record, result = Record.read(folder), read_result(folder)
    status, reason = _status(folder, record, result)
    return Trial(
        name=folder.name,
        config=from_dict(TrialConfig, upgraded(note["config"])),
        dataset_id=note["dataset_id"],
        test_id=record.test_id if record else None,
        status=status,
        reason=reason,
        history=record.history if record else (),
        result=result,
        record=record,
        missing=None
        if record
        else f"{folder.name}: no status.json, as in older versions; its status is "
        "inferred, and history, times, host and versions are unknown",
    )


def _status(folder: Path, record: Record | None, result: TrialResult | None) -> tuple[Status, str | None]:
    """Status and reason; a process that was killed could not say so."""
    if result is not None:
        return "finished", None
    if is_claimed(folder):
        return "running", None
    if record is None:
        return "waiting", "interrupted" if (folder / CHECKPOINT_FILE).exists() else None
    if record.status == "running":
        return "waiting", f"interrupted after epoch {len(record.history) - 1}"
    if record.status == "finished":
        return "waiting", f"its {RESULT_FILE} was removed: only the test is left to do"
    return record.status, record.reason


def read_result(folder: Path) -> TrialResult | None:
    """The result of a finished trial, or None. UserError where it is damaged."""
    file = folder / RESULT_FILE
    try:
        return TrialResult.from_json(file.read_text()) if file.is_file() else None
    except UserError as error:
        raise UserError(f"{file}: {error}") from None


def one_line(error: BaseException | str) -> str:
    """The line of an error that says what happened: the last of a traceback, else the first."""
    lines = [line.strip() for line in COLOURS.sub("", str(error)).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    traced = any("Traceback" in line or line.startswith("ray::") for line in lines)
    return lines[-1 if traced else 0]


def _noted(file: Path) -> dict[str, Any]:
    try:
        note = json.loads(file.read_text())
        return {key: note[key] for key in ("hash", "dataset_id", "config")}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{file} is damaged ({error}); remove {file.parent} to run its trial again"
        ) from error


def _difference(found: dict[str, Any], wanted: dict[str, Any], config: TrialConfig) -> str:
    """Say how the trial in a folder differs from the one wanted, or nothing."""
    if found["dataset_id"] != wanted["dataset_id"]:
        return f"dataset {found['dataset_id']}, and now it is {wanted['dataset_id']}"
    if found["hash"] == wanted["hash"]:
        return ""
    mine = to_dict(config)
    before = to_dict(from_dict(TrialConfig, upgraded(found["config"], mine)))
    changes = [f"{key}={then} (now {now})" for key, then, now in differing(before, mine)]
    return ", ".join(changes[:3])
