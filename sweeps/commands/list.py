"""`epropnp-sweeps list`: the sweeps of a working folder."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from epropnp.command_line import console_or_file
from epropnp.errors import UserError
from epropnp.evaluation.table import Column, Layout, Table, print_table
from sweeps.commands.command import run_command
from sweeps.commands.state import SweepState, state_of
from sweeps.folder import find_sweeps, open_sweep

DESCRIPTION = """List the sweeps of a working folder, the newest last: running, interrupted or finished, how
many trials have which status, the best ADD(-S) area on validation images, and when something last happened.

  epropnp-sweeps list --out /shared/runs
"""
ORDER = ("running", "waiting", "finished", "stopped", "failed", "damaged")


@dataclass(frozen=True, kw_only=True)
class ListConfig:
    """Where to look."""

    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")] = Path("runs")
    """Working folder of the sweeps."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; see `run_command` for the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    return run_command("list", ListConfig, DESCRIPTION, words, _list)


def _list(config: ListConfig) -> None:
    states, damaged = [], []
    for folder in find_sweeps(config.out):
        try:
            states.append(state_of(open_sweep(folder)))
        except UserError as error:
            damaged.append(str(error).removeprefix("--resume: "))
    if not states and not damaged:
        raise UserError(f"--out: there is no sweep in {config.out.resolve()}")
    console = console_or_file()
    print_table(list_table(states, time.time(), damaged), console)


def list_table(states: Sequence[SweepState], now: float, notes: Sequence[str] = ()) -> Table:
    """A row per sweep, as it reads at a time (seconds since 1970)."""
    columns = [
        Column("sweep", one_line=0),
        Column("state"),
        Column("trials"),
        Column("best validation area", kind="number", text="{:.1f}".format),
        Column("last change", kind="number", text=lambda seconds: f"{age_text(seconds)} ago"),
    ]
    rows = [(s.name, s.state, counts_text(s), s.best_area, max(0.0, now - s.changed)) for s in states]
    return Table(columns=columns, rows=rows, notes=notes, layout=Layout(overflow="fold"))


def counts_text(state: SweepState) -> str:
    """Such as `2 running, 3 finished`."""
    return ", ".join(f"{state.counts[status]} {status}" for status in ORDER if state.counts[status]) or "none"


def age_text(seconds: float) -> str:
    """In the largest unit of which there are two or more."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
