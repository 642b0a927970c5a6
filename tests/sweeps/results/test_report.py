"""What a sweep leaves behind, for trials that score differently: every number is that of its own trial."""

import csv
import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from epropnp.errors import UserError
from epropnp.evaluation.predictions import Predictions
from epropnp.visualization.comparison import Curves
from sweeps.folder import Sweep
from sweeps.results import report as module
from sweeps.results.columns import Row
from sweeps.results.report import Report, report, show
from sweeps.results.tables import SCORES
from tests.sweeps import graded

Make = Callable[..., Row]
Scene = SimpleNamespace  # sweep, rows, calls (of the tracker), drawn (what the pictures were made from)


class Recorder:
    """Stands for MLflow: what it was told, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.calls.append((name, *arguments))

    def of(self, name: str) -> dict[str, Any]:
        """The arguments of one kind of call, by trial; each is made once."""
        found = [call for call in self.calls if call[0] == name]
        assert len({call[1] for call in found}) == len(found)
        return {call[1]: call[2:] for call in found}


@pytest.fixture
def scene(tmp_path: Path, made_row: Make, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A sweep of four trials, the second one failed, whose pictures are only noted."""
    drawn: dict[str, Any] = {}

    def sheet(predictions: Predictions, dataset: Any) -> np.ndarray:
        return predictions.T_pred

    def comparison(settings: Any, score: str, path: Path) -> None:
        drawn[path.name] = (score, [(s.name, s.mean.value) for s in settings])
        path.touch()

    def curves(trials: dict[str, Curves], path: Path) -> None:
        drawn[path.name] = trials
        path.touch()

    monkeypatch.setattr(module, "prediction_sheet", sheet)
    monkeypatch.setattr(module, "save_png", lambda path, image: drawn.update({str(path): image}))
    monkeypatch.setattr(module, "save_calibration", lambda found, path: drawn.update({str(path): found}))
    monkeypatch.setattr(module, "save_comparison", comparison)
    monkeypatch.setattr(module, "save_curves", curves)
    sweep = Sweep(name="mine", sweep_id="a1", folder=tmp_path / "mine")
    rows = [dataclasses.replace(made_row(backbone=name), scores={}) for name in graded.SHIFT_M]
    for row in rows:
        graded.write(row.config.model.backbone, sweep.trial_folder(row.name))
    broken = dataclasses.replace(made_row(seed=5), result=None, failure="diverged", scores={})
    return Scene(sweep=sweep, rows=[rows[0], broken, *rows[1:]], recorder=Recorder(), drawn=drawn)


def _report(scene: Scene) -> Report:
    dataset: Any = SimpleNamespace(objects=graded.objects())
    return report(scene.sweep, scene.rows, dataset, scene.recorder)


def _finished(scene: Scene) -> dict[str, Row]:
    return {row.config.model.backbone: row for row in scene.rows if row.result is not None}


def test_every_score_of_the_table_is_worked_out_from_the_trials_own_file(scene: Scene) -> None:
    done = _report(scene)
    assert [row.name for row in done.rows] == [row.name for row in scene.rows]
    table = list(csv.DictReader((scene.sweep.folder / "table.csv").open()))
    assert [line["trial"] for line in table] == [row.name for row in scene.rows]
    for row, line in zip(done.rows, table, strict=True):
        if row.result is None:
            assert not row.scores
            assert {line[title] for title in SCORES} == {""}
            continue
        for title, key in SCORES.items():
            expected = graded.percent(row.config.model.backbone, key)
            assert float(line[title]) == row.scores[key].value == pytest.approx(expected, abs=0.1), title
            assert row.scores[key].low <= expected + 0.1
            assert expected - 0.1 <= row.scores[key].high


