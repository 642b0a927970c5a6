"""Compare the trials of any sweeps that were tested on the same images: tables, a page, the answer.

python sweeps/compare.py SWEEP...          (= epropnp-sweeps compare)
"""

import dataclasses
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

if __package__ in (None, ""):  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from epropnp.command_line import YesNo, console_or_file, say, shown_as
from epropnp.errors import UserError, nearest
from epropnp.evaluation.table import Table, print_table
from epropnp.evaluation.table_fit import wrapped
from epropnp.evaluation.table_latex import to_latex
from epropnp.evaluation.table_text import to_csv, to_markdown
from epropnp.evaluation.thresholds import MARGIN
from epropnp.extras import require
from epropnp.files import replaced
from sweeps.commands.command import run_command
from sweeps.commands.find import the_sweep
from sweeps.folder import Sweep, find_sweeps, named_sweep, open_sweep
from sweeps.names import safe_name
from sweeps.results.figures import FOLDER as FIGURES
from sweeps.results.figures import figures, save
from sweeps.results.findings import BEST, Findings, find
from sweeps.results.joined import join
from sweeps.results.report_page import PAGE_FILE, write_page
from sweeps.results.sentences import answer
from sweeps.results.study_tables import accuracy_table, network_table, object_table, unfinished_table
from sweeps.results.summary import SELECTION

DESCRIPTION = """Compare the trials of any sweeps that were tested on the same images.

  epropnp-sweeps compare
      the newest sweep
  epropnp-sweeps compare first second --where head=fpn --published
      all trials of two that have this head, beside the rows of the literature

Writes a page to look at, report.html, its figures as PNG and PDF, and each table as Markdown, CSV
(full precision) and LaTeX (booktabs): accuracy, objects, networks.
"""
LARGEST_NAME = 80  # characters


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
        _compare_all(config, _fetched(config, Path(work)) if config.mlflow else _found(config))


def _compare_all(config: CompareConfig, sweeps: Sequence[Sweep]) -> None:
    names = ", ".join(sweep.name for sweep in sweeps)
    found = find(join(sweeps, config.where), f"Comparison of {names}", best=config.best, margin=config.margin)
    folder = config.output or config.out / safe_name(f"compare-{names}")[:LARGEST_NAME]
    if config.figures is not False:
        found = _drawn(found, sweeps, folder)
    written = write(found, sweeps, folder, config.published)
    console = console_or_file()
    for name, table in tables(found, config.published).items():
        print_table(table, console, whole=folder / f"{name}.md")
    for line in (*_answers(found), *found.remarks, *written):
        say(console, wrapped(line, console.width))


def _answers(findings: Findings) -> list[str]:
    return [] if findings.summary is None else [answer(SELECTION, findings.summary.ranked[SELECTION])]


def tables(findings: Findings, published: bool = False) -> Mapping[str, Table]:
    """By name of its files, every table that there is something to say in."""
    unfinished = unfinished_table(findings)
    found = {} if unfinished is None else {"unfinished": unfinished}
    if findings.summary is None:
        return found
    return found | {
        "networks": network_table(findings),
        "objects": object_table(findings),
        "accuracy": accuracy_table(findings, published),
    }


def _drawn(findings: Findings, sweeps: Sequence[Sweep], folder: Path) -> Findings:
    """Figures and test images into a folder; the findings with a remark on what cannot be drawn."""
    from sweeps.results.compared_examples import draw_examples  # loads networks

    if findings.summary is None:
        return findings
    stopped = [row for row in findings.rows if row.status == "stopped"]
    for name, draw in figures(findings.summary, findings.images, stopped).items():
        save(draw, folder / FIGURES / f"{name}.png")
    remark = draw_examples(findings, sweeps, folder)
    return dataclasses.replace(findings, remarks=[*findings.remarks, remark]) if remark else findings


def write(findings: Findings, sweeps: Sequence[Sweep], folder: Path, published: bool = False) -> list[str]:
    """Page and tables into a folder; where they lie, in words. UserError where they cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    write_page(findings, sweeps, folder / PAGE_FILE, published)
    makers: dict[str, Callable[[], str]] = {}
    for name, table in tables(findings, published).items():
        for kind, made in (("md", to_markdown), ("csv", to_csv), ("tex", to_latex)):
            makers[f"{name}.{kind}"] = lambda made=made, table=table: made(table)  # type: ignore[misc]
    for name, make in makers.items():
        with replaced(folder / name) as unfinished:
            unfinished.write_text(make(), encoding="utf-8")
    names = ", ".join(dict.fromkeys(name.partition(".")[0] for name in makers))
    return [f"page: {folder / PAGE_FILE}", f"tables, as md, csv and tex: {names} in {folder}"]


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
