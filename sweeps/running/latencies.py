"""How fast the networks of a sweep are: timed one after the other, when nothing else of it runs any more.

A setting is timed once on a machine; its other seeds, which have the same network, are given what was found.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from epropnp.errors import first_line
from epropnp.inference.latency import Latency, host_here, measure
from epropnp.models.config import BEST
from sweeps.folder import Sweep
from sweeps.results.report import Reporter
from sweeps.running.waiting import waiting
from sweeps.search.search import by_setting
from sweeps.tracking.tracker import Tracker
from sweeps.trial import Trial, read

QUIET_S = 20.0  # that is waited for MLflow's records


def measure_lacking(
    sweep: Sweep,
    console: Console,
    reporter: Reporter,
    tracker: Tracker,
    given_up: Callable[[], object],
    say: Callable[[str], None],
) -> list[Trial]:
    """Time the network of each setting of which a finished trial lacks a latency of this machine.

    Weights that are not kept cannot be timed. A setting that fails is said in a line, and all others go on.

    Args:
        sweep: none of whose trials runs.
        console: for what is done meanwhile.
        reporter, tracker: of the sweep, which may be at work.
        given_up: whether to begin with no other one.
        say: of what fails.

    Returns:
        the trials that have a new latency.
    """
    settings = _lacking(sweep)
    if not settings:
        return []
    reporter.settle()
    tracker.flush(QUIET_S)
    found: list[Trial] = []
    with waiting(console, f"latency: networks are measured, each alone: {len(settings)}"):
        for trials in settings:
            if given_up():
                break
            try:
                latency = _known(trials) or _of(sweep.trial_folder(trials[0].name) / BEST)
                for folder in (sweep.trial_folder(each.name) for each in trials if _lacks(each)):
                    latency.write(folder)
                    found.append(read(folder))
            except Exception as error:  # a damaged file, no memory, a full disk: it is no result of the sweep
                say(f"latency of {trials[0].name} is not measured: {first_line(error)}")
    return found


def _lacking(sweep: Sweep) -> list[list[Trial]]:
    """By setting, the finished trials that have their weights, where one of them lacks a latency."""
    kept = (
        trial
        for trial in sweep.trials()
        if trial.status == "finished" and (sweep.trial_folder(trial.name) / BEST).is_file()
    )
    return [trials for trials in by_setting(kept).values() if any(map(_lacks, trials))]


def _lacks(trial: Trial) -> bool:
    """Whether there is none of this machine."""
    return trial.latency is None or trial.latency.host != host_here()


def _known(trials: Sequence[Trial]) -> Latency | None:
    """What was found here before, of another seed."""
    return next((trial.latency for trial in trials if not _lacks(trial)), None)


def _of(weights: Path) -> Latency:
    from epropnp.inference.device import chosen_device
    from epropnp.inference.model import load_model

    return measure(load_model(weights, chosen_device()).inference)
