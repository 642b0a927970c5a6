"""Files and folders that are written whole or not at all, and locks that are waited for."""

import errno
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from epropnp.errors import UserError
from epropnp.files import (
    PARTIAL,
    fill_folder,
    locked,
    private_folder,
    replaced,
    share_file,
    whole_file,
)


def test_the_new_content_takes_the_place_of_the_old_in_one_step(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "down" / "a.txt"
    for text in ("first", "second"):
        with replaced(file) as temporary:
            assert temporary.parent == file.parent  # a rename across file systems would be a copy
            assert not file.exists() or file.read_text() == "first"
            temporary.write_text(text)
            assert not file.exists() or file.read_text() == "first"
        assert file.read_text() == text
        assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left"), RuntimeError("torch"), KeyboardInterrupt(), ValueError("a bug")]
)
def test_whatever_goes_wrong_the_old_file_stays_and_no_other(error: BaseException, tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("first")
    mendable = isinstance(error, OSError | RuntimeError)

    def write() -> None:
        with replaced(file) as temporary:
            temporary.write_text("half of")
            raise error

    with pytest.raises(UserError if mendable else type(error)):
        write()
    assert file.read_text() == "first"
    assert list(tmp_path.iterdir()) == [file]


def test_content_is_on_the_disk_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    place, sync = Path.replace, os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (done.append("sync"), sync(file))[0])
    monkeypatch.setattr(
        Path, "replace", lambda self, target: (done.append("replace"), place(self, target))[1]
    )
    with replaced(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
        done.append("written")
    assert done == ["written", "sync", "replace"]


def test_two_writers_of_a_file_do_not_meet_and_the_last_one_wins(tmp_path: Path) -> None:
    file = tmp_path / "a.arrow"
    with whole_file(file) as first, whole_file(file) as second:
        assert first != second
        assert all(path.parent == tmp_path and path.match(PARTIAL) for path in (first, second))
        first.write_text("first")
        second.write_text("second")
        assert not file.exists()
    assert file.read_text() == "first"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyboardInterrupt(), ValueError("a bug")])
def test_a_broken_off_file_leaves_nothing_and_its_error_as_it_is(
    error: BaseException, tmp_path: Path
) -> None:
    def write() -> None:
        with whole_file(tmp_path / "a.arrow") as unfinished:
            unfinished.write_text("half of")
            raise error

    with pytest.raises(type(error)) as raised:
        write()
    assert raised.value is error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("links", [True, False])
def test_a_shared_file_has_one_more_name_or_a_copy(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "a").write_text("text")
    (tmp_path / "b").write_text("old")
    share_file(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "text"
    assert (tmp_path / "b").samefile(tmp_path / "a") == links
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


def test_a_folder_gets_its_name_when_it_is_whole_and_goes_on_where_it_was_broken_off(tmp_path: Path) -> None:
    folder, work = tmp_path / "set", tmp_path / ".set"
    found: list[set[str]] = []

    def fill(place: Path) -> None:
        assert place == work
        assert not folder.exists()
        found.append({path.name for path in place.iterdir()})
        (place / f"{len(found)}.arrow").write_text("whole")
        (place / "x.arrow.0123456789ab.partial").write_text("half of")  # as a kill leaves it
        if len(found) == 1:
            raise KeyboardInterrupt
        (place / "x.arrow.0123456789ab.partial").unlink()

    with pytest.raises(KeyboardInterrupt):
        fill_folder(folder, work, fill)
    assert not folder.exists()
    fill_folder(folder, work, fill)
    fill_folder(folder, work, fill)  # is there
    assert found == [set(), {"1.arrow"}]
    assert {path.name for path in folder.iterdir()} == {"1.arrow", "2.arrow"}
    assert {path.name for path in tmp_path.iterdir()} == {"set", ".set.lock"}


def test_a_folder_is_filled_once_by_processes_that_start_together(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from epropnp.files import fill_folder\n"
        "def fill(work): (work / 'a').write_text(sys.argv[2]); time.sleep(0.3); print('filled')\n"
        "fill_folder(Path(sys.argv[1], 'set'), Path(sys.argv[1], '.set'), fill)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    runs = [subprocess.Popen([*command, str(i)], stdout=subprocess.PIPE, text=True) for i in range(3)]
    said = [run.communicate(timeout=60)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert sorted(said) == ["", "", "filled\n"]
    assert (tmp_path / "set" / "a").read_text() == str(said.index("filled\n"))


def hold(code: str, file: Path) -> subprocess.Popen[str]:
    """Another process that holds `file` in the way that the code says, until it is killed."""
    program = f"import sys, time; from pathlib import Path; import epropnp.files as files\n{code}"
    process = subprocess.Popen([sys.executable, "-c", program, str(file)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_lock_is_waited_for_and_ends_with_its_holder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "deep" / ".set.lock"
    code = "with files.locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(0.5); sys.exit()"
    process, started_s = hold(code, file), time.monotonic()
    with caplog.at_level("INFO"), locked(file):
        assert time.monotonic() - started_s > 0.3
    assert caplog.messages == ["another process works on set: waiting for it"]
    assert process.wait(timeout=10) == 0
    process = hold(code.replace("0.5", "60"), file)
    process.kill()
    with locked(file):
        pass
    assert process.wait(timeout=10) != 0


def test_where_a_file_system_has_no_locks_the_work_is_done_without_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_locks(stream: object, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    done = []
    with locked(tmp_path / ".set.lock"):
        done.append("worked")
    assert done == ["worked"]
    (line,) = caplog.messages
    assert (
        line
        == f"{tmp_path / '.set.lock'} cannot be locked (No locks available): let one process at a time use it"
    )


def test_a_private_folder_is_for_its_owner_and_one_that_is_there_stays(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        private_folder(tmp_path / "out" / "sweep")
        (tmp_path / "shared").mkdir(mode=0o755)
        private_folder(tmp_path / "shared")
        private_folder(tmp_path / "trial")
    finally:
        os.umask(before)
    modes = {
        name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("out/sweep", "shared", "trial")
    }
    assert modes == {"out/sweep": 0o700, "shared": 0o755, "trial": 0o700}
