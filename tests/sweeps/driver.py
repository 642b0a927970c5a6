"""A sweep in a process of its own, which tests kill, stop and go on with.

python -m tests.sweeps.driver DATASET FOLDER EPOCHS [TRIALS_AT_ONCE]
"""

import sys
from pathlib import Path

from rich.console import Console

from sweeps.results.report import show
from sweeps.space import Axis, Cell
from sweeps.sweep import run
from tests.sweeps.cells import cells_of, tiny_recipe


def four(epochs: int) -> list[Cell]:
    """Two networks, two seeds."""
    return cells_of(tiny_recipe(), Axis.of("optim.epochs", [epochs]), seeds=[0, 1])


def main(dataset: str, folder: str, epochs: str, at_once: str = "1") -> int:
    console = Console(width=200)
    cells, place = four(int(epochs)), Path(folder)
    outcome = run(cells, dataset, place, at_once=int(at_once), check=False, console=console)
    show(outcome.report, console)
    return outcome.code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
