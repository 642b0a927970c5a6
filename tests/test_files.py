"""Files that are written whole or not at all, and folders that one process claims."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from epropnp.errors import UserError
from epropnp.files import claimed, replaced


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
