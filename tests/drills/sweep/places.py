"""Drills of where a sweep runs: users, homes, temporary folders, locks; each does three quick drills."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from tests.drills.sweep.checks import ended, refused
from tests.drills.sweep.files import mount
from tests.drills.sweep.ground import ROOT
from tests.drills.sweep.world import Skipped, World, kill

USER = 54321  # that no file knows
TEMPORARY_CHARACTERS = 120


def quick_unknown_user(world: World) -> None:
    """A user without a passwd entry, as containers have them, who may read all and write nothing else."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        raise Skipped("only root, with setpriv, can run as another user")
    reads = ("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search")
    world.prefix = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *reads]
    world.environment |= {"HOME": "/", "USER": None, "LOGNAME": None, "USERNAME": None, "LNAME": None}
    for folder in (world.folder, world.temporary):
        subprocess.run(["chown", "-R", f"{USER}:{USER}", str(folder)], check=True)
    _quick(world)


def quick_no_home(world: World) -> None:
    """HOME is not set, and paths of sockets below TMPDIR would be too long for the system."""
    missing = TEMPORARY_CHARACTERS - len(f"{world.temporary}/")
    folder = world.temporary / ("t" * missing)
    folder.mkdir()
    world.environment |= {"HOME": None, "TMPDIR": str(folder)}
    _quick(world)


def quick_locks_fail(world: World) -> None:
    """The working folder is on a file system without locks."""
    _locks(world, "fail")


def quick_locks_nothing(world: World) -> None:
    """It is on one whose locks everybody gets, and HOME cannot be written."""
    home = world.folder / "home"
    home.mkdir()
    mount(world, home, "-t", "tmpfs", "-o", "ro,size=1m", "none")
    world.environment |= {"HOME": str(home), "EPROPNP_CACHE": None, "XDG_CACHE_HOME": None}
    _locks(world, "nothing")


def _locks(world: World, how: str) -> None:
    world.database.unlink()  # it is made under a lock
    hooks = Path(__file__).parent / "hooks"
    world.environment |= {
        "PYTHONPATH": f"{hooks}{os.pathsep}{ROOT}",
        "EPROPNP_DRILL_LOCKS": f"{how}:{world.folder}",
    }
    _quick(world)


def _quick(world: World) -> None:
    """Two drivers, the kill of a trial, SIGTERM in an epoch."""
    driver = world.start()
    world.until((world.sweep / ".claim").exists, "the folder is claimed")
    refused(world, world.start(), driver)
    world.last = driver
    trial = world.in_an_epoch(trials=1)[0]
    first = world.process_of(trial)
    kill(first)
    world.until(lambda: trial in world.training() and world.process_of(trial) != first, "it trains again")
    driver.signal(signal.SIGTERM)
    ended(world, driver, 75)
    world.go_on()


DRILLS = (quick_unknown_user, quick_no_home, quick_locks_fail, quick_locks_nothing)
