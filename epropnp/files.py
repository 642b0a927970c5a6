"""Files and folders that are written whole or not at all, and a lock that others wait for."""

import contextlib
import fcntl
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

from epropnp.errors import UserError

PARTIAL = "*.partial"  # pattern of what a kill may leave behind
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write what becomes `path`, in one step, when the block ends well; OSError where that fails.

    Several processes may write the same file at once: the last one wins.
    """
    with _in_place_of(path, path.with_name(f"{path.name}.{uuid4().hex[:12]}.partial")) as unfinished:
        yield unfinished


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """`whole_file` for the only process that writes to a folder, which is made.

    Its unfinished file has always the same name: what a kill leaves behind, the next one overwrites.

    Raises:
        UserError: it cannot be written, such as on a full disk. What was at `path` stays whole.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _in_place_of(path, path.with_name(f"{path.name}.tmp")) as unfinished:
            yield unfinished
    except (OSError, RuntimeError) as error:  # torch raises the latter for a full disk
        raise UserError(f"{path} cannot be written: {error}; free some space, then resume") from error


def private_folder(folder: Path) -> None:
    """Make a folder that only its owner can enter, or leave one as it is; OSError if it cannot be made."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)


@contextlib.contextmanager
def _in_place_of(path: Path, unfinished: Path) -> Iterator[Path]:
    try:
        yield unfinished
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)  # what was not written to its end, for whatever reason


def share_file(file: Path, name: Path) -> None:
    """Give a file one more name on its file system, or copy it where that cannot be."""
    with whole_file(name) as unfinished:
        try:
            os.link(file, unfinished)
        except OSError:
            shutil.copyfile(file, unfinished)


def fill_folder(folder: Path, work: Path, fill: Callable[[Path], None]) -> None:
    """Make a folder whole or not at all: it is filled as `work`, and renamed. What is there stays.

    Of several processes one fills it, while the others wait. What an earlier attempt left whole in `work` is
    there for `fill` to keep; its unfinished files are removed.

    Args:
        folder: what to make.
        work: on the same file system; beside it lies the lock.
        fill: completes the folder `work`.
    """
    with locked(work.with_suffix(".lock")):
        if folder.exists():  # another process may have finished while this one waited
            return
        work.mkdir(exist_ok=True)
        for leftover in work.glob(PARTIAL):
            leftover.unlink()
        fill(work)
        work.rename(folder)


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold an exclusive lock on `file`, made where it is missing; others wait for it.

    The system frees the lock when its holder dies; the file itself stays. OSError where it cannot be made.
    Where the file system has no locks, nobody waits.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _log.info("another process works on %s: waiting for it", file.stem.lstrip("."))
            fcntl.flock(stream, fcntl.LOCK_EX)
        except OSError as error:
            _log.warning("%s cannot be locked (%s): let one process at a time use it", file, error.strerror)
        yield
