"""The page of a comparison: one file, readable by a parser, that asks for nothing else."""

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from epropnp.training.result import TrialResult
from sweeps.folder import open_sweep
from sweeps.results.findings import Findings, find
from sweeps.results.joined import join
from sweeps.results.page import NOTHING, Picture, page
from tests.sweeps import graded
from tests.sweeps.made_sweeps import begin, finish

PNG = b"\x89PNG<&>"
VOID = {"meta", "img", "br"}
HEADINGS = [
    "How far apart",
    "Accuracy",
    "Cost",
    "Why to believe it",
    "Figures",
    "Test images",
    "How it was made",
]


class Read(HTMLParser):
    """What a browser would find; fails where an element is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.sources: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids += [given["id"]] if "id" in given else []
        self.targets += [given["href"].removeprefix("#")] if "href" in given else []
        self.sources += [given["src"]] if "src" in given else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.texts.setdefault(self.open[-1], []).append(data)


@pytest.fixture
def findings(tmp_path: Path, result: TrialResult) -> Findings:
    for backbone in graded.SHIFT_M:
        finish(tmp_path / "one", result, backbone)
    return find(join([open_sweep(tmp_path / "one")]), "Sweep <one>")


def test_it_says_the_answer_first_and_all_that_it_was_made_with(findings: Findings, tmp_path: Path) -> None:
    sweep = dataclasses.replace(open_sweep(tmp_path / "one"), commands=[["--set", "a=<b> c"]])
    drawn = {
        "accuracy": Picture(png=PNG, caption="over <thresholds>"),
        "differences": Picture(png=PNG, caption="far"),
    }
    read = Read(page(findings, [sweep], figures=drawn, examples=[Picture(png=PNG, caption="a cat")]))
    assert read.texts["h1"] == ["Sweep <one>"]
    answer = read.texts["p"][0]
    assert answer.startswith("ADD(-S) 0.10d: best is test_resnet with ")
    assert read.texts["h2"] == HEADINGS
    assert read.targets == read.ids
    assert read.texts["pre"] == ["python sweeps/backbones.py --set 'a=<b> c'"]
    facts = dict(zip(read.texts["dt"], read.texts["dd"], strict=True))
    assert (facts["git commit"], facts["host"], facts["test"]) == ("c0ffee", "node7", "ba9876543210")
    assert facts["trained"] == "2026-01-02T03:04:05+00:00 to 2026-01-02T04:05:06+00:00"
    assert read.texts["figcaption"] == ["far", "over <thresholds>", "a cat"]


def test_it_asks_for_nothing_but_itself(findings: Findings, tmp_path: Path) -> None:
    text = page(findings, [open_sweep(tmp_path / "one")], figures={"a": Picture(png=PNG, caption="a")})
    assert Read(text).sources == ["data:image/png;base64,iVBORzwmPg=="]
    assert not re.search(r"https?:|localStorage|sessionStorage|cookie|@import|url\(", text)
    assert len(text) < 100_000


def test_before_a_trial_has_finished_it_says_so(tmp_path: Path) -> None:
    begin(tmp_path / "one", "test_vit")
    found = find(join([open_sweep(tmp_path / "one")]), "one")
    assert Read(page(found, [open_sweep(tmp_path / "one")])).texts["p"][0] == NOTHING
