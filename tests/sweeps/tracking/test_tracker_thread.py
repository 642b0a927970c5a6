"""The queue before MLflow: who speaks never waits; what is said arrives once, in order, with few words."""

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sweeps.tracking import tracker as module
from sweeps.tracking.events import Event, RefusedError
from sweeps.tracking.spool import Spool
from sweeps.tracking.tracker import Tracker


class Recipient:
    """A carrier that notes what arrives, and does what a test wants at it.

    Attributes:
        got: events that it took.
        tried: how often it was asked.
        fails: raised at each, while there is one.
        gate: each waits for it.
    """

    def __init__(self) -> None:
        self.got: list[Event] = []
        self.tried = 0
        self.fails: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def carry(self, event: Event) -> None:
        self.tried += 1
        self.gate.wait(30)
        if self.fails is not None:
            raise self.fails
        self.got.append(event)

    @property
    def epochs(self) -> list[int]:
        return [event["epoch"] for event in self.got]


def say(tracker: Tracker, *epochs: int) -> None:
    for epoch in epochs:
        tracker.log_epoch("a", epoch, {"train/loss": 0.5})


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool.jsonl"


@pytest.fixture
def recipient() -> Recipient:
    return Recipient()


def test_who_speaks_does_not_wait_for_who_listens(spool: Path, recipient: Recipient) -> None:
    recipient.gate.clear()
    tracker = Tracker(recipient, spool)
    seconds = []
    for epoch in range(300):
        began_s = time.perf_counter()
        say(tracker, epoch)
        seconds.append(time.perf_counter() - began_s)
    assert sorted(seconds)[270] < 0.005
    assert recipient.got == []
    began_s = time.monotonic()
    assert not tracker.flush(0.2)
    assert 0.2 <= time.monotonic() - began_s < 2
    recipient.gate.set()
    assert tracker.close(10)
    assert recipient.epochs == list(range(300))
    assert not spool.exists()


def test_what_is_left_at_the_end_is_sent_by_the_next_process_first(spool: Path, recipient: Recipient) -> None:
    recipient.fails = ConnectionError("gone")
    first = Tracker(recipient, spool, retry_seconds=0.01)
    say(first, 0, 1)
    assert not first.close(0.1)
    tried = recipient.tried
    time.sleep(0.1)
    assert recipient.tried == tried  # its thread has ended
    recipient.fails = None
    second = Tracker(recipient, spool)
    say(second, 2)
    assert second.close(10)
    assert recipient.epochs == [0, 1, 2]


def test_a_kill_sends_at_most_one_event_twice(spool: Path, tmp_path: Path) -> None:
    """The spool, as it lies on the disk at any moment, has what is not sent."""

    class Slow(Recipient):
        steps = threading.Semaphore(0)

        def carry(self, event: Event) -> None:
            super().carry(event)
            self.steps.acquire()

    slow = Slow()
    tracker = Tracker(slow, spool)
    say(tracker, 0, 1, 2)
    for sent in range(3):
        while len(slow.got) <= sent:
            time.sleep(0.001)
        after_a_kill = Recipient()  # which was in the middle of this one
        copy = tmp_path / f"{sent}.jsonl"
        copy.write_bytes(spool.read_bytes())
        later = Tracker(after_a_kill, copy)
        say(later, 3)
        assert later.close(10)
        assert after_a_kill.epochs == [*range(sent, 3), 3]
        slow.steps.release()
    assert tracker.close(10)
    assert slow.epochs == [0, 1, 2]


def test_an_outage_is_one_line_and_its_end_another_with_how_many_waited(
    spool: Path, recipient: Recipient, caplog: pytest.LogCaptureFixture
) -> None:
    recipient.fails = ConnectionError("http://me:hush@server refused\nand more")
    tracker = Tracker(recipient, spool, retry_seconds=0.01)
    say(tracker, 0, 1, 2)
    assert not tracker.flush(0.1)
    assert recipient.tried > 3
    say(tracker, 3)
    assert lines(caplog) == [f"MLflow is out of reach, records wait in {spool}: http://***@server refused"]
    recipient.fails = None
    assert tracker.close(10)
    assert recipient.epochs == [0, 1, 2, 3]
    assert lines(caplog)[1:] == ["MLflow answers again after 0 s; 4 records waited"]


