"""Which trials are shown where there is no room for all."""

import pytest

from sweeps.running.live_rows import chosen
from sweeps.running.states import TrialState


def _trials(statuses: str) -> list[TrialState]:
    """A trial for each letter, called by its place; the later one ended later."""
    words = {"w": "waiting", "r": "running", "b": "retrying", "f": "finished", "x": "failed", "k": "kept"}
    found = [TrialState(str(i), 4, status=words[letter]) for i, letter in enumerate(statuses)]
    for i, trial in enumerate(found):
        trial.ended_s = float(i) if trial.status in ("finished", "failed") else None
    return found


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        (13, "0 1 2 3 4 5 6 7 8 9 10 11 12"),
        (12, "5 6 7 8 9 10 4 1 3 2 0 11"),
        (7, "5 6 7 8 9 10 4"),
        (2, "5 6"),
        (0, ""),
        (-3, ""),
    ],
)
def test_what_runs_comes_first(rows: int, shown: str) -> None:
    trials = _trials("kxffxrrbwwwww"[:13])
    found, hidden = chosen(trials, rows)
    assert sorted([*found, *hidden], key=trials.index) == trials
    assert " ".join(trial.name for trial in found) == shown
