"""The command line: a table, the files, and one line for whatever is wrong."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from epropnp.evaluate import main
from epropnp.evaluation import scores
from epropnp.evaluation.predictions import Posterior, Predictions
from epropnp.evaluation.scores import Estimates, estimates
from epropnp.inference.temperature import Temperature, Temperatures
from epropnp.visualization import calibration as drawing
from tests.evaluation.known_errors import model, pose, predictions


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


@pytest.fixture
def unpainted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture takes longer than all the rest."""
    monkeypatch.setattr(drawing, "save_calibration", lambda calibration, path: None)


@pytest.fixture
def several(tmp_path: Path, unpainted: None) -> Path:
    """Two cats of which the second pose is right, 6 mm and 60 mm nearer than the first; one has no pose."""
    T_pred = np.concatenate([pose(t=(0.006, 0, 1)), pose(t=(0.06, 0, 1)), np.full((1, 4, 4), np.nan)])
    made = predictions(T_pred, np.concatenate([pose()] * 3))
    made = dataclasses.replace(
        made,
        T_hypotheses=np.stack((T_pred, made.T_true), 1),
        probability=np.array([[0.9, 0.1], [0.5, 0.5], [0.125, 0.875]]),
        valid=np.array([True, True, False]),
        temperatures=Temperatures(
            posterior=Temperature(scale=1.25, tail=0.1), covariance=Temperature(scale=0.75)
        ),
        objects={6: model()},
    )
    made.write(tmp_path / "several.parquet")
    return tmp_path / "several.parquet"


def test_what_a_reader_must_know_is_said(several: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(several)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "the predicted one has a probability of 0.700 on average" in printed  # of those that have a pose
    assert "posterior scale 1.250, tail 0.100" in printed
    assert "covariance scale 0.750, tail 0.000" in printed
    assert "1 of 3 images have no valid pose" in printed
    assert "several.parquet (3 images)" in printed
    found = cells(several.parent)
    assert found["cat (6)", "best_of_2_add_0.05d"][0] == pytest.approx(100)
    assert found["cat (6)", "add_0.10d"][0] == pytest.approx(100 / 3)
    markdown = (several.parent / "scores.md").read_text()
    assert "probability of 0.700" in markdown
    assert "Corrected on the validation split: posterior" in markdown


@pytest.mark.usefixtures("unpainted")
def test_a_file_without_temperatures_mentions_none(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(file)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "Corrected" not in printed
    assert "best_of" not in printed
    assert "was not sampled" not in printed


@pytest.mark.usefixtures("unpainted")
def test_the_number_of_resamples_reaches_all_scores(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def spy(values: object, object_id: np.ndarray, *, resamples: int) -> Estimates:
        seen.append(resamples)
        return estimates(values, object_id, resamples=resamples)  # type: ignore[arg-type]

    monkeypatch.setattr(scores, "estimates", spy)
    assert main([str(file), "--resamples", "17"]) == 0
    assert seen == [17, 17]  # accuracies and calibration


@pytest.mark.usefixtures("unpainted")
def test_models_of_a_dataset_take_the_place_of_those_in_the_file(file: Path, tiny_dataset: Path) -> None:
    """The cat of the file has 0.1 m, that of the dataset another size: 3 mm are another share of it."""
    alone = dataclasses.replace(
        predictions(pose(t=(0.003, 0, 1)), pose()), objects={6: dataclasses.replace(model(), diameter_m=0.01)}
    )
    alone.write(file)
    assert main([str(file)]) == 0
    assert cells(file.parent)["cat (6)", "add_0.10d"][0] == 0
    assert main([str(file), "--data", str(tiny_dataset)]) == 0
    assert cells(file.parent)["cat (6)", "add_0.10d"][0] == 100


def test_thresholds_of_degrees_and_hypotheses_follow_the_command_line(several: Path) -> None:
    words = ["--thresholds.degcm", "0.5", "7", "--thresholds.add", "0.07"]
    assert main([str(several), *words]) == 0
    found = cells(several.parent)
    assert found["cat (6)", "0.5deg0.5cm"][0] == 0  # 6 mm
    assert found["cat (6)", "7deg7cm"][0] == pytest.approx(200 / 3)
    assert found["cat (6)", "add_0.07d"][0] == pytest.approx(100 / 3)
    assert found["cat (6)", "best_of_2_add_0.07d"][0] == 100


@pytest.mark.usefixtures("unpainted")
def test_calibration_stands_in_the_columns_of_its_objects(file: Path) -> None:
    """Two images of three have a pose: the cat's truth is far out, the cup's in the middle."""
    assert main([str(file)]) == 0
    found = cells(file.parent)
    assert [found[name, "nll"][0] for name in ("cat (6)", "cup (7)")] == [-19, -20]
    assert [found[name, "coverage_80"][0] for name in ("cat (6)", "cup (7)", "average")] == [0, 100, 50]
    assert found["cup (7)", "coverage_cov_50"][0] == 100
