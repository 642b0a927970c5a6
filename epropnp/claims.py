"""Who works on a folder: one process at most, on whatever file system, and until it ends, however that is.

A claim is held twice. A lock is freed by the system when its holder dies; but some file systems cannot lock,
or lock only within one host. A note, which is created exclusively, names the holder; on the same host one can
look whether it lives, and for others the holder refreshes the note.
"""

import contextlib
import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO
from uuid import uuid4

from epropnp.errors import UserError
from epropnp.files import private_folder

LOCK_FILE, NOTE_FILE = ".lock", ".claim"
REFRESHED_S = 10.0
STALE_S = 60.0  # a note of another host, not refreshed for so long, is that of a dead process
JOBS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID")  # as batch systems tell
LOOKS, LOOK_S = 5, 0.05  # that others take to look at the lock
TRAINS = "another process trains here; wait, or choose another one"


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A process, and where it runs.

    Attributes:
        host: its name.
        boot: of that host, never the same again.
        process, began: its number, and when that began, as the system counts; 0 where it does not tell.
        job: of a batch system, or None.
    """

    host: str
    boot: str
    process: int
    began: int
    job: str | None = None

    def __str__(self) -> str:
        job = "" if self.job is None else f", job {self.job}"
        return f"process {self.process} on {self.host}{job}"


@contextlib.contextmanager
def claimed(folder: Path, else_say: str = TRAINS) -> Iterator[None]:
    """Keep other processes that claim the same folder out of it; it is made, for its owner alone.

    Args:
        folder: to be claimed.
        else_say: what it means where it is another's, and what to do then.

    Raises:
        UserError: another process, or this one, has claimed it, or it cannot be made.
    """
    with contextlib.ExitStack() as stack:
        try:
            private_folder(folder)
            stream = stack.enter_context((folder / LOCK_FILE).open("w"))
            os.utime(stream.fileno())  # what time it is there
        except OSError as error:
            raise UserError(f"{folder} cannot be written ({error.strerror})") from error
        if not _locked(stream):
            raise UserError(f"{folder}: {else_say}{_named(_read(folder / NOTE_FILE))}")
        own = _here()
        _take(folder, own, os.fstat(stream.fileno()).st_mtime, else_say)
        over = threading.Event()
        threading.Thread(target=_refresh, args=(folder / NOTE_FILE, over), daemon=True).start()
        try:
            yield
        finally:
            over.set()
            with contextlib.suppress(OSError):
                if _read(folder / NOTE_FILE) == own:
                    (folder / NOTE_FILE).unlink()


def is_claimed(folder: Path) -> bool:
    """Whether a process has claimed a folder."""
    file = folder / NOTE_FILE
    if not file.exists():
        return False
    if _lives(_read(file), file, time.time()):
        return True
    try:  # it may live where its number means another process, as in a container
        with (folder / LOCK_FILE).open("rb+") as stream:
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return True
    except OSError:
        pass
    return False


def _locked(stream: IO[str]) -> bool:
    """Lock a file for this process; False where another one holds it, and does not only look."""
    for _ in range(LOOKS):
        try:
            # Of the process: unlike flock's, loader workers that outlive it do not hold the lock.
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            time.sleep(LOOK_S)
        except OSError:
            return True  # a file system without locks
        else:
            return True
    return False


def _take(folder: Path, own: Holder, now_s: float, else_say: str) -> None:
    """Make the note, in the place of a dead process's. UserError where another process was faster."""
    file = folder / NOTE_FILE
    with contextlib.suppress(FileExistsError):
        return _create(file, own)
    seen = _read(file)
    if _lives(seen, file, now_s):
        raise UserError(f"{folder}: {else_say}{_named(seen)}")
    aside = file.with_name(f"{NOTE_FILE}.{uuid4().hex[:12]}")
    try:
        file.rename(aside)
        moved = _read(aside)
        if moved != seen:  # another process has taken it since
            os.link(aside, file)
        else:
            return _create(file, own)
    except OSError:
        moved = None
    finally:
        aside.unlink(missing_ok=True)
    raise UserError(f"{folder}: {else_say}{_named(moved)}")


def _create(file: Path, own: Holder) -> None:
    """FileExistsError where it is there. UserError where it cannot be written."""
    try:
        with file.open("x") as stream:
            stream.write(json.dumps(asdict(own)))
    except FileExistsError:
        raise
    except OSError as error:
        with contextlib.suppress(OSError):
            file.unlink()
        raise UserError(f"{file.parent} cannot be written ({error.strerror})") from error


def _refresh(file: Path, over: threading.Event) -> None:
    while not over.wait(REFRESHED_S):
        with contextlib.suppress(OSError):
            os.utime(file)


def _read(file: Path) -> Holder | None:
    """Whom a note names; None where there is none, or it is not written yet."""
    try:
        return Holder(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _lives(holder: Holder | None, file: Path, now_s: float) -> bool:
    """Whether a note is that of a process that lives, as far as one can tell from here."""
    if holder is not None and holder.boot == _boot():
        return _began(holder.process) == holder.began
    try:
        return now_s - file.stat().st_mtime < STALE_S
    except OSError:
        return False


def _here() -> Holder:
    process = os.getpid()
    job = next((os.environ[name] for name in JOBS if os.environ.get(name)), None)
    return Holder(
        host=socket.gethostname(), boot=_boot(), process=process, began=_began(process) or 0, job=job
    )


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # not Linux
        return socket.gethostname()


def _began(process: int) -> int | None:
    """When a process of this host began; 0 where the system does not tell; None where there is none."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
        state, *fields = stat.rpartition(")")[2].split()  # the name before may hold anything
        return None if state == "Z" else int(fields[18])
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return 0


def _named(holder: Holder | None) -> str:
    return "" if holder is None else f" (it is {holder})"
