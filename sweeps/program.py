"""How the main job is called, for hints that can be pasted."""

import shlex
import sys
from pathlib import Path

PROG = "python sweeps/backbones.py"
SCRIPT = "epropnp-sweeps"  # the installed command, of which the main job is `run`


def program() -> str:
    """How this process was called."""
    name = Path(sys.argv[0]).name
    return f"{name} run" if name == SCRIPT else PROG


def go_on_command(name: str, out: Path, ray_address: str | None) -> str:
    """What goes on with a sweep, whole and quoted: other flags may follow.

    Args:
        name: of the sweep.
        out: the folder that its own lies in.
        ray_address: of the cluster that it runs on; None: this machine.
    """
    words = ["--resume", "--name", name, "--out", str(out)]
    if ray_address is not None:
        words += ["--ray-address", ray_address]
    return f"{program()} {shlex.join(words)}"


def go_on_with_trial(folder: Path) -> str:
    """The same for the sweep that a trial's folder lies in, on this machine."""
    sweep = folder.parent.parent
    return go_on_command(sweep.name, sweep.parent, None)
