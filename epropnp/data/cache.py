"""This node's cache: where it lies, and the lock that lets only one process fill a folder."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE_VARIABLE = "EPROPNP_CACHE"
_log = logging.getLogger(__name__)


def cache_dir() -> Path:
    """`$EPROPNP_CACHE`, or `~/.cache/epropnp`; it need not exist yet."""
    return Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "epropnp")


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold an exclusive lock on `file`, made where it is missing.

    The system frees the lock when its holder dies; the file itself stays. OSError where it cannot be made.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _log.info("another process works on %s: waiting for it", file.stem.lstrip("."))
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
