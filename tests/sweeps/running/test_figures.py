"""How figures are written, worked out by hand."""

import pytest

from sweeps.running.figures import duration, loss, memory, percent, rate


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "?"),
        (0.0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (635.0, "10 min 35 s"),
        (3599.6, "1 h 00 min"),
        (3840.0, "1 h 04 min"),
        (90000.0, "25 h 00 min"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_figures_of_a_trial() -> None:
    assert [percent(None), percent(12.34), percent(100.0)] == ["-", "12.3 %", "100.0 %"]
    assert [loss(None), loss(-1.23456), loss(1234567.0)] == ["-", "-1.235", "1.235e+06"]
    assert [rate(None), rate(0.254), rate(7.31), rate(1203.4)] == ["-", "0.25", "7.3", "1203"]


def test_memory_in_powers_of_ten() -> None:
    sizes = (None, 812_345_678, 999_600_000, 12_345_678_901)
    assert [memory(size) for size in sizes] == ["-", "812 MB", "1.0 GB", "12.3 GB"]
