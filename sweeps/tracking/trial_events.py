"""What there is to say of a trial, as its folder tells it."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from epropnp.errors import UserError
from epropnp.inference.latency import Latency
from epropnp.plain import flatten
from sweeps.results.pictures import CALIBRATION_FILE, PICTURE_FILE
from sweeps.space import by_key
from sweeps.tracking.events import Event, ended, epoch_ended, measured, started
from sweeps.trial import PREDICTIONS_FILE, RESULT_FILE, VALIDATION_FILE, Trial, read

# Of a finished trial.
FILES = (RESULT_FILE, PREDICTIONS_FILE, VALIDATION_FILE, PICTURE_FILE, CALIBRATION_FILE)
# MLflow knows no `stopped` and no `waiting`: the reason tells them apart.
STATUSES = {"finished": "FINISHED", "failed": "FAILED", "stopped": "KILLED", "waiting": "KILLED"}
VALIDATED = ("add_area", "add_0.10d", "5deg5cm")  # of the tested weights on all validation images
SECONDS = "time/seconds"  # metric of an epoch: how long the trial had trained by then


def end_of(trial: Trial, folder: Path, root: Path) -> Event:
    """Its end, at the time that its folder says; a finished trial's scores and files go with it."""
    result = trial.result
    scores = {} if result is None else {f"test/{key}": value for key, value in result.test.items()}
    if result is not None:
        found = result.validation
        scores |= {f"validation/{key}": found[key] for key in VALIDATED if key in found}
    latency = trial.latency
    event = ended(
        trial.name,
        STATUSES[trial.status],
        trial.reason or "",
        step=0 if result is None else result.epochs,
        scores=scores,
        files=[] if result is None else [folder / file for file in FILES],
        root=root,
    )
    if latency is not None:
        event |= measured(_of(latency), latency.place, _ms_of(latency.measured) or event["time_ms"])
    return event | {"time_ms": min(event["time_ms"], _ended_ms(trial) or event["time_ms"])}


def facts_of(folder: Callable[[str], Path], root: Path) -> Callable[[str], list[Event]]:
    """All that can be said of a trial by its name: start, epochs and, unless it runs, its end.

    Nothing, where its folder is gone or damaged.
    """

    def facts(name: str) -> list[Event]:
        try:
            trial = read(folder(name))
        except (UserError, OSError):
            return []
        end = [] if trial.status == "running" else [end_of(trial, folder(name), root)]
        first = started(name, {**flatten(trial.config), **by_key(trial.build)})
        last_ms = end[0]["time_ms"] if end else first["time_ms"]
        seconds = [metrics.get(SECONDS, 0.0) for metrics in trial.history]
        total = max(seconds, default=0.0)
        epochs = [
            epoch_ended(name, epoch, metrics) | {"time_ms": last_ms - round(1000 * (total - seconds[epoch]))}
            for epoch, metrics in enumerate(trial.history)
        ]
        return [first | {"time_ms": last_ms - round(1000 * total)}, *epochs, *end]

    return facts


def _ended_ms(trial: Trial) -> int | None:
    return _ms_of(trial.record.ended if trial.record is not None else None)


def _of(latency: Latency) -> dict[str, float]:
    """Such as `latency/network_ms_32`."""
    return {
        f"latency/{field}_{count}": ms
        for count, cost in latency.batches.items()
        for field, ms in vars(cost).items()
    }


def _ms_of(text: str | None) -> int | None:
    """Since 1970, of a time in ISO 8601."""
    try:
        return None if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return None
