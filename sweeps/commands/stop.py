"""`epropnp-sweeps stop`: interrupt a sweep, or stop one of its trials for good."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from epropnp.command_line import shown_as
from epropnp.errors import UserError
from epropnp.files import replaced
from epropnp.training.halt import BY_HAND, STOP_FILE
from sweeps.commands.command import PROG, run_command
from sweeps.commands.find import runs, the_sweep, the_trial
from sweeps.folder import Sweep
from sweeps.trial import read

DESCRIPTION = """Interrupt a sweep, or stop one of its trials for good.

  epropnp-sweeps stop mine
      running trials write a checkpoint after their running update and end, no other one starts, the tables
      are written, and the job ends with exit code 75; `epropnp-sweeps run --resume --name mine` goes on
  epropnp-sweeps stop mine 3fa1b2
      only the trial whose name holds these characters: no --resume trains it, until its file `stop` is gone
"""


@dataclass(frozen=True, kw_only=True)
class StopConfig:
    """What is to end."""

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME")]
    """Of the sweep."""
    trial: Annotated[tyro.conf.Positional[str | None], shown_as("[TRIAL]")] = None
    """A part of a trial's name that no other one has, such as its six digits. Default: the whole sweep."""
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")] = Path("runs")
    """Working folder of the sweeps."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; see `run_command` for the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    return run_command("stop", StopConfig, DESCRIPTION, words, _stop)


def _stop(config: StopConfig) -> None:
    sweep = the_sweep(config.out, config.name)
    if config.trial is None:
        print(stop_sweep(sweep, config.out))
    else:
        print(stop_trial(sweep, the_trial(sweep, config.trial)))


def stop_sweep(sweep: Sweep, out: Path) -> str:
    """Let it be interrupted; what that means, and how to go on. UserError where that cannot be written."""
    running = runs(sweep)
    _write(sweep.stop_file)
    place = "" if out == Path("runs") else f" --out {out}"
    return (
        f"sweep {sweep.name} is interrupted: running trials end after their running update, with a checkpoint"
        f"\nundo: {PROG} run --resume --name {sweep.name}{place}"
        + ("" if running else "\nno process of this machine runs it; the next --resume goes on all the same")
    )


def stop_trial(sweep: Sweep, name: str) -> str:
    """Stop a trial for good; what that means, and how to undo it. UserError where it has ended."""
    folder = sweep.trial_folder(name)
    trial = read(folder)
    file = folder / STOP_FILE
    if trial.status in ("finished", "stopped"):
        undo = f" ({trial.reason}); remove {file} to let it go on" if trial.status == "stopped" else ""
        raise UserError(f"trial {name} is {trial.status} already{undo}")
    _write(file)
    when = "after its running update, with a checkpoint" if trial.status == "running" else "before it goes on"
    return f"trial {name} is stopped {when}; it counts as decided\nundo: remove {file}, then --resume"


def _write(file: Path) -> None:
    with replaced(file) as unfinished:
        unfinished.write_text(f"{BY_HAND}\n", encoding="utf-8")
