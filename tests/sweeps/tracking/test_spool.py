"""The file of what is not sent yet: whole lines, whatever a kill or a full disk did to it."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from sweeps.tracking.events import Event, epoch_ended
from sweeps.tracking.spool import Leftover, Spool


def event(epoch: int) -> Event:
    return epoch_ended("a", epoch, {"train/loss": 0.5}) | {"time_ms": 7}


def epochs(left: Leftover) -> list[int]:
    return [json.loads(line)["epoch"] for line, _ in left.lines]


def test_what_is_written_and_not_known_to_be_sent_is_left(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "new" / "spool.jsonl")
    ends = [spool.append(json.dumps(event(epoch))) for epoch in range(4)]
    assert ends == [len(json.dumps(event(0))) * n + n for n in (1, 2, 3, 4)]
    assert epochs(Spool(spool.path).left()) == [0, 1, 2, 3]
    spool.sent(ends[0])
    spool.append(json.dumps(event(4)))
    spool.sent(ends[2])
    assert epochs(Spool(spool.path).left()) == [3, 4]
    spool.clear()
    assert not spool.path.exists()
    assert Spool(spool.path).left() == Leftover(lines=(), garbled=0)
    spool.append(json.dumps(event(5)))
    assert epochs(Spool(spool.path).left()) == [5]


GARBLED = [
    b'{"kind": "epoch", "trial": "a", "ti',
    b"\0" * 200,
    b"\xff\xfe[",
    b"[1, 2]",
    b"null",
    b'{"kind": "dance", "trial": "a", "time_ms": 1}',
    b'{"kind": "epoch", "trial": "a", "time_ms": 1}',
    b'{"kind": "epoch", "trial": 3, "time_ms": 1, "epoch": 0, "metrics": {}}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("garbled", GARBLED, ids=range(len(GARBLED)))
def test_a_line_that_is_none_is_counted_and_spoils_no_other(tmp_path: Path, garbled: bytes) -> None:
    file = tmp_path / "spool.jsonl"
    whole = json.dumps(event(0)).encode() + b"\n"
    file.write_bytes(whole + garbled + b"\n" + whole)
    left = Spool(file).left()
    assert (epochs(left), left.garbled) == ([0, 0], 1)

    file.write_bytes(whole + garbled)  # its end is missing: the process was killed
    spool = Spool(file)
    end = spool.append(json.dumps(event(1)))
    left = Spool(file).left()
    assert (epochs(left), left.garbled) == ([0, 1], 1)
    spool.sent(end)
    assert Spool(file).left() == Leftover(lines=[], garbled=0)  # it is not told of again


def test_a_disk_that_is_full_gets_no_part_of_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path / "spool.jsonl")
    spool.append(json.dumps(event(0)))
    write = os.write

    def half(file: int, content: bytes) -> int:
        return write(file, content[: len(content) // 2])

    def none(file: int, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "full")

    for full in (half, none):
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            with pytest.raises(OSError, match=r"[Ff]ull|No space"):
                spool.append(json.dumps(event(1)))
    spool.append(json.dumps(event(2)))
    left = Spool(spool.path).left()
    assert (epochs(left), left.garbled) == ([0, 2], 0)


def test_numbers_that_are_none_survive(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.jsonl")
    given: Any = epoch_ended("a", 1, {"nan": float("nan"), "inf": float("inf"), "tiny": 1e-300})
    spool.append(json.dumps(given))
    ((line, _),) = spool.left().lines
    metrics = json.loads(line)["metrics"]
    assert metrics["nan"] != metrics["nan"]
    assert (metrics["inf"], metrics["tiny"]) == (float("inf"), 1e-300)
