"""`make gpu-check`: one line where there is no GPU; else a report whose verdict is that of its parts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.gpu_check import BENCHES, ROOT, Section, report, run_bench, run_tests

THREE_TESTS = """
import pytest
def test_right(): pass
def test_wrong(): assert False
@pytest.mark.skip
def test_left_out(): pass
"""


@pytest.mark.slow
def test_without_a_gpu_it_says_so_and_is_content(tmp_path: Path) -> None:
    command = [sys.executable, "tests/bench/gpu_check.py", "--out", str(tmp_path)]
    hidden = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    run = subprocess.run(command, cwd=ROOT, env=hidden, capture_output=True, text=True, check=True)
    (line,) = run.stdout.splitlines()
    assert line.startswith("gpu-check: no CUDA device here, nothing was run; on a machine with one,")
    assert list(tmp_path.iterdir()) == []


def test_make_passes_the_folder_on() -> None:
    command = ["make", "--dry-run", "gpu-check", "OUT=elsewhere"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "tests/bench/gpu_check.py --out elsewhere" in run.stdout


@pytest.mark.slow
def test_tests_are_counted_and_named(tmp_path: Path) -> None:
    file = tmp_path / "test_three.py"
    file.write_text(THREE_TESTS)
    section = run_tests([str(file), "-p", "no:cacheprovider"])
    assert not section.passed
    assert section.verdict == "1 passed, 1 failed, 1 skipped"
    assert [line.split()[0] for line in section.details.splitlines()] == ["passed", "failed", "skipped"]
    left_out = run_tests([str(file), "-k", "left_out", "-p", "no:cacheprovider"])
    assert not left_out.passed  # a check that ran nothing has shown nothing
    assert left_out.verdict == "0 passed, 0 failed, 1 skipped"


def test_the_report_begins_with_what_failed(tmp_path: Path) -> None:
    script = tmp_path / "some_bench.py"
    script.write_text("print('12 ms'); raise SystemExit(3)")
    failed, fine = run_bench(script), Section("Tests", True, "2 passed", "all")
    assert failed.title == "Some bench"
    assert failed.verdict.endswith("exit status 3")
    text = report("- Device: some", [fine, failed])
    assert text.splitlines()[2] == "FAILED: Some bench"
    assert "12 ms" in text
    assert report("", [fine]).splitlines()[2] == "Everything passed."


def test_every_benchmark_is_run() -> None:
    found = {file.name for file in (ROOT / "tests" / "bench").glob("*.py")}
    elsewhere = "sweep_overhead.py"  # a machine with a GPU may have no Ray
    assert found == {*BENCHES, elsewhere, "gpu_check.py"}
    makefile = (ROOT / "Makefile").read_text()
    assert all(f"tests/bench/{name}" in makefile for name in (*BENCHES, elsewhere))
