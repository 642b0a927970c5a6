"""Tries mutants: spoils a copy of the project by one, runs the tests that run its line, notes what failed.

What the tests import is imported once; each run of them is a fork of that process, so that it starts at once.
"""

import importlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.mutants.covering import ENVIRONMENT, Covering
from tests.mutants.sample import ROOT, Mutant

# Imported once and inherited by every run of the tests. Not Ray: it reads its environment as it is imported.
HEAVY = ["torch", "torchvision", "timm", "cv2", "scipy.optimize", "pyarrow.parquet", "matplotlib.pyplot"]
HEAVY += ["pandas", "rich.console", "tyro", "trimesh", "embreex", "skimage.measure", "mlflow", "hypothesis"]
MAKES_DATA = ("pipelines/", "epropnp/data/")  # for mutants of these, the tests make their data anew
START_S = 20.0  # beside what the tests take by their own measure: imports, fixtures


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a mutant.

    Attributes:
        noticed: whether a test failed.
        by: that test, or why there was none.
        before: whether a test failed that is as old as the sample's revision.
        tree: digest of the tests and the code.
    """

    noticed: bool
    by: str
    before: bool
    tree: str


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What the processes that try mutants share.

    Attributes:
        covering: of the tests.
        tree: digest of the tests and the code.
        old: tests that are as they were at the sample's revision.
        folder: of the sample.
        copies: trees to spoil, one for each process.
        seconds: that the tests of one mutant may take.
    """

    covering: Covering
    tree: str
    old: frozenset[str]
    folder: Path
    copies: tuple[Path, ...]
    seconds: float


def read_outcome(folder: Path, number: int) -> Outcome | None:
    """What became of a sample's mutant, if it was tried."""
    file = folder / f"{number:03d}.json"
    return Outcome(**json.loads(file.read_text())) if file.is_file() else None


def try_all(pending: Sequence[tuple[int, Mutant]], bench: Bench) -> None:
    """Try mutants, given with their numbers in the sample, in several processes."""
    os.environ.update(ENVIRONMENT)
    for name in HEAVY:
        importlib.import_module(name)
    context = multiprocessing.get_context("fork")
    numbers = context.Value("i", 0)
    jobs = [(number, mutant, bench) for number, mutant in pending]
    with context.Pool(len(bench.copies), _take_copy, (numbers,)) as pool:
        for done, number in enumerate(pool.imap_unordered(_try_one, jobs), 1):
            outcome = read_outcome(bench.folder, number)
            assert outcome is not None
            print(
                f"{done}/{len(jobs)} {'noticed' if outcome.noticed else 'NOT NOTICED'}: {outcome.by}",
                flush=True,
            )


_mine = 0  # which of the copies this process spoils


def _take_copy(numbers: "multiprocessing.sharedctypes.Synchronized[int]") -> None:
    global _mine
    with numbers.get_lock():
        _mine, numbers.value = numbers.value, numbers.value + 1


def _try_one(job: tuple[int, Mutant, Bench]) -> int:
    """Spoil this process's copy by one mutant, run the tests, mend the copy, note the outcome."""
    number, mutant, bench = job
    tree = bench.copies[_mine]
    file = tree / mutant.file
    (bench.folder / f"{number:03d}.patch").write_text(mutant.patch)
    if not file.is_file():
        outcome = _unnoticed("its file is gone", bench)
    else:
        right = file.read_text()
        outcome = _tested(mutant, tree, number, bench)
        file.write_text(right)
    (bench.folder / f"{number:03d}.json").write_text(json.dumps(asdict(outcome)))
    return number


def _tested(mutant: Mutant, tree: Path, number: int, bench: Bench) -> Outcome:
    right = (tree / mutant.file).read_text().splitlines()
    patched = subprocess.run(
        ["git", "apply", "-C1", "-"], input=mutant.patch, text=True, cwd=tree, capture_output=True
    )
    if patched.returncode:
        return _unnoticed("its lines have changed", bench)
    wrong = (tree / mutant.file).read_text().splitlines()
    tests = bench.covering.of_lines(mutant.file, _changed(right, wrong))
    if not tests:
        return _unnoticed("no test runs the line", bench)
    kept = "" if mutant.file.startswith(MAKES_DATA) else str(bench.covering.data)
    os.environ["EPROPNP_TEST_DATA"] = kept
    log, passed = bench.folder / f"{number:03d}.log", 0
    for before in (True, False):
        chosen = _within([test for test in tests if (test in bench.old) == before], bench)
        try:
            failed = _failing(chosen, tree, log, bench.seconds) if chosen else None
        except TimeoutError:
            continue
        if failed:
            return Outcome(noticed=True, by=failed, before=before, tree=bench.tree)
        passed += len(chosen)
    return _unnoticed(f"{passed} of its {len(tests)} tests pass in time", bench)


def _unnoticed(reason: str, bench: Bench) -> Outcome:
    return Outcome(noticed=False, by=reason, before=False, tree=bench.tree)


def _changed(right: Sequence[str], wrong: Sequence[str]) -> range:
    """Lines of `right`, counted from 1, from the first that differs to the last."""
    same = next((i for i, (a, b) in enumerate(zip(right, wrong, strict=False)) if a != b), 0)
    ends = zip(reversed(right), reversed(wrong), strict=False)
    behind = next((i for i, (a, b) in enumerate(ends) if a != b), 0)
    return range(same + 1, max(same + 1, len(right) - behind) + 1)


def _within(tests: Sequence[str], bench: Bench) -> list[str]:
    """As many of the shortest tests as fit into the time."""
    chosen, total = [], 0.0
    for test in tests:
        total += bench.covering.seconds[test]
        if total <= bench.seconds:
            chosen.append(test)
    return chosen


def _failing(tests: Sequence[str], tree: Path, log: Path, seconds: float) -> str | None:
    """The first of the tests that fails, or None where all pass. TimeoutError where they do not end."""
    verdict = log.with_suffix(".failed")
    verdict.unlink(missing_ok=True)
    child = os.fork()
    if not child:
        _run_tests(tests, tree, log, verdict)
    deadline = time.monotonic() + seconds + START_S
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    if ended[0] == 0:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise TimeoutError
    if os.waitstatus_to_exitcode(ended[1]) == 0:
        return None
    return verdict.read_text() if verdict.is_file() else "an import or the collection"


class _Verdict:
    """A pytest plugin that notes the first failure."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def pytest_runtest_logreport(self, report: "object") -> None:
        if report.failed and not self.file.is_file():  # type: ignore[attr-defined]
            self.file.write_text(report.nodeid)  # type: ignore[attr-defined]


def _run_tests(tests: Sequence[str], tree: Path, log: Path, verdict: Path) -> None:
    """In a process of its own: pytest on a spoilt copy. Does not return."""
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(tree)
    sys.path[:] = [str(tree), *(place for place in sys.path if place and Path(place) != ROOT)]
    os.environ["PYTHONPATH"] = str(tree)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    code = 1
    try:
        import pytest

        options = ["-x", "-q", "-p", "no:cacheprovider", f"--basetemp={tree / '.pytest'}"]
        code = int(pytest.main([*options, *tests], plugins=[_Verdict(verdict)]))
    finally:
        os._exit(code)
