"""Sweeps compared from their folders alone: every number from the trials' own files, by plain means."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from epropnp.training.record import note_failure
from epropnp.training.result import TrialResult
from sweeps.compare import main
from sweeps.results.tables import SCORES
from tests.sweeps import graded
from tests.sweeps.made_sweeps import begin, finish

pandas: Any = pytest.importorskip("pandas")  # MLflow brings it
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit code and what was said; files go to `compared`."""

    def call(*words: str, figures: str = "no") -> tuple[int, str, str]:
        code = main(
            [*words, "--figures", figures, "--out", str(tmp_path), "--output", str(tmp_path / "compared")]
        )
        return code, *capsys.readouterr()

    return call


def test_numbers_are_those_of_the_trials_files(tmp_path: Path, result: TrialResult, run: Run) -> None:
    for backbone in graded.SHIFT_M:
        for seed in (0, 1):
            finish(tmp_path / "one", result, backbone, seed)
    code, out, _ = run("one", figures="yes")
    assert code == 0
    assert (tmp_path / "compared" / "figures" / "accuracy.pdf").read_bytes().startswith(b"%PDF")
    page = (tmp_path / "compared" / "report.html").read_text()
    assert "data:image/png;base64," in page
    assert "Test images are not drawn: dataset" in page
    assert out.count("Test images are not drawn: dataset") == 1
    table = pandas.read_csv(tmp_path / "compared" / "accuracy.csv").set_index("backbone")
    for title, key in SCORES.items():
        assert table[title].dtype == float
        for backbone in graded.SHIFT_M:
            value = graded.percent(backbone, key)
            assert table.loc[backbone, title] == pytest.approx(value, abs=0.1)
            assert table.loc[backbone, f"{title} low"] <= value + 0.1
    assert next(iter(table.index)) == graded.BEST["ADD(-S) 0.10d"]
    assert table["seeds"].tolist() == [2, 2, 2]
    objects = pandas.read_csv(tmp_path / "compared" / "objects.csv").set_index("backbone")
    assert objects.loc["test_resnet"].tolist() == pytest.approx([100 * 5 / 6, 100 * 3 / 4])
    assert objects.loc["test_convnext"].tolist() == pytest.approx([50, 50])
    networks = pandas.read_csv(tmp_path / "compared" / "networks.csv")
    assert networks["hours"].tolist() == pytest.approx([result.seconds / 3600] * 3)
    assert networks["parameters"].dtype == int
    assert "test_resnet" in out
    assert "report.html" in out


def test_what_failed_was_stopped_or_lacks_seeds_is_shown_and_never_averaged(
    tmp_path: Path, result: TrialResult, run: Run
) -> None:
    for backbone, seed in (("test_resnet", 0), ("test_resnet", 1), ("test_convnext", 0)):
        finish(tmp_path / "one", result, backbone, seed)
    note_failure(begin(tmp_path / "one", "test_convnext", 1), "diverged <at> once")
    stopped = begin(tmp_path / "one", "test_vit")
    (stopped / "stop").write_text("the median rule")
    code, out, _ = run("one")
    assert code == 0
    table = pandas.read_csv(tmp_path / "compared" / "accuracy.csv").set_index("backbone")
    assert table["seeds"].to_dict() == {"test_resnet": 2, "test_convnext": 1}
    assert table.loc["test_convnext", "ADD(-S) 0.10d"] == pytest.approx(50, abs=0.1)
    page = (tmp_path / "compared" / "report.html").read_text()
    for told in ("diverged &lt;at&gt; once", "the median rule", "stopped", "failed"):
        assert told in page
    assert "the median rule" in out


def test_sweeps_of_one_test_are_compared_whatever_they_were_trained_on(
    tmp_path: Path, result: TrialResult, run: Run
) -> None:
    finish(tmp_path / "few", result, "test_resnet", data="000000000001")
    finish(tmp_path / "many", result, "test_vit", data="000000000002")
    code, _, _ = run("few", "many")
    assert code == 0
    table = pandas.read_csv(tmp_path / "compared" / "accuracy.csv").set_index("backbone")
    for backbone in ("test_resnet", "test_vit"):
        assert table.loc[backbone, "5deg5cm"] == pytest.approx(graded.percent(backbone, "5deg5cm"))


