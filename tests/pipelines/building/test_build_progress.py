"""How far a build is: a bar in a terminal, a line for each tenth in a file."""

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from pipelines.building.build import _tracked


def said(total: int, terminal: bool = False, shown: bool = True) -> list[str]:
    """The lines of progress of so many steps, in threes."""
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=terminal)
    bar = Progress(console=console, disable=not shown)
    steps = [3] * (total // 3) + [total % 3]
    assert list(_tracked(bar, "samples", range(len(steps)), steps)) == list(range(len(steps)))
    return [line for line in file.getvalue().splitlines() if " of " in line]


def test_into_a_file_each_tenth_is_a_line() -> None:
    tenths = [30, 60, 90, 120, 150, 180, 210, 240, 270, 300]
    assert said(300) == [f"samples: {done} of 300" for done in tenths]


@pytest.mark.parametrize(
    ("total", "terminal", "shown"), [(99, False, True), (300, True, True), (300, False, False)]
)
def test_few_steps_a_terminal_and_who_wants_none_get_no_lines(
    total: int, terminal: bool, shown: bool
) -> None:
    assert said(total, terminal, shown) == []
