"""How long a sweep may run, over several calls."""

from pathlib import Path

import pytest

from sweeps.running import hours as module
from sweeps.running.hours import Hours


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """One that a test sets; each process has another zero."""
    now = [5000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_the_hours_of_one_call_begin_with_it(tmp_path: Path, clock: list[float]) -> None:
    for _ in range(2):
        hours = Hours(tmp_path, 0.5)
        clock[0] += 1799
        assert hours.over() is None
        clock[0] += 1
        assert hours.over() == "its 0.5 hours are over"
        hours.note()


def test_the_hours_of_all_calls_are_spent_one_after_the_other(tmp_path: Path, clock: list[float]) -> None:
    first = Hours(tmp_path, 1, in_all=True)
    clock[0] += 2000
    assert first.over() is None  # and is noted now and then: this process is killed
    clock[0] = 17.0
    second = Hours(tmp_path, 1, in_all=True)
    clock[0] += 1599
    assert second.over() is None
    clock[0] += 1
    assert second.over() == "its 1 hours are over"
    second.note()
    assert Hours(tmp_path, 1, in_all=True).over() is not None
    assert Hours(tmp_path, 1).over() is None


def test_without_hours_nothing_ends_and_the_count_goes_on(tmp_path: Path, clock: list[float]) -> None:
    hours = Hours(tmp_path, None)
    clock[0] += 1e6
    assert hours.over() is None
    assert Hours(tmp_path, 100, in_all=True).over() is not None


def test_a_count_that_cannot_be_read_or_written_ends_nothing(tmp_path: Path, clock: list[float]) -> None:
    (tmp_path / "hours.json").write_text("{")
    hours = Hours(tmp_path / "no" / "folder", 1, in_all=True)
    assert hours.over() is None
    assert Hours(tmp_path, 1, in_all=True).over() is None
    (tmp_path / "file").write_text("")
    Hours(tmp_path / "file", 1).note()
