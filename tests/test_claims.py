"""Claims of folders: of other processes and hosts, on file systems that lock well, badly or not at all."""

import errno
import fcntl
import json
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from epropnp import claims
from epropnp.claims import claimed, is_claimed
from epropnp.errors import UserError

HOLD = (
    "import sys, time; from pathlib import Path; from epropnp.claims import claimed\n"
    "with claimed(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
)


@contextmanager
def held(folder: Path, program: str = HOLD) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a folder."""
    command = [sys.executable, "-c", program, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def refused(folder: Path) -> str:
    """What is said to who claims it now."""
    with pytest.raises(UserError) as caught, claimed(folder):
        pass
    return str(caught.value)


def note(folder: Path, **changes: object) -> Path:
    """A note as another process would have left it, one that began long ago on this host."""
    here = {"host": socket.gethostname(), "boot": claims._boot(), "process": 1, "began": 7, "job": None}
    (folder / ".claim").write_text(json.dumps(here | changes))
    return folder / ".claim"


def do_nothing(*_: object) -> None:
    """A file system's lock that keeps nobody out."""


def fail(*_: object) -> None:
    """A file system without locks."""
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def test_a_claim_is_seen_from_outside_while_its_process_lives(tmp_path: Path) -> None:
    assert not is_claimed(tmp_path)
    with held(tmp_path) as process:
        assert is_claimed(tmp_path)
        assert "another process trains here; wait, or choose another one" in (said := refused(tmp_path))
        assert f"(it is process {process.pid} on {socket.gethostname()})" in said
        process.kill()
        process.wait()
        assert not is_claimed(tmp_path)
        with claimed(tmp_path):
            pass
    assert not (tmp_path / ".claim").exists()


@pytest.mark.parametrize("lockf", [do_nothing, fail])
def test_where_locks_fail_or_do_nothing_the_note_keeps_others_out(
    lockf: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "lockf", lockf)
    with held(tmp_path) as process:
        assert is_claimed(tmp_path)
        assert f"process {process.pid} on" in refused(tmp_path)
        process.kill()
        process.wait()  # its note stays
        assert not is_claimed(tmp_path)
        with claimed(tmp_path):
            assert json.loads((tmp_path / ".claim").read_text())["process"] == os.getpid()
    assert sorted(file.name for file in tmp_path.iterdir()) == [".lock"]


def test_a_claim_of_another_host_holds_as_long_as_it_is_refreshed(tmp_path: Path) -> None:
    file = note(tmp_path, host="n7", boot="another", process=12, job="4711")
    for age_s, claimed_then in ((0, True), (50, True), (70, False)):
        os.utime(file, (time.time() - age_s,) * 2)
        assert is_claimed(tmp_path) is claimed_then
        if claimed_then:
            assert "(it is process 12 on n7, job 4711)" in refused(tmp_path)
    with claimed(tmp_path):
        assert "n7" not in file.read_text()


def test_a_holder_refreshes_its_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "REFRESHED_S", 0.05)
    with claimed(tmp_path):
        os.utime(tmp_path / ".claim", (0, 0))
        end_s = time.monotonic() + 10
        while (tmp_path / ".claim").stat().st_mtime < time.time() - 60:
            assert time.monotonic() < end_s
            time.sleep(0.01)


def test_another_process_with_the_number_of_a_dead_one_holds_nothing(tmp_path: Path) -> None:
    note(tmp_path, process=os.getppid(), began=1)
    assert not is_claimed(tmp_path)
    with claimed(tmp_path):
        pass


def test_a_note_that_is_only_begun_keeps_others_out_for_a_minute(tmp_path: Path) -> None:
    (tmp_path / ".claim").touch()
    assert "another process trains here; wait, or choose another one" in refused(tmp_path)
    os.utime(tmp_path / ".claim", (time.time() - 70,) * 2)
    with claimed(tmp_path):
        pass


def test_the_holder_itself_can_ask_and_cannot_claim_again(tmp_path: Path) -> None:
    with claimed(tmp_path):
        assert is_claimed(tmp_path)
        assert f"process {os.getpid()} on" in refused(tmp_path)
        assert (
            "process"
            in subprocess.run(
                [sys.executable, "-c", HOLD, str(tmp_path)], capture_output=True, text=True
            ).stderr
        )  # neither freed it
    assert not is_claimed(tmp_path)


def test_a_claim_says_what_it_means(tmp_path: Path) -> None:
    with (
        held(tmp_path),
        pytest.raises(UserError, match="the sweep runs; wait"),
        claimed(tmp_path, "the sweep runs; wait"),
    ):
        pass


def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with claimed(tmp_path / "trial"):
            assert stat.S_IMODE((tmp_path / "trial").stat().st_mode) == 0o700
    finally:
        os.umask(before)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match=r"file/trial cannot be written"),
        claimed(tmp_path / "file" / "trial"),
    ):
        pass


def test_a_claim_makes_the_folder_and_can_be_made_again(tmp_path: Path) -> None:
    for _ in range(2):
        with claimed(tmp_path / "a" / "trial"):
            assert (tmp_path / "a" / "trial" / ".lock").is_file()


@pytest.mark.parametrize(
    ("error", "refused"),
    [(errno.EAGAIN, True), (errno.EACCES, True), (errno.ENOLCK, False), (errno.EINVAL, False)],
)
def test_only_a_lock_of_another_process_keeps_out(
    error: int, refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system without locks does not."""

    def lockf(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    entered = []

    def enter() -> None:
        with claimed(tmp_path):
            entered.append(True)

    monkeypatch.setattr(fcntl, "lockf", lockf)
    if refused:
        with pytest.raises(UserError, match="another process trains here; wait, or choose another one"):
            enter()
    else:
        enter()
    assert entered == [] if refused else [True]
