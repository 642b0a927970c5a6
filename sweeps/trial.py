"""A trial as its folder tells it: what is trained on what, how it fares, and what came out."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from epropnp.claims import is_claimed
from epropnp.credentials import without_credentials
from epropnp.errors import UserError
from epropnp.inference.latency import Latency
from epropnp.models.config import BEST
from epropnp.plain import from_dict, to_dict
from epropnp.training.config import TrialConfig, upgraded
from epropnp.training.halt import STOP_FILE, stop_reason
from epropnp.training.identity import identity, trial_hash
from epropnp.training.record import CONFIG_FILE, Record, Status, interrupted
from epropnp.training.result import Metrics, TrialResult
from sweeps.build_settings import Build
from sweeps.search.asked import Asked

RESULT_FILE = "result.json"
PREDICTIONS_FILE, CHECKPOINT_FILE = "predictions.parquet", "checkpoint.pt"
ERRORS_FILE = "predictions.errors.parquet"  # of the predictions: symmetric objects' take minutes to compute
VALIDATION_FILE = "validation.parquet"  # predictions, too: a record that nothing of a sweep hangs on
COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # Ray writes them around the head of a traceback


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
        build: settings of its data.
        asked: why it was begun, where a search has drawn it.
        known: sweep and name of the trial that its result comes from, where it was not trained here.
        latency: of a finished trial's network, where it was measured.
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
    build: Build = ()
    asked: Asked | None = None
    known: str | None = None
    latency: Latency | None = None

    @property
    def untested(self) -> bool:
        """Whether its training was finished, and its result has been removed; `reason` says what is left."""
        return self.status == "waiting" and self.record is not None and self.record.status == "finished"


def read(folder: Path, note: "Note | None" = None) -> Trial:
    """Read a trial's folder, of an older version, too.

    What is damaged in it beside `trial.json` makes it a trial that failed for that reason.

    Args:
        folder: of the trial.
        note: of its `trial.json`, if that was read before.

    Raises:
        UserError: there is none, or its `trial.json` is damaged.
    """
    if not (folder / CONFIG_FILE).is_file():
        raise UserError(f"{folder} is no folder of a trial: it has no {CONFIG_FILE}")
    note, damage = note or read_note(folder), None
    record, result = None, None
    try:
        record = Record.read(folder)
        result = read_result(folder)
    except UserError as error:
        damage = str(error)
    status, reason = _status(folder, record, result)
    if damage is not None and status != "running":
        status, reason = "failed", damage
    return Trial(
        name=folder.name,
        config=note.config(),
        dataset_id=note.dataset_id,
        test_id=record.test_id if record else None,
        status=status,
        reason=reason,
        history=record.history if record else (),
        result=result,
        record=record,
        missing=None
        if record or damage
        else f"{folder.name}: no status.json, as in older versions; its status is "
        "inferred, and history, times, host and versions are unknown",
        build=note.build,
        asked=note.asked,
        known=note.known,
        latency=None if result is None else Latency.read(folder),
    )


def _status(folder: Path, record: Record | None, result: TrialResult | None) -> tuple[Status, str | None]:
    """Status and reason; a process that was killed could not say so."""
    if result is not None:
        return "finished", None
    if is_claimed(folder):
        return "running", None
    decided = stop_reason(folder)
    if decided is not None:
        return "stopped", decided
    if record is None:
        return "waiting", "interrupted" if (folder / CHECKPOINT_FILE).exists() else None
    if record.status == "running":
        return "waiting", interrupted(record.history)
    if record.status == "finished":
        return "waiting", f"its {RESULT_FILE} was removed: {_left_to_do(folder)}"
    if record.status == "stopped":
        return "waiting", f"its file `{STOP_FILE}` was removed: it may go on"
    return record.status, record.reason


def _left_to_do(folder: Path) -> str:
    """Of a finished trial without its result."""
    if (folder / BEST).exists():
        return "only the test is left to do"
    if (folder / CHECKPOINT_FILE).exists():
        return f"its {BEST} is not kept; remove {CHECKPOINT_FILE}, too, to train it anew"
    return "no weights are kept, and it is trained anew"


def read_result(folder: Path) -> TrialResult | None:
    """The result of a finished trial, or None. UserError where it is damaged."""
    file = folder / RESULT_FILE
    try:
        return TrialResult.from_json(file.read_text()) if file.is_file() else None
    except UserError as error:
        raise UserError(f"{file}: {error}") from None


def one_line(error: BaseException | str) -> str:
    """The line of an error that says what happened: the last of a traceback, else the first."""
    lines = [
        line.strip() for line in COLOURS.sub("", without_credentials(str(error))).splitlines() if line.strip()
    ]
    if not lines:
        return type(error).__name__
    traced = any("Traceback" in line or line.startswith("ray::") for line in lines)
    return lines[-1 if traced else 0]


@dataclass(frozen=True, kw_only=True)
class Note:
    """What `trial.json` says.

    Attributes:
        stored: settings as they were stored.
        dataset_id: what is trained on.
        hash: but for older versions.
        build: settings of the data.
        asked: by a search.
        known: from another sweep.
    """

    stored: dict[str, Any]
    dataset_id: str
    hash: str | None
    build: Build
    asked: Asked | None = None
    known: str | None = None

    def config(self, wanted: TrialConfig | None = None) -> TrialConfig:
        """The settings; where an older version stored them, in the terms of a config that may be the same."""
        return self._own if wanted is None else from_dict(TrialConfig, upgraded(self.stored, to_dict(wanted)))

    @cached_property
    def _own(self) -> TrialConfig:
        return from_dict(TrialConfig, upgraded(self.stored))

    def is_of(self, config: TrialConfig, dataset_id: str) -> bool:
        """Whether the folder is that of a trial."""
        if self.hash is not None:
            return self.hash == trial_hash(config, dataset_id)
        return self.dataset_id == dataset_id and identity(self.config(config)) == identity(config)


def read_note(folder: Path) -> Note:
    """UserError where `trial.json` is damaged."""
    file = folder / CONFIG_FILE
    try:
        values = json.loads(file.read_text())
        # The version before had no `settings`, and counted all of the config in its hash.
        digits = values["hash"] if "settings" in values else None
        build = tuple(map(str, values.get("build", ())))
        note = Note(
            stored=values["config"],
            dataset_id=values["dataset_id"],
            hash=digits,
            build=build,
            asked=Asked.of(values["asked"]) if "asked" in values else None,
            known=values.get("known"),
        )
        note.config()
    except (UserError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file} is damaged ({error}); remove {folder} to run its trial again") from error
    return note
