"""A sweep in a process of its own, which a test kills and goes on with.

python -m tests.sweeps.driver DATASET FOLDER
"""

import os
import sys
from pathlib import Path

from rich.console import Console

from sweeps.results.report import show
from sweeps.running.options import Options
from sweeps.space import Axis, Cell
from sweeps.sweep import run
from tests.sweeps.cells import cells_of, tiny_recipe


def three() -> list[Cell]:
    """Two networks, of one two seeds, one epoch."""
    return cells_of(tiny_recipe(), Axis.of("optim.epochs", [1]), seeds=[0, 1])[:3]


def main(dataset: str, folder: str) -> int:
    """Run the sweep, one trial at a time."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    console = Console(width=200)
    options = Options(at_once=1, check=False, figures=False)
    outcome = run(three(), dataset, Path(folder), options=options, console=console)
    show(outcome.report, console)
    return outcome.code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
