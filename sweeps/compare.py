"""Compare the trials of any sweeps that were tested on the same images: tables, a page, the answer.

python sweeps/compare.py SWEEP...          (= epropnp-sweeps compare)
"""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

if __package__ in (None, ""):  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from epropnp.command_line import YesNo, shown_as
from epropnp.errors import UserError, nearest
from epropnp.evaluation.thresholds import BEST, MARGIN
from epropnp.extras import require
from sweeps.commands.command import run_command
from sweeps.commands.find import the_sweep
from sweeps.folder import Sweep, find_sweeps, named_sweep, open_sweep

DESCRIPTION = """Compare the trials of any sweeps that were tested on the same images.

Examples:
  epropnp-sweeps compare
      the newest sweep
  epropnp-sweeps compare first second --where head=fpn --published
      all trials of two that have this head, beside the rows of the literature

Writes a page to look at, report.html, its figures as PNG and PDF, and each table as Markdown, CSV
(full precision) and LaTeX (booktabs): accuracy, objects, networks.
"""


@dataclass(frozen=True, kw_only=True)
class CompareConfig:
    """What to compare, and how."""

    sweeps: Annotated[tyro.conf.Positional[tuple[str, ...]], shown_as("[SWEEP ...]")] = ()
    """Names of sweeps in OUT, or their folders. Default: the newest."""
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")] = Path("runs")
    """Working folder of the sweeps."""
    where: Annotated[tuple[str, ...], shown_as("KEY=VALUE ...")] = ()
    """Only trials with these settings, such as `backbone=resnet34 loss.mc=0.5`. Default: all."""
    best: Annotated[int, tyro.conf.arg(metavar="N")] = BEST
    """Settings that are compared image by image, by their mean ADD(-S) 0.10d; of others means are given."""
    margin: Annotated[float, tyro.conf.arg(metavar="POINTS")] = MARGIN
    """Differences below it are called equal, where that can be shown."""
    mlflow: bool = False
    """Read the sweeps from MLflow alone: MLFLOW_TRACKING_URI, else OUT/mlflow.db."""
    published: bool = False
    """Add the rows of the literature, marked as such."""
    figures: YesNo = None
    """Draw them, and test images where the datasets lie, which takes most of the time. Default: yes."""
    output: Annotated[Path | None, shown_as("FOLDER")] = None
    """Where page and tables go. Default: OUT/compare-SWEEPS."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; see `run_command` for the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    return run_command("compare", CompareConfig, DESCRIPTION, words, _compare)


def _compare(config: CompareConfig) -> None:
    if config.best < 1:
        raise UserError(f"--best: at least one setting is compared, not {config.best}")
    with tempfile.TemporaryDirectory(prefix="epropnp-") as work:
        sweeps = _fetched(config, Path(work)) if config.mlflow else _found(config)
        from sweeps.results.compared import compare, usual_folder  # after what may be mistyped: takes seconds

        compare(
            sweeps,
            config.output or usual_folder(sweeps, config.out),
            where=config.where,
            best=config.best,
            margin=config.margin,
            published=config.published,
            draw=config.figures is not False,
        )


def _fetched(config: CompareConfig, work: Path) -> list[Sweep]:
    """From MLflow, into folders that are gone with the work."""
    if not config.sweeps:
        raise UserError("--mlflow: name the sweeps that are to be compared")
    require("reading sweeps from MLflow", "sweeps", only=("mlflow",))
    from sweeps.tracking.fetch_sweep import fetch_sweep
    from sweeps.tracking.place import place_of

    return [fetch_sweep(place_of(config.out), name, work) for name in dict.fromkeys(config.sweeps)]


def _found(config: CompareConfig) -> list[Sweep]:
    return [_sweep(text, config.out) for text in config.sweeps] or [the_sweep(config.out, None)]


def _sweep(text: str, out: Path) -> Sweep:
    folder = named_sweep(text, out)
    if folder is None:
        advice = nearest(text, [found.name for found in find_sweeps(out)])
        raise UserError(f"there is no sweep '{text}' in {out.resolve()}, nor is it the folder of one{advice}")
    return open_sweep(folder)


if __name__ == "__main__":
    sys.exit(main())
