"""What is waited for is said: for a while in a terminal, for good in a file."""

import io

import pytest
from rich.console import Console

from sweeps.running.waiting import is_live, waiting


def test_a_file_has_a_line_before_the_wait() -> None:
    file = io.StringIO()
    with waiting(Console(file=file, width=20), "Ray: joining [/x] at a long address"):
        assert file.getvalue() == "Ray: joining [/x] at a long address\n"
    assert file.getvalue().count("\n") == 1


def test_a_terminal_has_a_line_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=60)
    assert is_live(console)
    with waiting(console, "Ray: joining [/x]"):
        pass
    told, _, after = file.getvalue().rpartition("Ray: joining [/x]")
    assert told
    assert "\x1b[2K" in after  # the line is erased


def test_a_dumb_terminal_is_no_better_than_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert not is_live(Console(file=io.StringIO(), force_terminal=True))
    assert not is_live(Console(file=io.StringIO()))


def test_what_breaks_the_wait_ends_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    console = Console(file=io.StringIO(), force_terminal=True, width=60)
    with pytest.raises(KeyboardInterrupt), waiting(console, "Ray: starting"):
        raise KeyboardInterrupt
    with waiting(console, "again"):  # one at a time
        pass
