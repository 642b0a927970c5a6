"""Which trials have a row in a terminal of so many lines: those that run above all."""

from collections.abc import Sequence

from sweeps.running.states import TrialState

FEW = 3  # waiting trials that are shown before those that ended


def chosen(trials: Sequence[TrialState], rows: int) -> tuple[list[TrialState], list[TrialState]]:
    """The trials that are shown, and the others.

    All in their order where there is room. Else those that run, those that broke off, the next few that wait,
    what failed or was stopped, the newest that finished, and the rest that waits.
    """
    if len(trials) <= rows:
        return list(trials), []
    by_status: dict[str, list[TrialState]] = {}
    for trial in trials:
        by_status.setdefault(trial.status, []).append(trial)

    def of(*statuses: str) -> list[TrialState]:
        found = [trial for status in statuses for trial in by_status.get(status, [])]
        return sorted(found, key=lambda trial: -(trial.ended_s or 0.0))

    waiting = by_status.get("waiting", [])
    ranked = [
        *by_status.get("running", []),
        *by_status.get("retrying", []),
        *waiting[:FEW],
        *of("failed", "stopped"),
        *of("finished", "kept"),
        *waiting[FEW:],
    ]
    rows = max(0, rows)
    return ranked[:rows], ranked[rows:]
