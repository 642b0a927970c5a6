"""The command line: a table, the files, and one line for whatever is wrong."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from epropnp.evaluate import main
from epropnp.evaluation.predictions import Posterior, Predictions
from tests.evaluation.made import model, pose, predictions


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two cats: one 3 mm off, of 100 mm; one without a pose. One cup, right."""
    T_true = np.concatenate([pose()] * 3)
    T_pred = np.concatenate([pose(t=(0.003, 0, 1)), np.full((1, 4, 4), np.nan), pose()])
    cup = dataclasses.replace(model("cup"), object_id=7)
    made = dataclasses.replace(
        predictions(T_pred, T_true),
        object_id=np.array([6, 6, 7], np.int16),
        valid=np.array([True, False, True]),
        posterior=Posterior(
            log_evidence=np.array([-20.0, 0, -22]),
            effective_samples=np.full(3, 100.0),
            cost_true=np.array([1.0, 0, 2]),
            credible_level=np.array([0.9, 0, 0.2]),
        ),
        objects={6: model(), 7: cup},
    )
    made.write(tmp_path / "predictions.parquet")
    return tmp_path / "predictions.parquet"


def cells(folder: Path) -> dict[tuple[str, str], tuple[float, float, float]]:
    table = csv.DictReader((folder / "scores.csv").read_text().splitlines())
    return {
        (row["object"], row["score"]): (float(row["value"]), float(row["low"]), float(row["high"]))
        for row in table
    }


def test_files_and_table(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(file), "--bop-csv", str(tmp_path / "bop.csv")]) == 0
    printed = capsys.readouterr().out
    found = cells(tmp_path)
    assert found["average", "add_0.05d"] == (75, 50, 100)  # a cat in two, and the cup
    assert found["cat (6)", "add_0.05d"] == (50, 0, 100)
    assert found["cup (7)", "add_0.02d"] == (100, 100, 100)
    assert found["average", "coverage_50"][0] == 50  # the cup's region, and not the cat's
    assert found["average", "nll"][0] == -19.5
    assert "75.0 [50.0, 100.0]" in printed
    assert "cat (6)" not in printed  # 80 characters are too few for three columns
    assert "1 of 3 images have no valid pose" in " ".join(printed.split())
    markdown = (tmp_path / "scores.md").read_text()
    assert "| add_0.05d | 75.0 [50.0, 100.0] | 50.0 [0.0, 100.0] | 100.0 [100.0, 100.0] |" in markdown
    assert (tmp_path / "calibration.png").stat().st_size > 10_000
    assert len((tmp_path / "bop.csv").read_text().splitlines()) == 3


def test_other_thresholds_and_another_folder(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "new"
    words = ["--thresholds.add", "0.025", "0.035", "--thresholds.px", "1", "--output", str(out)]
    assert main([str(file), *words]) == 0
    found = cells(out)
    assert [found["cat (6)", name][0] for name in ("add_0.025d", "add_0.035d", "proj_1px")] == [0, 50, 0]
    assert not (tmp_path / "scores.csv").exists()


def test_without_samples_it_says_so(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataclasses.replace(Predictions.read(file), posterior=None).write(file)
    assert main([str(file), "--resamples", "10"]) == 0
    assert "The posterior was not sampled" in capsys.readouterr().out
    assert ("average", "nll") not in cells(file.parent)


def test_models_of_a_dataset(file: Path, tiny_dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those of cat and eggbox, so that the cup has none."""
    assert main([str(file), "--data", str(tiny_dataset)]) == 2
    assert "no model of object 7 (known: 6, 10)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.parquet"], "there is no prediction file nowhere.parquet"),
        (["{file}", "--data", "no/dataset"], "no/dataset"),
        (["{file}", "--thresholds.px", "-1"], "thresholds.px: give positive numbers"),
        (["{file}", "--resamples", "0"], "--resamples is 0"),
        (["{file}", "--bop-csv", "no/where.csv"], "cannot write no/where.csv"),
        (["{file}", "--output", "{file}"], "cannot write"),
    ],
)
def test_errors_are_one_line(
    words: list[str], said: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word.format(file=file) for word in words]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert said in message
    assert message.count("\n") == 1


def test_no_predictions_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = np.zeros((0, 4, 4))
    predictions(empty, empty).write(tmp_path / "p.parquet")
    assert main([str(tmp_path / "p.parquet")]) == 2
    assert "holds no predictions" in capsys.readouterr().err
