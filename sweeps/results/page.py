"""A comparison as one HTML file: whole without a network, a script or another file.

From top to bottom: the answer, how far apart settings are, the tables, why to believe them, figures,
pictures, and what it was made with. A script only sorts tables; styles and pictures are within the file.
"""

import base64
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files

from epropnp.evaluation.table_html import to_html
from sweeps.folder import Sweep
from sweeps.results.columns import Row
from sweeps.results.findings import Findings
from sweeps.results.sentences import LEGEND, could_show
from sweeps.results.study_tables import accuracy_table, network_table, object_table, unfinished_table
from sweeps.results.summary import RANKED, SELECTION

NOTHING = "No trial has finished yet: there is nothing to compare."
DOCUMENT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<header><h1>{title}</h1>
<p class="answer">{answer}</p>
<nav>{links}</nav></header>
<main>
{sections}
</main>
<script>
{script}</script>
</body>
</html>
"""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture of the page.

    Attributes:
        png: its file.
        caption: below it, and for who cannot see it.
    """

    png: bytes
    caption: str


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page: its heading, and HTML."""

    title: str
    body: str


def page(
    findings: Findings,
    sweeps: Sequence[Sweep],
    figures: Mapping[str, Picture] | None = None,
    examples: Sequence[Picture] = (),
    published: bool = False,
) -> str:
    """The file's text.

    Args:
        findings: the comparison.
        sweeps: that it is of, for their commands.
        figures: by name; `differences` stands above the tables, the others below them.
        examples: test images, as each setting sees them.
        published: whether rows of the literature stand below the accuracies.
    """
    drawn = dict(figures or {})
    first = drawn.pop("differences", None)
    sections = [
        Section(title="How far apart", body=_apart(findings, first)),
        Section(title="Accuracy", body=_accuracy(findings, published)),
        Section(title="Cost", body=to_html(network_table(findings))),
        Section(title="Why to believe it", body=_belief(findings)),
        Section(title="Figures", body="".join(map(_figure, drawn.values()))),
        Section(title="Test images", body="".join(map(_figure, examples))),
        Section(title="How it was made", body=_made(findings.rows, sweeps)),
    ]
    told = [section for section in sections if section.body]
    return DOCUMENT.format(
        title=escape(findings.title),
        answer=escape(_answer(findings)),
        links="".join(f'<a href="#{_anchor(each)}">{escape(each.title)}</a>' for each in told),
        sections="\n".join(map(_section, told)),
        style=_file("page.css"),
        script=_file("page.js"),
    )


def _answer(findings: Findings) -> str:
    return NOTHING if findings.summary is None else findings.summary.answer(SELECTION)


def _apart(findings: Findings, drawn: Picture | None) -> str:
    if findings.summary is None:
        return ""
    others = [findings.summary.answer(score) for score in RANKED if score != SELECTION]
    return (_figure(drawn) if drawn else "") + _list(others)


def _accuracy(findings: Findings, published: bool) -> str:
    unfinished = unfinished_table(findings)
    left = to_html(unfinished) if unfinished else ""
    if findings.summary is None:
        return left
    tables = [accuracy_table(findings, published), object_table(findings)]
    return "".join(map(to_html, tables)) + _list(findings.remarks) + left


def _belief(findings: Findings) -> str:
    """Seeds, margin and power in words, and how to read an interval."""
    if findings.summary is None:
        return ""
    power = [
        f"{score}: {said}"
        for score in RANKED
        if (said := could_show(findings.summary.ranked[score])) is not None
    ]
    seeds = sorted({len(group) for group in findings.summary.settings.values()})
    images = next(iter(findings.images.values()))
    scale = (
        f"{len(images.sample_id)} test images of {', '.join(images.names.values())}, the same for every "
        f"trial; {' or '.join(map(str, seeds))} trained networks of each setting."
    )
    return _list([scale, *power, *findings.summary.notes]) + f'<p class="note">{escape(LEGEND)}</p>'


def _made(rows: Sequence[Row], sweeps: Sequence[Sweep]) -> str:
    """Commands, and all that the trials say of where and by what they were trained."""
    commands = [
        f"<pre>python sweeps/backbones.py {escape(shlex.join(words))}</pre>"
        for sweep in sweeps
        for words in sweep.commands
    ]
    records = [row.record for row in rows if row.record is not None]
    facts: dict[str, Iterable[str | None]] = {
        "sweep": (sweep.name for sweep in sweeps),
        "dataset": (row.dataset_id for row in rows),
        "test": (row.test_id for row in rows),
        "git commit": (record.commit for record in records),
        "host": (record.host for record in records),
        "device": (record.device for record in records),
        "versions": (
            ", ".join(f"{name} {version}" for name, version in record.versions.items()) for record in records
        ),
        "trained": _span(rows),
    }
    told = ((name, list(dict.fromkeys(filter(None, values)))) for name, values in facts.items())
    entries = [
        f"<dt>{escape(name)}</dt><dd>{escape('; '.join(values))}</dd>" for name, values in told if values
    ]
    return "".join(commands) + (f"<dl>{''.join(entries)}</dl>" if entries else "")


def _span(rows: Sequence[Row]) -> list[str]:
    """From the first start to the last end."""
    records = [row.record for row in rows if row.record is not None]
    began = min((record.started for record in records if record.started), default=None)
    ended = max((record.ended for record in records if record.ended), default=None)
    return [f"{began} to {ended}"] if began and ended else []


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.png).decode()
    caption = escape(picture.caption)
    return (
        f'<figure><img alt="{caption}" src="data:image/png;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>\n"
    )


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>\n" if lines else ""


def _section(section: Section) -> str:
    heading = f"<h2>{escape(section.title)}</h2>"
    return f'<section id="{_anchor(section)}">{heading}\n{section.body}</section>'


def _anchor(section: Section) -> str:
    return section.title.lower().replace(" ", "-")


@cache
def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
