"""The table of a running sweep in a terminal, as wide and as high as that is at the moment.

Trials that run and the line of the whole are always there: columns and rows of less weight give way.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.spinner import Spinner
from rich.text import Text

from sweeps.running.figures import NONE, duration, loss, memory, percent, rate
from sweeps.running.live_rows import chosen
from sweeps.running.short_names import in_the_middle, shortened
from sweeps.running.side_by_side import side_by_side
from sweeps.running.states import ENDED, SweepState, TrialState, counted

SPACE = 2  # characters between columns
NAME = 28  # characters of a name, for more of which no other column gives way
LEAST = 2  # columns that stay, whatever the width
LOADING = "loading torch and networks"
STYLES = {
    "waiting": "dim",
    "starting": "cyan",
    "running": "bold cyan",
    "validating": "bold cyan",
    "testing": "bold cyan",
    "retrying": "yellow",
    "finished": "green",
    "kept": "green",
    "stopped": "yellow",
    "failed": "bold red",
}


@dataclass(frozen=True)
class Column:
    """One figure of each trial.

    Attributes:
        title, short: the heading, and the one for little room.
        cell: the figure now; it may be that of the seconds that are left.
        weight: columns of less weight give way first.
        least: characters that it has at least, so that the columns after it stay where they are.
        left: whether it begins in one place, not ends.
    """

    title: str
    short: str
    cell: Callable[[TrialState, float | None], str]
    weight: int
    least: int = 0
    left: bool = False


COLUMNS = (
    Column("status", "status", lambda trial, left_s: trial.word, 9, 10, left=True),
    Column("epoch", "epoch", lambda trial, left_s: trial.position, 8),
    Column("loss", "loss", lambda trial, left_s: loss(trial.loss), 5),
    Column("val ADD(-S)", "val ADD", lambda trial, left_s: percent(trial.add_percent), 6),
    Column("images/s", "img/s", lambda trial, left_s: rate(trial.images_per_s), 3),
    Column("memory", "memory", lambda trial, left_s: memory(trial.memory_bytes), 2),
    Column("time left", "left", lambda trial, left_s: NONE if trial.status in ENDED else duration(left_s), 7),
)


class LiveTable:
    """What rich draws again and again.

    Args:
        state: of the sweep.
        shared: what all trials have in common, in a few words each.
    """

    def __init__(self, state: SweepState, shared: Sequence[str]) -> None:
        self._state = state
        self._shared, self._trials = shared, list(state.trials.values())
        self._alike, short = shortened([trial.name for trial in self._trials])
        self._names = dict(zip(self._trials, short, strict=True))
        self._spinner = Spinner("dots")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines for the terminal as it is now."""
        now_s, width, height = time.monotonic(), options.max_width, options.size.height
        heading = _heading(len(self._trials), self._alike, self._shared, width)
        yield from (_line(text, width, "bold") for text in heading)
        room = height - len(heading) - 3  # without titles, the line of the whole and that of the cursor
        if len(self._trials) > room:
            room -= 1  # for what is not shown
        shown, hidden = chosen(self._trials, room)
        usual = self._state.usual
        left_s = {trial: trial.seconds_left(now_s, usual) for trial in self._trials}
        running = [trial for trial in self._trials if trial.status == "running"]
        if len(running) > len(shown):
            hidden = [trial for trial in self._trials if trial.status != "running"]
            yield side_by_side(running, self._names, left_s, width, room + 1)  # without titles
        else:
            yield rows(shown, self._names, left_s, width)
        if hidden:
            yield _line(f"not shown: {', '.join(counted(hidden))}", width, "dim")
        yield self._whole(now_s, width)

    def _whole(self, now_s: float, width: int) -> RenderableType:
        state = self._state
        if state.heard:
            left = f"{duration(state.seconds_left(now_s))} left"
            told = f"{state.counts}; {left}"
            return _line(told if len(told) <= width else f"{left}; {state.counts}", width)
        self._spinner.update(text=_line(f"{state.counts}; {LOADING}", width - 2))
        return self._spinner


def rows(
    shown: Sequence[TrialState],
    names: Mapping[TrialState, str],
    left_s: Mapping[TrialState, float | None],
    width: int,
) -> Text:
    """A row for each trial, below the titles. (A table of rich's takes twenty times as long to draw.)

    Args:
        shown: the trials.
        names: of all trials, those that are not shown, too: the columns stay where they are.
        left_s: seconds that each will take.
        width: characters of a line.
    """
    cells = {column.title: [column.cell(trial, left_s[trial]) for trial in shown] for column in COLUMNS}
    titles, room = _layout(cells, list(names.values()), width)
    lines = [["trial".ljust(room)], *([in_the_middle(names[trial], room).ljust(room)] for trial in shown)]
    for column in (each for each in COLUMNS if each.title in titles):
        texts = [titles[column.title], *cells[column.title]]
        wide = max(column.least, *map(len, texts))
        for line, text in zip(lines, texts, strict=True):
            line.append(text.ljust(wide) if column.left else text.rjust(wide))
    gap = " " * SPACE
    found = [Text(gap.join(lines[0]), style="bold")]
    for line, trial in zip(lines[1:], shown, strict=True):
        row = Text(gap.join(line))
        row.stylize(STYLES[trial.word], room + SPACE, room + SPACE + len(line[1]))
        found.append(row)
    return Text("\n", no_wrap=True, overflow="crop").join(found)


def _layout(
    cells: Mapping[str, Sequence[str]], names: Sequence[str], width: int
) -> tuple[dict[str, str], int]:
    """The columns that there is room for, with their headings, and the characters that names have then."""
    longest = max([len("trial"), *map(len, names)])
    ranked = sorted(COLUMNS, key=lambda column: -column.weight)
    for count in range(len(ranked), LEAST - 1, -1):
        for short in (False, True):
            titles = {c.title: c.short if short else c.title for c in ranked[:count]}
            widths = (max([c.least, len(titles[c.title]), *map(len, cells[c.title])]) for c in ranked[:count])
            room = width - sum(SPACE + wide for wide in widths)
            if room >= longest:
                return titles, longest
            cut = {in_the_middle(name, room) for name in set(names)}
            if room >= NAME and len(cut) == len(set(names)):
                return titles, room
    return titles, max(1, room)


def _heading(count: int, alike: str, shared: Sequence[str], width: int) -> list[str]:
    """How many trials there are and what they share: one line, or two where names share much."""
    lines = [f"{count} trial" + "s" * (count != 1)]
    if alike and len(lines[0]) + 2 + len(alike) <= width:
        lines[0] += f", {alike}"
    elif alike:
        lines.append(in_the_middle(alike, width))
    for part in shared:
        if len(lines[-1]) + 2 + len(part) <= width:
            lines[-1] += f", {part}"
    return lines


def _line(text: str, width: int, style: str = "") -> Text:
    found = Text(text, style=style, no_wrap=True)
    found.truncate(width, overflow="ellipsis")
    return found
