"""How a sweep ends for who called it."""

from types import SimpleNamespace
from typing import Any

import pytest

from sweeps.running.outcome import Outcome


def outcome(*statuses: str, infeasible: tuple[str, ...] = (), interrupted: str | None = None) -> Outcome:
    """Of trials a, b, ... by status."""
    rows = [SimpleNamespace(name=name, status=status) for name, status in zip("abc", statuses, strict=False)]
    report: Any = SimpleNamespace(rows=rows)
    return Outcome(report=report, infeasible=infeasible, interrupted=interrupted, recorded=True)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (outcome("finished", "stopped"), 0),
        (outcome("finished", "failed"), 1),
        (outcome("finished", "waiting"), 1),
        (outcome("finished", "failed", "waiting", infeasible=("b", "c")), 0),
        (outcome("finished", "failed", "failed", infeasible=("b",)), 1),
        (outcome("finished", "waiting", interrupted="SIGTERM"), 75),
        (outcome("finished", "waiting", interrupted="SIGINT"), 130),
    ],
)
def test_the_exit_code_tells_how_it_ended(found: Outcome, code: int) -> None:
    assert found.code == code