def test_a_recipient_that_never_answers_is_an_outage_that_is_said(
    spool: Path, recipient: Recipient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STUCK_SECONDS", 0.05)
    recipient.gate.clear()
    tracker = Tracker(recipient, spool)
    say(tracker, 0)
    assert not tracker.flush(0.1)
    time.sleep(0.1)
    say(tracker, 1, 2)
    assert [line.rpartition(": ")[2] for line in lines(caplog)] == ["no answer for 0 s"]
    recipient.gate.set()
    assert tracker.close(10)
    assert lines(caplog)[1].startswith("MLflow answers again after")


def test_pauses_grow_in_an_outage(spool: Path, recipient: Recipient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_SECONDS", 0.05)
    recipient.fails = ConnectionError()
    tracker = Tracker(recipient, spool, retry_seconds=60.0)
    say(tracker, 0)
    time.sleep(0.9)
    say(tracker, *range(1, 50))  # does not hurry it
    assert 3 <= recipient.tried <= 5  # after 0, 0.05, 0.15, 0.35, 0.75 seconds
    tracker.close(0.0)


def test_a_refused_record_is_left_out_and_said(
    spool: Path, recipient: Recipient, caplog: pytest.LogCaptureFixture
) -> None:
    recipient.fails = RefusedError("no such name")
    tracker = Tracker(recipient, spool)
    say(tracker, 0)
    assert tracker.flush(10)
    recipient.fails = None
    say(tracker, 1)
    assert tracker.close(10)
    assert (recipient.epochs, spool.exists()) == ([1], False)
    assert lines(caplog) == ["MLflow refused a record, it is left out: no such name"]


def test_half_a_line_is_said_once_and_locks_nothing(
    spool: Path, recipient: Recipient, caplog: pytest.LogCaptureFixture
) -> None:
    recipient.fails = ConnectionError()
    first = Tracker(recipient, spool, retry_seconds=0.01)
    say(first, 0, 1)
    first.close(0.0)
    content = spool.read_bytes()
    spool.write_bytes(content[: len(content) - 20])
    caplog.clear()
    recipient.fails = None
    second = Tracker(recipient, spool)
    say(second, 2)
    assert second.close(10)
    assert recipient.epochs == [0, 2]
    assert lines(caplog) == [f"{spool}: 1 damaged lines are left out"]


def test_a_full_disk_is_said_once_and_records_wait_in_memory(
    spool: Path, recipient: Recipient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipient.gate.clear()
    tracker = Tracker(recipient, spool)
    say(tracker, 0)
    with monkeypatch.context() as full:

        def write(file: int, content: bytes) -> int:
            raise OSError(28, "No space left on device")

        full.setattr(os, "write", write)
        say(tracker, 1, 2)
        assert len(Spool(spool).left().lines) == 1
    assert lines(caplog) == [f"{spool} cannot be written (No space left on device): records wait in memory"]
    say(tracker, 3)  # there is space again: the others come first
    assert len(Spool(spool).left().lines) == 4
    recipient.gate.set()
    assert tracker.close(10)
    assert recipient.epochs == [0, 1, 2, 3]
    assert len(lines(caplog)) == 1


def test_a_disk_that_stays_full_loses_nothing_that_can_be_sent(
    tmp_path: Path, recipient: Recipient, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("where the folder would be")
    tracker = Tracker(recipient, tmp_path / "file" / "spool.jsonl", retry_seconds=0.01)
    say(tracker, 0, 1)
    assert tracker.flush(10)
    recipient.fails = ConnectionError()
    say(tracker, 2)
    assert not tracker.close(0.1)
    assert recipient.epochs == [0, 1]
    said = lines(caplog)
    assert "records wait in memory" in said[0]
    assert said[-1] == "1 records could be neither sent nor written"


def test_credentials_reach_neither_the_spool_nor_the_recipient(spool: Path, recipient: Recipient) -> None:
    recipient.gate.clear()
    tracker = Tracker(recipient, spool)
    words = ["--ray-address", "ray://me:hush@head", "--name", "a b"]
    tracker.start_sweep(words, {"flag.ray_address": "ray://me:hush@head", "dataset_id": "ab"})
    tracker.finish("a", "FAILED", "no http://x?token=hush\0 \ud800")
    assert "hush" not in spool.read_text()
    recipient.gate.set()
    assert tracker.close(10)
    start, finish = recipient.got
    address = "ray://***@head"
    assert start["params"] == {"flag.ray_address": address, "dataset_id": "ab"}
    command = f"epropnp-sweeps run --ray-address {address} --name 'a b'"
    assert start["tags"] == {"epropnp.command": command, "flag.ray_address": address}
    assert finish["reason"] == "no http://x?token=*** ?"


def test_what_only_begins_leaves_the_cores_to_the_trials_for_a_while(
    spool: Path, recipient: Recipient
) -> None:
    tracker = Tracker(recipient, spool, head_start_seconds=60.0)
    tracker.start("a", {})
    time.sleep(0.2)
    assert recipient.tried == 0
    assert len(Spool(spool).left().lines) == 1  # a kill loses nothing
    say(tracker, 0)
    until_s = time.monotonic() + 10
    while len(recipient.got) < 2 and time.monotonic() < until_s:
        time.sleep(0.01)
    assert [event["kind"] for event in recipient.got] == ["start", "epoch"]
    assert tracker.close(10)


@pytest.mark.parametrize("ended", ["by the time", "by who waits for it"])
def test_the_head_start_ends(ended: str, spool: Path, recipient: Recipient) -> None:
    tracker = Tracker(recipient, spool, head_start_seconds=0.1 if ended == "by the time" else 60.0)
    tracker.start("a", {})
    if ended == "by the time":
        time.sleep(1.0)
    else:
        assert tracker.flush(10)
    assert [event["kind"] for event in recipient.got] == ["start"]
    assert tracker.close(10)


def test_nothing_that_is_sent_holds_the_process_at_its_end(spool: Path) -> None:
    tracker = Tracker(Recipient(), spool)
    say(tracker, 0)
    named: Any = [thread for thread in threading.enumerate() if thread.name == "tracker"]
    assert named
    assert all(thread.daemon for thread in named)
    assert tracker.close(10)
