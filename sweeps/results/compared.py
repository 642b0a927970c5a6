"""What `epropnp-sweeps compare` says of the trials of some sweeps, and what it leaves in a folder."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from epropnp.command_line import console_or_file, say
from epropnp.data.reader import ArrowDataset
from epropnp.data.visible import visible_shares
from epropnp.errors import UserError, first_line
from epropnp.evaluation.table import Table, print_table
from epropnp.evaluation.table_fit import wrapped
from epropnp.evaluation.table_latex import to_latex
from epropnp.evaluation.table_text import to_csv, to_markdown
from epropnp.files import replaced
from sweeps.folder import Sweep
from sweeps.names import safe_name
from sweeps.results.figures import FOLDER as FIGURES
from sweeps.results.figures import figures, save
from sweeps.results.findings import Findings, find
from sweeps.results.joined import join
from sweeps.results.report_page import EXAMPLES, PAGE_FILE, write_page
from sweeps.results.study_tables import accuracy_table, network_table, object_table, unfinished_table
from sweeps.results.summary import SELECTION

LARGEST_NAME = 80  # characters


def compare(
    sweeps: Sequence[Sweep],
    folder: Path,
    *,
    where: Sequence[str],
    best: int,
    margin: float,
    published: bool,
    draw: bool,
) -> None:
    """Print the tables and the answer, and write them into a folder, with page and figures.

    The other arguments are as the flags of `epropnp-sweeps compare` say it.

    Raises:
        UserError: nothing can be compared, or written.
    """
    found = find(join(sweeps, where), f"Comparison of {names_of(sweeps)}", best=best, margin=margin)
    if draw:
        found = drawn(found, sweeps, folder)
    written = write(found, sweeps, folder, published)
    console = console_or_file()
    for name, table in tables(found, published).items():
        print_table(table, console, whole=folder / f"{name}.md")
    for line in (*_answers(found), *found.remarks, *written):
        say(console, wrapped(line, console.width))


def usual_folder(sweeps: Sequence[Sweep], out: Path) -> Path:
    """Where a comparison of sweeps goes in a working folder."""
    return out / safe_name(f"compare-{names_of(sweeps)}")[:LARGEST_NAME]


def names_of(sweeps: Sequence[Sweep]) -> str:
    """Those of sweeps, in their order."""
    return ", ".join(sweep.name for sweep in sweeps)


def _answers(findings: Findings) -> list[str]:
    return [] if findings.summary is None else [findings.summary.answer(SELECTION)]


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


def drawn(findings: Findings, sweeps: Sequence[Sweep], folder: Path) -> Findings:
    """Figures and test images into a folder; the findings with a remark on what cannot be drawn."""
    from sweeps.results.compared_examples import datasets_of, draw_examples  # loads networks

    for file in (folder / EXAMPLES).glob("*.png"):
        file.unlink()  # of an earlier comparison
    if findings.summary is None:
        return findings
    datasets, remark = dict[str, ArrowDataset](), None
    try:
        datasets = datasets_of(findings, sweeps)
    except UserError as error:
        remark = f"Test images are not drawn: {first_line(error)}."
    stopped = [row for row in findings.rows if row.status == "stopped"]
    visible = partial(visible_shares, datasets.values())
    for name, draw in figures(findings.summary, findings.images, stopped, visible).items():
        save(draw, folder / FIGURES / f"{name}.png")
    if datasets:
        remark = draw_examples(findings, findings.summary, datasets, folder)
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
