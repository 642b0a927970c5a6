"""`make mutants` on a toy: what is changed, which tests are asked, and what counts as noticed."""

import subprocess
from pathlib import Path

import pytest
from coverage import CoverageData

from tests.mutants.covering import Covering
from tests.mutants.sample import Mutant, _changes, _patch, sample
from tests.mutants.trying import Bench, Outcome, _changed, _tested

CODE = '''"""A text."""

LIMIT = 3


def area(width: int, height: int = 2) -> int:
    """Of a rectangle."""
    if width < 0:
        raise ValueError("less than 0")
    return width * height
'''
TESTS = """
import time
import toy

def test_area():
    assert toy.area(3, 4) == 12

def test_zero():
    assert toy.area(0, 4) == 0

def test_slow():
    time.sleep(60)
"""


def wrong_versions(line: int) -> list[str]:
    return [_patch("toy.py", CODE, change) for change in _changes(CODE).get(line, [])]


def test_changes_are_made_in_bodies_and_not_to_types_defaults_and_texts() -> None:
    assert set(_changes(CODE)) == {8, 10}
    (product,) = wrong_versions(10)
    assert "-    return width * height\n+    return width / height\n" in product
    changes = [Mutant(file="toy.py", line=8, patch=patch).change for patch in wrong_versions(8)]
    assert changes == ["if width < 0:  ->  if width <= 0:", "if width < 0:  ->  if width < 1:"]


def test_a_sample_is_the_same_for_the_same_seed_and_has_one_mutant_a_line() -> None:
    first = sample("losses", 10, 0, "HEAD")
    assert sample("losses", 10, 0, "HEAD") == first
    assert sample("losses", 10, 1, "HEAD") != first
    assert len({(mutant.file, mutant.line) for mutant in first}) == 10
    with pytest.raises(ValueError, match="no room 'lossses'"):
        sample("lossses", 10, 0, "HEAD")


def test_lines_that_differ() -> None:
    assert _changed(list("abcde"), list("abxde")) == range(3, 4)
    assert _changed(list("abcde"), list("ade")) == range(2, 4)
    assert _changed(list("ab"), list("axb")) == range(2, 3)


@pytest.fixture
def toy(tmp_path: Path) -> Bench:
    """A project of one module and three tests; the second one makes no difference between < and <=."""
    tree, folder = tmp_path / "tree", tmp_path / "folder"
    tree.mkdir()
    folder.mkdir()
    (tree / "toy.py").write_text(CODE)
    (tree / "test_toy.py").write_text(TESTS)
    subprocess.run(["git", "init", "-q"], cwd=tree, check=True)
    cases = [("area", 0.2), ("zero", 0.1), ("slow", 0.3)]
    lines = [f'<testcase classname="test_toy" name="test_{name}" time="{s}"/>' for name, s in cases]
    lines.append('<testcase classname="test_toy" name="test_broken" time="0"><failure/></testcase>')
    (folder / "tests.xml").write_text(f"<testsuites>{''.join(lines)}</testsuites>")
    data = CoverageData(str(folder / "coverage.sqlite"))
    for context, run in [("test_area|run", {8, 10}), ("test_zero|run", {8}), ("test_slow|run", {9})]:
        data.set_context(f"test_toy.py::{context}")
        data.add_lines({str(tree / "toy.py"): run})
    data.set_context("")
    data.add_lines({str(tree / "toy.py"): {1, 6}})
    data.set_context("test_toy.py::test_zero|setup")
    data.add_lines({str(tree / "toy.py"): {3}})
    data.write()
    covering = Covering(folder, tree)
    old = frozenset({"test_toy.py::test_zero"})
    return Bench(covering=covering, tree="1", old=old, folder=folder, copies=(tree,), seconds=30)


def test_tests_of_a_line_are_those_that_run_it_or_look_at_what_it_made(toy: Bench) -> None:
    def names(*lines: int) -> list[str]:
        return [test.partition("::test_")[2] for test in toy.covering.of_lines("toy.py", lines)]

    assert names(8) == ["zero", "area"]
    assert names(9, 10) == ["area", "slow"]
    assert names(3) == ["zero", "area", "slow"]
    assert names(6) == ["zero", "area", "slow"]
    assert names(2) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "choice", "expected"),
    [
        (10, 0, (True, "test_toy.py::test_area", False)),
        (8, 0, (True, "test_toy.py::test_zero", True)),
        (8, 1, (True, "test_toy.py::test_zero", True)),
    ],
)
def test_a_mutant_is_noticed_by_the_first_test_that_fails(
    toy: Bench, line: int, choice: int, expected: tuple[bool, str, bool]
) -> None:
    mutant = Mutant(file="toy.py", line=line, patch=wrong_versions(line)[choice])
    noticed, by, before = expected
    assert _tested(mutant, toy.copies[0], 0, toy) == Outcome(noticed=noticed, by=by, before=before, tree="1")
    assert (toy.copies[0] / "toy.py").read_text() != CODE


def test_a_patch_finds_its_lines_where_they_have_moved_and_says_where_it_cannot(toy: Bench) -> None:
    mutant = Mutant(file="toy.py", line=10, patch=wrong_versions(10)[0])
    file = toy.copies[0] / "toy.py"
    file.write_text(CODE.replace("LIMIT", "# one line more\nLIMIT"))
    moved = _tested(mutant, toy.copies[0], 0, toy)
    assert moved.by == "no test runs the line"  # line 11 now, of which nothing is recorded
    file.write_text(CODE.replace("width * height", "height * width"))
    assert _tested(mutant, toy.copies[0], 0, toy).by == "its lines have changed"


def test_no_time_for_a_test_is_not_noticed(toy: Bench) -> None:
    mutant = Mutant(file="toy.py", line=8, patch=wrong_versions(8)[1])
    hurried = Bench(**{**vars(toy), "seconds": 0.05})
    outcome = _tested(mutant, toy.copies[0], 0, hurried)
    assert (outcome.noticed, outcome.by) == (False, "0 of its 2 tests pass in time")
