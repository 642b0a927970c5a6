"""Which tests run which lines, and how long each takes: one run of the whole suite under coverage.py."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from coverage import CoverageData

PACKAGES = ("epropnp", "pipelines", "sweeps")
TESTS_FAILED = 1  # pytest's exit code
# As `make test` has it.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}


def digest_of(tree: Path) -> str:
    """Of every Python file of a tree: results of one digest are never asked for twice."""
    digest = hashlib.sha256()
    for file in sorted(tree.rglob("*.py")):
        digest.update(f"{file.relative_to(tree)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


@dataclass(frozen=True)
class Covering:
    """The tests of a tree, as one run of them was recorded in a folder.

    Attributes:
        folder: holds `coverage.sqlite` and `tests.xml`.
        tree: whose tests they are.
    """

    folder: Path
    tree: Path

    @property
    def data(self) -> Path:
        """What the tests keep for their next run: see `tests/conftest.py`."""
        return self.folder / "data"

    @cached_property
    def seconds(self) -> dict[str, float]:
        """Duration of each test that passed, by its name as pytest takes it."""
        cases = ET.parse(self.folder / "tests.xml").iter("testcase")
        passed = [case for case in cases if not len(case)]
        return {f"{_file_of(case)}::{case.get('name')}": float(case.get("time", 0)) for case in passed}

    def of_lines(self, file: str, lines: Iterable[int]) -> list[str]:
        """The tests that run one of a file's lines, the shortest first.

        A line that runs while a fixture is made counts for every test of that fixture's module: the first of
        them makes it, all may look at it. One that runs while its module is imported counts for every test
        that runs anything else of the module.
        """
        contexts = self._data.contexts_by_lineno(str(self.tree / file))
        ran = {context for line in lines for context in contexts.get(line, [])}
        if "" in ran:
            ran = {context for every in contexts.values() for context in every}
        found = {context.rpartition("|")[::2] for context in ran if context}
        modules = {name.partition("::")[0] for name, phase in found if phase == "setup"}
        direct = {name for name, _ in found}
        wanted = [t for t in self.seconds if t in direct or t.partition("::")[0] in modules]
        return sorted(wanted, key=lambda test: self.seconds[test])

    @cached_property
    def _data(self) -> CoverageData:
        data = CoverageData(str(self.folder / "coverage.sqlite"))
        data.read()
        return data


def measure(tree: Path, folder: Path, jobs: int) -> Covering:
    """Run a tree's tests under coverage, or take up what an earlier run of the same tree left in `folder`.

    Raises:
        RuntimeError: the suite could not be run.
    """
    mark, digest = folder / "digest.json", digest_of(tree)
    if not mark.is_file() or json.loads(mark.read_text()) != {"tree": str(tree), "digest": digest}:
        folder.mkdir(parents=True, exist_ok=True)
        mark.unlink(missing_ok=True)
        shutil.rmtree(folder / "data", ignore_errors=True)
        (folder / "data").mkdir()
        print("running all tests once, to see which lines each of them runs", flush=True)
        _run_all(tree, folder, jobs)
        mark.write_text(json.dumps({"tree": str(tree), "digest": digest}))
    return Covering(folder, tree)


def _run_all(tree: Path, folder: Path, jobs: int) -> None:
    settings = folder / "coverage.ini"
    settings.write_text(f"[run]\ndata_file = {folder / 'coverage.sqlite'}\n")
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(jobs), "--dist", "worksteal"]
    command += [f"--cov={package}" for package in PACKAGES]
    command += ["--cov-context=test", f"--cov-config={settings}", "--cov-report="]
    command += [f"--junitxml={folder / 'tests.xml'}"]
    own = {"PYTHONPATH": str(tree), "EPROPNP_TEST_DATA": str(folder / "data")}
    environment = os.environ | ENVIRONMENT | own
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, TESTS_FAILED):
        raise RuntimeError(f"the tests did not run to their end:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    for line in done.stdout.splitlines():
        if line.startswith(("FAILED", "ERROR")):  # such as a test that looks into the repository
            print(f"left out, for it fails in a copy without any wrong change: {line}", flush=True)


def _file_of(case: ET.Element) -> str:
    return f"{case.get('classname', '').replace('.', '/')}.py"
