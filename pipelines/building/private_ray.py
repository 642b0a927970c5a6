"""A Ray on this machine that nobody else can use: loopback is no border between the users of a machine.

Who reaches a Ray runs code as its owner. All servers of this one listen on the loopback interface and ask for
a token that is made anew for each process that starts it; what it writes lies in a folder that only its owner
can enter. Ports are free ones, so that several users and jobs share a machine.
"""

import contextlib
import functools
import logging
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from epropnp.claims import NOTE_FILE, claimed, is_claimed
from epropnp.cores import local_cores
from epropnp.errors import UserError, first_line

OBJECT_STORE_BYTES = 100 * 2**20  # what is worked on is read by memory map, results are numbers
START_SECONDS = 90  # a busy machine needs more than the 30 s that Ray waits for its own processes
WAITS = ("RAY_gcs_server_port_wait_time_s", "RAY_raylet_start_wait_time_s")
PREFIX = "ray-"  # of a folder's name
LONGEST_FOLDER = 40  # characters; below it Ray adds 60, and the path of a socket has 107 at most
# Servers of which this Ray has no use: for more nodes, for logs that nobody is shown, for a dashboard that is
# off. Each imports for a second of a core, just when the first workers want to.
UNUSED = ("start_monitor", "start_log_monitor", "start_api_server")

_log = logging.getLogger(__name__)


def private_environment() -> dict[str, str]:
    """Variables of a process, from its start on, in which `private_ray` is to be called."""
    return {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # makes Ray bind to loopback, on all systems
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": _token(),
        # For its store of metadata, and for the node: each is asked for until it answers.
        **{name: os.environ.get(name, str(START_SECONDS)) for name in WAITS},
    }


def set_private_environment() -> None:
    """The same for this process, best before its first import of Ray, which looks at most of it once."""
    os.environ.update(private_environment())
    os.environ.pop("RAY_AUTH_TOKEN_PATH", None)
    if "ray" in sys.modules:  # imported by others before, as in a notebook
        _look_again()


def _look_again() -> None:
    """Let Ray take these variables, as it does itself where it makes a token: it has read them before."""
    from ray import _raylet
    from ray._private import ray_constants

    ray_constants.ENABLE_RAY_CLUSTER = False
    library: Any = _raylet  # which has no types
    library.Config.initialize("")
    library.AuthenticationTokenLoader.instance().reset_cache()


@functools.cache
def _token() -> str:
    return secrets.token_hex(32)


def new_folder() -> Path:
    """For what a Ray writes; only its owner can enter it. Those that dead processes had claimed go."""
    place = _short_folder()
    _remove_left(Path(place))
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))  # mode 700


def _remove_left(place: Path) -> None:
    """What processes left that were killed with all that would have removed it, as batch systems do."""
    for folder in place.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            own = folder.lstat().st_uid == os.getuid()  # no link that another user has made, either
            if own and (folder / NOTE_FILE).is_file() and not is_claimed(folder):
                shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def private_ray(folder: Path | None = None, **options: Any) -> Iterator[None]:
    """Start Ray with all cores of this machine, and end it with the block.

    The variables of `private_environment` are set.

    Args:
        folder: for what it writes, of `new_folder`, which somebody else claims and removes; None: one of its
            own.
        options: for `ray.init`, besides those that are set here.

    Raises:
        UserError: it did not start, twice. What it wrote is kept.
    """
    import ray

    own, folder = folder is None, folder or new_folder()
    options |= {
        "num_cpus": local_cores(),
        "include_dashboard": False,
        "object_store_memory": OBJECT_STORE_BYTES,
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "_temp_dir": str(folder / "s"),  # which Ray opens to all
    }
    with claimed(folder) if own else contextlib.nullcontext():
        with _bare_node():
            _start(options)
        try:
            yield
        finally:
            ray.shutdown()
            if own:
                shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _bare_node() -> Iterator[None]:
    """A node that is started meanwhile has no `UNUSED` servers, for which Ray has no switch."""
    from ray._private.node import Node

    usual = {name: getattr(Node, name) for name in UNUSED if hasattr(Node, name)}
    try:
        for name in usual:
            setattr(Node, name, lambda *_, **__: None)
        yield
    finally:
        for name, method in usual.items():
            setattr(Node, name, method)


def _start(options: Mapping[str, Any]) -> None:
    """Start Ray, again if that fails. UserError where it does twice."""
    import ray

    try:
        ray.init("local", **options)
        return
    except Exception as error:  # a time-out is a plain Exception
        _log.warning("Ray did not start (%s): trying again", first_line(error))
    ray.shutdown()  # of what did start
    try:
        ray.init("local", **options)
    except Exception as error:
        ray.shutdown()
        raise UserError(
            f"Ray did not start on this machine ({first_line(error)}): perhaps it is too busy; give the same "
            f"command again, or look into {Path(options['_temp_dir']).parent}"
        ) from error


def _short_folder() -> str:
    """Where temporary files go, if the paths of sockets in it are not too long for the system."""
    usual = tempfile.gettempdir()
    return usual if len(usual) <= LONGEST_FOLDER - len(f"/{PREFIX}12345678/s") else "/tmp"
