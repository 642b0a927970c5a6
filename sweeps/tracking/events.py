"""What is said of runs: plain dictionaries, each a line of JSON, carried out twice without harm."""

import os
import shlex
import time
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

from epropnp.credentials import without_credentials
from sweeps.tracking.measures import of_epoch

Event = dict[str, Any]
PARENT = ""  # in the place of a trial's name
COMMAND_TAG = "epropnp.command"
FLAG = "flag."  # before the names of params and tags that are flags
TEXT_CHARACTERS = 5000  # of a tag; MLflow takes 8000
# What each must hold. The last two are of a spool that a version before left.
CONTENT = {
    "start": ("params",),
    "epoch": ("epoch", "metrics"),
    "finish": ("status", "reason"),
    "scores": ("metrics", "step"),
    "files": ("files",),
}


class RefusedError(Exception):
    """An event that will never be taken; all others may be."""


def started(trial: str, params: Mapping[str, Any], tags: Mapping[str, Any] | None = None) -> Event:
    """A trial, or the sweep itself (`PARENT`), begins or goes on; its tags are those that hold now."""
    texts = {key: _text(value) for key, value in (tags or {}).items()}
    return _event("start", trial, params={key: _text(value) for key, value in params.items()}, tags=texts)


def command_tags(words: Sequence[str], flags: Mapping[str, Any]) -> dict[str, Any]:
    """What the sweep was last called with: unlike params, which MLflow never changes, tags can say it.

    Args:
        words: of the command line; none: called as a function.
        flags: `flag.NAME` -> value; others are left out.
    """
    if not words:
        return {}
    command = {COMMAND_TAG: f"epropnp-sweeps run {shlex.join(words)}"}
    return command | {name: value for name, value in flags.items() if name.startswith(FLAG)}


def epoch_ended(trial: str, epoch: int, metrics: Mapping[str, float]) -> Event:
    """The metrics of an epoch that are logged."""
    return _event("epoch", trial, epoch=epoch, metrics=of_epoch(_numbers(metrics)))


def ended(
    trial: str,
    status: str,
    reason: str = "",
    *,
    step: int = 0,
    scores: Mapping[str, float] | None = None,
    files: Sequence[Path] = (),
    root: Path,
) -> Event:
    """A run ends as FINISHED, FAILED or KILLED, with its final numbers and files.

    Files below `root`, the sweep's folder, are named from there: it may be moved before they are sent.
    """
    names = [os.path.relpath(f, root) if f.is_relative_to(root) else str(f.absolute()) for f in files]
    why = _text(reason)[:TEXT_CHARACTERS]
    content = {"step": step, "scores": _numbers(scores or {}), "files": names}
    return _event("finish", trial, status=status, reason=why, **content)


def measured(costs: Mapping[str, float], where: str, time_ms: int) -> dict[str, Any]:
    """What the end of a run says of metrics that belong to no epoch, which are logged at step 0."""
    return {"costs": _numbers(costs), "costs_where": _text(where), "costs_ms": time_ms}


def described(tags: Mapping[str, str], inputs: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """What the end of a run says in words, and of the data: `name`, `digest`, `context`, `source` each."""
    return {"tags": {key: _text(value) for key, value in tags.items()}, "inputs": [*map(dict, inputs)]}


def is_event(value: Any) -> bool:
    """Whether this, read from a file, can be carried out."""
    if not (isinstance(value, dict) and value.get("kind") in CONTENT and isinstance(value.get("trial"), str)):
        return False
    return isinstance(value.get("time_ms"), int) and all(key in value for key in CONTENT[value["kind"]])


def _event(kind: str, trial: str, **content: Any) -> Event:
    return {"kind": kind, "trial": trial, "time_ms": int(time.time() * 1000), **content}


def _numbers(values: Mapping[str, float]) -> dict[str, float]:
    """What is none is left out: a record must not end a sweep."""
    return {key: float(value) for key, value in values.items() if isinstance(value, Real)}


def _text(value: Any) -> str:
    """Such as every database takes: without credentials, zero bytes and halves of characters."""
    text = without_credentials(str(value)).replace("\0", "")
    return text.encode("utf-8", "replace").decode("utf-8")