def test_each_score_has_its_own_best_setting_and_paired_differences(scene: Scene) -> None:
    summary = _report(scene).summary
    assert summary is not None
    read = list(csv.DictReader((scene.sweep.folder / "summary.csv").open()))
    for title, best in graded.BEST.items():
        key = SCORES[title]
        scores = {name: graded.percent(name, key) for name in graded.SHIFT_M}
        order = sorted(scores, key=lambda name: -scores[name])
        assert order[0] == best
        assert [row.name for row in summary.ranked[title]] == order
        lines = [line for line in read if line["score"] == title]
        assert [line["setting"] for line in lines] == [line["backbone"] for line in lines] == order
        for line, name in zip(lines, order, strict=True):
            assert float(line["mean"]) == pytest.approx(scores[name], abs=0.1)
            assert float(line["difference"]) == pytest.approx(scores[name] - scores[best], abs=0.1)
    markdown = (scene.sweep.folder / "summary.md").read_text()
    for title, best in graded.BEST.items():
        assert f"- {title}: best is {best} with " in markdown


def test_mlflow_is_told_each_trials_own_scores_files_and_end(scene: Scene) -> None:
    _report(scene)
    told, rows = scene.recorder, _finished(scene).values()
    assert set(told.of("log_scores")) == {row.name for row in rows}
    for row in rows:
        assert row.result is not None
        scores = {f"test/{key}": value for key, value in row.result.test.items()}
        assert told.of("log_scores")[row.name] == (row.result.epochs, scores)
        folder = scene.sweep.trial_folder(row.name)
        files = ("result.json", "predictions.parquet", "predictions.png", "calibration.png")
        assert told.of("log_files")[row.name] == ([folder / file for file in files],)
    endings = {row.name: ("FINISHED",) for row in rows}
    endings |= {scene.rows[1].name: ("FAILED", "diverged"), "": ("FAILED",)}
    assert told.of("finish") == endings


def test_the_sweep_is_finished_when_all_its_trials_are(scene: Scene) -> None:
    del scene.rows[1]
    done = _report(scene)
    assert scene.recorder.calls[-1] == ("finish", "", "FINISHED")
    (files,) = scene.recorder.of("log_files")[""]
    assert files == done.files
    names = ("table.md", "table.csv", "summary.md", "summary.csv", "summary.png", "curves.png")
    assert files == [scene.sweep.folder / name for name in names]


def test_pictures_are_drawn_from_their_own_trial(scene: Scene) -> None:
    _report(scene)
    for backbone, row in _finished(scene).items():
        folder = scene.sweep.trial_folder(row.name)
        own = graded.predictions(backbone).T_pred
        assert np.array_equal(scene.drawn[str(folder / "predictions.png")], own)
        errors = scene.drawn[str(folder / "calibration.png")].translation_error_m
        assert errors == pytest.approx(graded.SHIFT_M[backbone])
    score, settings = scene.drawn["summary.png"]
    by_score = {name: graded.percent(name, SCORES[score]) for name in graded.SHIFT_M}
    assert score == "ADD(-S) 0.10d"
    assert dict(settings) == pytest.approx(by_score)
    assert settings == sorted(settings, key=lambda pair: -pair[1])
    curves = {row.name: row.result for row in _finished(scene).values()}
    assert scene.drawn["curves.png"] == {
        name: Curves(loss=result.train_loss, accuracy=result.val_add)
        for name, result in curves.items()
        if result is not None
    }


def test_a_sweep_without_a_finished_trial_has_a_table_and_no_answer(scene: Scene) -> None:
    scene.rows = [scene.rows[1]]
    done = _report(scene)
    assert done.summary is None
    assert [file.name for file in done.files] == ["table.md", "table.csv"]
    assert "FAILED: " + scene.rows[0].name + ": diverged" in (scene.sweep.folder / "table.md").read_text()
    assert scene.recorder.calls[-1] == ("finish", "", "FAILED")


def test_a_missing_prediction_file_is_named_with_the_result_to_delete(scene: Scene) -> None:
    folder = scene.sweep.trial_folder(scene.rows[2].name)
    (folder / "predictions.parquet").unlink()
    with pytest.raises(UserError) as caught:
        _report(scene)
    assert str(folder / "predictions.parquet") in str(caught.value)
    assert f"delete {folder / 'result.json'} and --resume" in str(caught.value)


def test_the_terminal_shows_table_answer_and_places(scene: Scene) -> None:
    done = _report(scene)
    console = Console(record=True, width=100, file=io.StringIO())
    show(done, console)
    text = console.export_text()
    assert text.index("Sweep mine") < text.index("best is test_resnet") < text.index("table.md: ")
    assert all(f"{file.name}: {file}" in text.replace("\n", "") for file in done.files)
