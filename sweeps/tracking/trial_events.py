"""What there is to say of a trial, as its folder tells it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from epropnp.errors import UserError
from epropnp.inference.latency import LATENCY_FILE, Latency
from epropnp.training.frame_files import ANIMATION
from epropnp.training.log import LOG_FILE
from epropnp.training.record import CONFIG_FILE, STATUS_FILE
from epropnp.visualization.tested import CALIBRATION_FILE, PICTURE_FILE
from sweeps.tracking.events import Event, described, ended, epoch_ended, measured, started
from sweeps.tracking.measures import scores_of
from sweeps.tracking.run_pictures import frames_of
from sweeps.tracking.trial_words import begun_tags, inputs_of, params_of, tags_of
from sweeps.trial import ERRORS_FILE, PREDICTIONS_FILE, RESULT_FILE, VALIDATION_FILE, Trial, read

TOLD = (CONFIG_FILE, STATUS_FILE, LOG_FILE)  # of any trial that ended: all settings, history, its failure
# Of a finished trial: with these its sweep can be compared where there is nothing but MLflow.
TESTED = (RESULT_FILE, ERRORS_FILE, PREDICTIONS_FILE, VALIDATION_FILE)
FILES = (*TOLD, *TESTED, PICTURE_FILE, CALIBRATION_FILE, ANIMATION, LATENCY_FILE)
# MLflow knows no `stopped` and no `waiting`: the reason tells them apart.
STATUSES = {"finished": "FINISHED", "failed": "FAILED", "stopped": "KILLED", "waiting": "KILLED"}
SECONDS = "time/seconds"  # metric of an epoch: how long the trial had trained by then


def end_of(trial: Trial, folder: Path, root: Path) -> Event:
    """Its end, at the time that its folder says; a finished trial's scores and files go with it."""
    result = trial.result
    files = [*(folder / name for name in (TOLD if result is None else FILES)), *frames_of(folder)]
    latency = trial.latency
    event = ended(
        trial.name,
        STATUSES[trial.status],
        trial.reason or "",
        scores=scores_of(result),
        files=files,
        root=root,
    )
    event |= described(tags_of(trial), inputs_of(trial))
    if latency is not None:
        event |= measured(_of(latency), latency.place, _ms_of(latency.measured) or event["time_ms"])
    return event | {"time_ms": min(event["time_ms"], _ended_ms(trial) or event["time_ms"])}


def begun(trial: Trial, varied: Sequence[str] = ()) -> Event:
    """Its start: settings, and what it is."""
    params = params_of(trial.config, trial.build, trial.asked, varied)
    return started(trial.name, params, begun_tags(trial.config))


def facts_of(
    folder: Callable[[str], Path], root: Path, varied: Sequence[str] = ()
) -> Callable[[str], list[Event]]:
    """All that can be said of a trial by its name: start, epochs and, unless it runs, its end.

    Nothing, where its folder is gone or damaged.

    Args:
        folder: of a trial.
        root: of the sweep, from which files are named.
        varied: settings in which its trials differ.
    """

    def facts(name: str) -> list[Event]:
        try:
            trial = read(folder(name))
        except (UserError, OSError):
            return []
        end = [] if trial.status == "running" else [end_of(trial, folder(name), root)]
        first = begun(trial, varied)
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
    """Such as `time/network_ms_32`."""
    return {
        f"time/{field}_{count}": ms
        for count, cost in latency.batches.items()
        for field, ms in vars(cost).items()
    }


def _ms_of(text: str | None) -> int | None:
    """Since 1970, of a time in ISO 8601."""
    try:
        return None if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return None
