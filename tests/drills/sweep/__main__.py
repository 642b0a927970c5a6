"""Drills: each disturbs a sweep, looks, goes on by the same call, and compares with an undisturbed one.

    python -m tests.drills.sweep                     # all: `make drills`, below 45 minutes on two quiet cores
    python -m tests.drills.sweep kill-trial sigterm-epoch
    python -m tests.drills.sweep --list

A line each: name, seconds, and `ok`, why it was skipped, or what differs. Exit code 1 if one fails.
"""

import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from tests.drills.sweep import files, kills, places, records, signals
from tests.drills.sweep.checks import whole
from tests.drills.sweep.ground import Ground, ground_in
from tests.drills.sweep.world import Differs, Skipped, World

MODULES = (kills, signals, records, files, places)
DRILLS: dict[str, Callable[[World], None]] = {
    drill.__name__.replace("_", "-"): drill for module in MODULES for drill in module.DRILLS
}


@dataclass(frozen=True, kw_only=True)
class DrillsConfig:
    """Which drills, and where."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Of drills; none: all."""
    list: bool = False
    """Only list them."""
    out: Path | None = None
    """Folder for them; what failed stays there, and the undisturbed table for the next call. Default: a
    temporary one."""


def result_of(drill: Callable[[World], None], ground: Ground, folder: Path) -> tuple[bool, str]:
    """Whether a drill went well, and what there is to say of it."""
    shutil.rmtree(folder, ignore_errors=True)
    world = World(ground, folder)
    try:
        drill(world)
        world.expect_nobody()
        differences = whole(world)
        return not differences, "; ".join(differences) or "ok"
    except Skipped as reason:
        return True, f"skipped: {reason}"
    except Differs as difference:
        return False, str(difference)
    except Exception:
        return False, f"the drill itself failed: {traceback.format_exc()}"
    finally:
        world.close()


def main(config: DrillsConfig) -> int:
    if config.list:
        for name, drill in DRILLS.items():
            print(f"{name:19} {(drill.__doc__ or '').strip()}")
        return 0
    unknown = [name for name in config.names if name not in DRILLS]
    if unknown:
        print(f"error: no drill {', '.join(unknown)}; see --list", file=sys.stderr)
        return 2
    folder = (config.out or Path(tempfile.mkdtemp(prefix="drills-"))).resolve()
    kept = os.environ.get("EPROPNP_TEST_DATA")
    began_s = time.monotonic()
    ground = ground_in(folder / "ground", Path(kept) if kept else None)
    print(f"undisturbed         {time.monotonic() - began_s:5.0f} s  {folder}", flush=True)
    failed = 0
    for name in config.names or DRILLS:
        print(f"{name:19} ", end="", flush=True)
        drill_s = time.monotonic()
        good, text = result_of(DRILLS[name], ground, folder / name)
        print(f"{time.monotonic() - drill_s:5.0f} s  {text}", flush=True)
        failed += not good
        if good:
            shutil.rmtree(folder / name, ignore_errors=True)
    if not failed and config.out is None:
        shutil.rmtree(folder)
    print(f"{failed} failed; {(time.monotonic() - began_s) / 60:.0f} minutes")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(DrillsConfig, description=__doc__)))
