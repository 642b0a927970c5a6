"""How long the end of a sweep waits for MLflow."""

import time
from pathlib import Path

import pytest

from sweeps.tracking import tracker as module
from sweeps.tracking.events import Event
from sweeps.tracking.tracker import Tracker


class Away:
    """A carrier that is out of reach until a test lets it answer.

    Attributes:
        answers: whether it does.
        tried: how often it was asked.
    """

    def __init__(self) -> None:
        self.answers, self.tried = False, 0

    def carry(self, event: Event) -> None:
        self.tried += 1
        if not self.answers:
            raise ConnectionError("refused")


@pytest.fixture
def tracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Tracker, Away]:
    """Whose MLflow has been away for two minutes, with an epoch to send."""
    carrier, real, later_s = Away(), time.monotonic, [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: real() + later_s[0])
    found = Tracker(carrier, tmp_path / "spool.jsonl")
    found.log_epoch("a", 0, {"train/loss": 0.5})
    assert not found.flush(0.2)
    later_s[0] = 120.0
    carrier.tried = 0
    return found, carrier


def test_who_has_been_away_for_long_is_asked_once_more(
    tracker: tuple[Tracker, Away], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ATTEMPT_SECONDS", 0.2)
    found, carrier = tracker
    began_s = time.perf_counter()
    assert not found.close(60.0)
    assert time.perf_counter() - began_s < 30.0  # a minute, if the two before did not count
    assert carrier.tried >= 1


def test_who_answers_at_that_is_sent_all(tracker: tuple[Tracker, Away]) -> None:
    found, carrier = tracker
    carrier.answers = True
    found.log_epoch("a", 1, {"train/loss": 0.25})
    assert found.close(60.0)
    assert carrier.tried == 2
