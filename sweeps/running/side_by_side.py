"""Trials that run, several in a line, where there are more of them than lines in the terminal."""

import math
from collections.abc import Mapping, Sequence

from rich.text import Text

from sweeps.running.figures import duration, percent
from sweeps.running.short_names import in_the_middle
from sweeps.running.states import TrialState

SPACE = 3  # characters between trials
THINNEST = 14  # characters of a trial


def side_by_side(
    trials: Sequence[TrialState],
    names: Mapping[TrialState, str],
    left_s: Mapping[TrialState, float | None],
    width: int,
    lines: int,
) -> Text:
    """As much of each as there is room for, its epoch at least.

    Args:
        trials: those that run.
        names: what they are called.
        left_s: seconds that each will take.
        width: characters of a line.
        lines: how many there are.
    """
    lines, count = max(1, lines), len(trials)
    for most in (3, 2, 1):  # figures of each
        figures = _aligned([_figures(trial, left_s[trial])[:most] for trial in trials])
        room = max(len(names[trial]) for trial in trials)
        each = room + 1 + len(figures[0])
        if math.ceil(count / _beside(width, each)) <= lines:
            break
    else:
        least, most = math.ceil(count / lines), _beside(width, max(THINNEST, len(figures[0]) + 2))
        each = (width + SPACE) // min(least, most) - SPACE
        room = max(1, each - 1 - len(figures[0]))
    columns = _beside(width, each)
    told = [
        f"{in_the_middle(names[trial], room):<{room}} {text}"
        for trial, text in zip(trials, figures, strict=True)
    ]
    if count > columns * lines:
        shown = columns * lines - 1
        told = [*told[:shown], f"and {count - shown} more"]
    rows = [told[start : start + columns] for start in range(0, len(told), columns)]
    return Text("\n".join((" " * SPACE).join(row) for row in rows), style="bold cyan", no_wrap=True)


def _figures(trial: TrialState, left_s: float | None) -> list[str]:
    """The most important first."""
    position = trial.position if trial.word == "running" else trial.word
    return [position, duration(left_s), percent(trial.add_percent)]


def _aligned(figures: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*figures, strict=True)]
    return [" ".join(text.rjust(w) for text, w in zip(each, widths, strict=True)) for each in figures]


def _beside(width: int, each: int) -> int:
    return max(1, (width + SPACE) // (each + SPACE))
