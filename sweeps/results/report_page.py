"""The page of a sweep or comparison in a folder, with the figures and examples that lie there."""

from collections.abc import Sequence
from pathlib import Path

from epropnp.files import replaced
from sweeps.folder import Sweep
from sweeps.results.figures import CAPTIONS
from sweeps.results.figures import FOLDER as FIGURES
from sweeps.results.findings import Findings
from sweeps.results.page import Picture, page

PAGE_FILE = "report.html"
EXAMPLES = "examples"  # folder of test images that settings are drawn on
ROOM = 1_400_000  # bytes of pictures, so that the page stays below 2 MB


def write_page(findings: Findings, sweeps: Sequence[Sweep], file: Path, published: bool = False) -> None:
    """Write it. UserError where that fails.

    Args:
        findings: the comparison.
        sweeps: that it is of.
        file: to be written; its folder holds figures and examples, if there are any.
        published: whether rows of the literature stand below the accuracies.
    """
    figures = {name: file.parent / FIGURES / f"{name}.png" for name in CAPTIONS}
    drawn = {name: png.read_bytes() for name, png in figures.items() if png.is_file()}
    examples = {png.stem: png.read_bytes() for png in sorted((file.parent / EXAMPLES).glob("*.png"))}
    room, kept = ROOM - sum(map(len, drawn.values())), list[Picture]()
    for name, png in examples.items():
        room -= len(png)
        if room >= 0:
            kept.append(Picture(png=png, caption=_caption(name)))
    text = page(
        findings,
        sweeps,
        figures={name: Picture(png=png, caption=CAPTIONS[name]) for name, png in drawn.items()},
        examples=kept,
        published=published,
    )
    with replaced(file) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def _caption(name: str) -> str:
    return f"{name.replace('-', ' ')}: one row per setting, on the same test image"