def test_sweeps_of_two_tests_are_refused_with_what_differs(
    tmp_path: Path, result: TrialResult, run: Run
) -> None:
    finish(tmp_path / "one", result, "test_resnet")
    finish(tmp_path / "two", result, "test_vit", data="000000000002", test_id="ffffffffffff")
    code, _, said = run("one", "two")
    assert code == 2
    assert said.startswith("error: these trials were not tested on the same images")
    assert said.count("\n") == 1
    for told in ("test ba9876543210 (10 images, dataset 0123456789ab)", "test ffffffffffff", "two/"):
        assert told in said
    assert not (tmp_path / "compared").exists()


def test_one_result_in_two_sweeps_counts_once(tmp_path: Path, result: TrialResult, run: Run) -> None:
    finish(tmp_path / "one", result, "test_resnet")
    finish(tmp_path / "two", result, "test_resnet")
    finish(tmp_path / "two", result, "test_vit")
    _, out, _ = run("one", "two")
    assert "1 results are in several of the sweeps, and count once" in out
    assert pandas.read_csv(tmp_path / "compared" / "accuracy.csv")["seeds"].tolist() == [1, 1]


def test_filters_keep_what_has_these_settings(tmp_path: Path, result: TrialResult, run: Run) -> None:
    for rate in (1e-3, 1e-2):
        finish(tmp_path / "one", result, "test_resnet", rate=rate)
    finish(tmp_path / "one", result, "test_vit", rate=1e-3)
    _, out, _ = run("one", "--where", "optim.lr=0.001", "backbone=test_vit")
    assert "2 trials do not have optim.lr=0.001 backbone=test_vit" in out
    assert pandas.read_csv(tmp_path / "compared" / "accuracy.csv")["backbone"].tolist() == ["test_vit"]
    assert "did you mean 'optim.lr'" in run("one", "--where", "optim.rl=1")[2]
    assert "nothing to compare" in run("one", "--where", "optim.lr=7")[2]


def test_of_settings_beyond_the_best_the_means_are_given_alone(
    tmp_path: Path, result: TrialResult, run: Run
) -> None:
    for backbone in graded.SHIFT_M:
        finish(tmp_path / "one", result, backbone)
    _, out, _ = run("one", "--best", "1")
    assert "The best 1 of 3 settings by ADD(-S) 0.10d are compared image by image" in out
    table = pandas.read_csv(tmp_path / "compared" / "accuracy.csv").set_index("backbone")
    assert table["verdict"].notna().tolist() == [True, False, False]
    assert table["5deg5cm low"].notna().tolist() == [True, False, False]
    for backbone in graded.SHIFT_M:
        assert table.loc[backbone, "5deg5cm"] == pytest.approx(graded.percent(backbone, "5deg5cm"))


def test_published_rows_are_marked_as_such(tmp_path: Path, result: TrialResult, run: Run) -> None:
    finish(tmp_path / "one", result, "test_resnet")
    run("one", "--published")
    table = pandas.read_csv(tmp_path / "compared" / "accuracy.csv").set_index("backbone")
    row = table.loc["published: report, HRNet-W32"]
    assert (row["ADD(-S) 0.02d"], row["ADD(-S) area"], row["2deg2cm"]) == (41.21, 66.63, 76.53)
    assert row["ADD(-S) mean of 3"] == pytest.approx((41.21 + 78.58 + 93.98) / 3)
    assert pandas.isna(row["ADD(-S) 0.02d low"])
    assert pandas.isna(row["verdict"])


@pytest.mark.slow
def test_the_tables_of_odd_names_compile(tmp_path: Path, result: TrialResult, run: Run) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    finish(tmp_path / "head_a&b 50%", result, "test_resnet")
    run("head_a&b 50%", "--published")
    names = ("accuracy", "networks", "objects")
    parts = "\n".join((tmp_path / "compared" / f"{name}.tex").read_text() for name in names)
    lines = (r"\documentclass[landscape,a0paper]{article}", r"\usepackage{booktabs}", r"\begin{document}")
    (tmp_path / "all.tex").write_text("\n".join((*lines, parts, r"\end{document}")))
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("oen",), "there is no sweep 'oen'"),
        (("one", "--best", "0"), "--best: at least one setting"),
        (("one", "--were", "a=1"), "did you mean '--where'"),
    ],
)
def test_mistakes_are_said_in_a_line(
    words: tuple[str, ...], told: str, tmp_path: Path, result: TrialResult, run: Run
) -> None:
    finish(tmp_path / "one", result, "test_resnet")
    code, _, said = run(*words)
    assert code == 2
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert told in said
