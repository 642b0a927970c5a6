"""`epropnp-sweeps status`: the trials of a sweep, also while it runs."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import tyro

from epropnp.command_line import console_or_file, shown_as
from epropnp.evaluation.table import Cell, Column, Layout, Table, print_table
from sweeps.commands.command import run_command
from sweeps.commands.find import the_sweep
from sweeps.commands.list import counts_text
from sweeps.commands.state import Damaged, state_of, trials_of, waiting_names
from sweeps.folder import Sweep
from sweeps.trial import Trial

ACCURACY = "val/add_0.10d"
DESCRIPTION = """Show the trials of a sweep: status, epochs done and asked for, ADD(-S) 0.10d on validation
images after the last of them, training time, host, and why one failed, was stopped or waits.

  epropnp-sweeps status
      of the newest sweep
  epropnp-sweeps status mine --out /shared/runs
"""


@dataclass(frozen=True, kw_only=True)
class StatusConfig:
    """Which sweep."""

    name: Annotated[tyro.conf.Positional[str | None], shown_as("[NAME]")] = None
    """Of the sweep. Default: the newest."""
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")] = Path("runs")
    """Working folder of the sweeps."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; see `run_command` for the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    return run_command("status", StatusConfig, DESCRIPTION, words, _status)


def _status(config: StatusConfig) -> None:
    console = console_or_file()
    print_table(status_table(the_sweep(config.out, config.name)), console)


def status_table(sweep: Sweep) -> Table:
    """A row per trial; those that have not begun come last."""
    columns = [
        Column("trial", one_line=0),
        Column("status"),
        Column("epoch", kind="number"),
        Column("val ADD(-S) 0.10d", kind="number", text="{:.1f}".format),
        Column("time", kind="number", text=lambda seconds: str(timedelta(seconds=round(seconds)))),
        Column("host"),
        Column("reason", missing=""),
    ]
    rows = [_row(trial) for trial in trials_of(sweep)]
    rows += [(name, "waiting", None, None, None, None, None) for name in waiting_names(sweep)]
    state = state_of(sweep)
    title = f"sweep {sweep.name}: {state.state}, {counts_text(state)}"
    return Table(title=title, columns=columns, rows=rows, layout=Layout(title="left", overflow="fold"))


def _row(trial: Trial | Damaged) -> tuple[Cell, ...]:
    if isinstance(trial, Damaged):
        return (trial.name, "damaged", None, None, None, None, trial.reason)
    last = trial.history[-1] if trial.history else {}
    done = f"{max(0, len(trial.history) - 1)}/{trial.config.optim.epochs}" if trial.record else None
    host = trial.record.host if trial.record else None
    seconds = last.get("time/seconds")
    return (trial.name, trial.status, done, last.get(ACCURACY), seconds, host, trial.reason)
