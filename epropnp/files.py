"""Files that are written whole or not at all, and folders that only one process writes to."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from epropnp.errors import UserError

LOCK_FILE = ".lock"


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Where to write what then takes the place of `path`, in one step; its folder is made.

    Raises:
        UserError: it cannot be written, such as on a full disk. What was at `path` stays whole.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError) as error:  # torch raises the latter for a full disk
        raise UserError(f"{path} cannot be written: {error}; free some space, then resume") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)  # what was not written to its end, for whatever reason


def is_claimed(folder: Path) -> bool:
    """Whether another process has claimed a folder; where a file system has no locks, False.

    Not for the process that holds the claim: asking would end it.
    """
    try:
        with (folder / LOCK_FILE).open("rb+") as stream:
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return True
    except OSError:
        return False
    return False


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep other processes that claim the same folder out of it; it is made.

    Raises:
        UserError: another process has claimed it, or it cannot be made.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stream = stack.enter_context((folder / LOCK_FILE).open("w"))
        except OSError as error:
            raise UserError(f"{folder} cannot be written ({error.strerror})") from error
        try:
            # Of the process: unlike flock's, loader workers that outlive it do not hold the lock.
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise UserError(f"{folder}: another process trains here; wait, or choose another one") from None
        except OSError:
            pass  # a file system without locks
        yield
