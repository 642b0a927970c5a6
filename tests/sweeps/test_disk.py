"""Whether checkpoints fit: with numbers made up for the disk and for the trials."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from epropnp.errors import UserError
from sweeps.disk import room_told, size_text
from sweeps.forecast import Forecast

GB = 10**9
Usage = namedtuple("Usage", "total used free")
ROWS = [  # while one trains: 2 x 3 GB; of each 1 GB stays
    Forecast(
        name=f"t{number}",
        label="",
        status="waiting",
        epochs=1,
        seconds=None,
        disk_bytes=3 * GB,
        kept_bytes=GB,
    )
    for number in range(4)
]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders whose disk was asked for its free space."""
    return []


def with_free(free: int, monkeypatch: pytest.MonkeyPatch, asked: list[Path]) -> None:
    def usage(path: Path) -> Usage:
        asked.append(path)
        return Usage(100 * GB, 0, free)

    monkeypatch.setattr(shutil, "disk_usage", usage)


@pytest.mark.parametrize(
    ("free", "at_once", "fits"),
    [(14 * GB, 2, True), (14 * GB - 1, 2, False), (9 * GB, 1, True), (24 * GB, 9, True)],
)
def test_enough_room_is_not_talked_about(
    free: int, at_once: int, fits: bool, tmp_path: Path, asked: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_free(free, monkeypatch, asked)
    assert (room_told(ROWS, at_once, tmp_path / "not" / "there") is None) == fits
    assert asked == [tmp_path]  # the folder is not made for that


def test_too_little_for_all_at_once_is_told(
    tmp_path: Path, asked: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_free(10 * GB, monkeypatch, asked)
    assert room_told(ROWS, 2, tmp_path) == (
        f"checkpoints need 14.0 GB with 2 trials at once, and {tmp_path} has 10.0 GB free: free some space, "
        "keep less (--keep none), or run fewer (--trials-at-once)"
    )


def test_too_little_for_one_at_a_time_is_an_error(
    tmp_path: Path, asked: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_free(9 * GB - 1, monkeypatch, asked)
    with pytest.raises(UserError, match=r"^--out: checkpoints need 9\.0 GB, even with one trial at a time, "):
        room_told(ROWS, 2, tmp_path)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 kB"), (1500, "2 kB"), (2_340_000, "2.3 MB"), (14 * GB, "14.0 GB"), (1.25e12, "1.2 TB")],
)
def test_sizes_for_readers(size: float, text: str) -> None:
    assert size_text(size) == text
