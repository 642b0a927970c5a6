"""What a sweep leaves behind, for trials that score differently: every number is that of its own trial."""

import csv
import dataclasses
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from epropnp.evaluation.predictions import Predictions
from epropnp.training.record import note_failure
from sweeps.folder import open_sweep
from sweeps.results import report as module
from sweeps.results.columns import Row
from sweeps.results.report import Report, Reporter, show
from sweeps.results.tables import SCORES
from sweeps.search.search import Planned
from sweeps.trial import read
from tests.sweeps import graded

Make = Callable[..., Row]
Scene = SimpleNamespace  # sweep, rows, planned (the same as trials), drawn (what pictures were made from)


@pytest.fixture
def scene(tmp_path: Path, made_row: Make, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A sweep of four trials, the second one failed, whose curves and bars are only noted."""
    drawn: dict[str, Any] = {}

    def figures(summary: Any, images: Any, stopped: Any, visible: Any) -> dict[str, str]:
        drawn.update(stopped=stopped, summary=summary, images=images, visible=visible)
        return {"differences": "d", "curves": "c"}

    def save(draw: str, file: Path) -> None:
        file.parent.mkdir(exist_ok=True)
        file.write_text(draw)

    monkeypatch.setattr(module, "figures", figures)
    monkeypatch.setattr(module, "save", save)
    monkeypatch.setattr(module, "save_examples", lambda *args: drawn.update({args[-1].name: args}))
    sweep = open_sweep(tmp_path / "mine")
    rows = [made_row(backbone=name) for name in graded.SHIFT_M]
    rows.insert(
        1,
        dataclasses.replace(
            made_row(backbone="test_byobnet"), result=None, status="failed", reason="diverged"
        ),
    )
    planned = []
    for row in rows:
        planned.append(Planned(name=row.name, config=row.config, dataset_id=row.dataset_id))
        folder = sweep.prepare(planned[-1])
        if row.result is None:
            note_failure(folder, "diverged")
        else:
            (folder / "result.json").write_text(row.result.to_json())
            graded.write(row.config.model.backbone, folder)
    return Scene(sweep=sweep, rows=rows, planned=planned, drawn=drawn)


def _report(scene: Scene, draw: bool = True) -> Report:
    dataset: Any = SimpleNamespace(
        objects=graded.objects(), split=lambda _: [], dataset_id=scene.rows[0].dataset_id
    )
    return Reporter(scene.sweep, scene.planned, {dataset.dataset_id: dataset}).report(draw=draw)


def _finished(scene: Scene) -> dict[str, Row]:
    return {row.config.model.backbone: row for row in scene.rows if row.result is not None}


def test_every_score_of_the_table_is_worked_out_from_the_trials_own_file(scene: Scene) -> None:
    done = _report(scene)
    first, broken, *others = scene.rows  # what failed stands below what finished
    assert [row.name for row in done.rows] == [row.name for row in (first, *others, broken)]
    assert [row.config for row in done.rows] == [row.config for row in (first, *others, broken)]
    table = list(csv.DictReader((scene.sweep.folder / "table.csv").open()))
    assert [line["trial"] for line in table] == [row.name for row in done.rows]
    assert [line["status"] for line in table] == ["finished"] * 3 + ["failed: diverged"]
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
        assert [row.name for row in summary.ranked[title].settings] == order
        lines = [line for line in read if line["score"] == title]
        assert [line["setting"] for line in lines] == [line["backbone"] for line in lines] == order
        for line, name in zip(lines, order, strict=True):
            assert float(line["mean"]) == pytest.approx(scores[name], abs=0.1)
            assert float(line["difference"]) == pytest.approx(scores[name] - scores[best], abs=0.1)
    markdown = (scene.sweep.folder / "summary.md").read_text()
    for title, best in graded.BEST.items():
        assert f"- {title}: best is {best} with " in markdown


def test_every_trial_is_scored_with_the_objects_of_its_own_dataset(scene: Scene) -> None:
    """One of them says that its objects are twice as large, so that errors count half."""
    larger = {
        i: dataclasses.replace(each, diameter_m=2 * each.diameter_m) for i, each in graded.objects().items()
    }
    last = scene.planned[-1]
    shutil.rmtree(scene.sweep.trial_folder(last.name))
    own = dataclasses.replace(last, dataset_id="other", build=("build.train=5",))
    folder = scene.sweep.prepare(own)
    (folder / "result.json").write_text(scene.rows[-1].result.to_json())
    graded.write("test_vit", folder)
    datasets: Any = {
        scene.rows[0].dataset_id: SimpleNamespace(objects=graded.objects(), split=lambda _: []),
        "other": SimpleNamespace(objects=larger),
    }
    done = Reporter(scene.sweep, [*scene.planned[:-1], own], datasets).report()
    scores = {row.config.model.backbone: row.scores["add_0.10d"].value for row in done.rows if row.scores}
    usual = graded.percent("test_resnet", "add_0.10d")
    counted = [
        shift < 0.2 * graded.DIAMETER_M[i]
        for shift, i in zip(graded.SHIFT_M["test_vit"], graded.OBJECT_ID.tolist(), strict=True)
    ]
    means = [
        sum(c for c, i in zip(counted, graded.OBJECT_ID.tolist(), strict=True) if i == object_id)
        / graded.OBJECT_ID.tolist().count(object_id)
        for object_id in graded.DIAMETER_M
    ]
    assert scores["test_resnet"] == pytest.approx(usual)
    assert scores["test_vit"] == pytest.approx(100 * sum(means) / 2)
    assert scores["test_vit"] != pytest.approx(graded.percent("test_vit", "add_0.10d"))


def test_the_margin_is_that_of_all_scores(scene: Scene) -> None:
    datasets: Any = {scene.rows[0].dataset_id: SimpleNamespace(objects=graded.objects())}
    summary = Reporter(scene.sweep, scene.planned, datasets, margin=2.5).report().summary
    assert summary is not None
    assert {found.margin for found in summary.ranked.values()} == {2.5}


def test_the_files_of_a_sweep_are_named(scene: Scene) -> None:
    drawn = ("figures/differences.png", "figures/curves.png", "examples", "summary.png", "report.html")
    names = ("table.md", "table.csv", "summary.md", "summary.csv", *drawn)
    assert _report(scene).files == [scene.sweep.folder / name for name in names]


def test_pictures_are_drawn_from_their_own_trials(scene: Scene) -> None:
    done = _report(scene)
    assert scene.drawn["stopped"] == []  # the one without a result has failed
    assert scene.drawn["summary"] is done.summary
    for name, row in _finished(scene).items():
        hits = scene.drawn["images"][row.name].average["add_0.10d"].value
        assert hits == pytest.approx(graded.percent(name, "add_0.10d"))
    assert (scene.sweep.folder / "summary.png").read_text() == "d"


def test_a_figure_that_has_nothing_to_show_any_more_is_removed(scene: Scene) -> None:
    old = [scene.sweep.folder / "figures" / f"interaction.{kind}" for kind in ("png", "pdf")]
    for file in old:
        file.parent.mkdir(exist_ok=True)
        file.touch()
    _report(scene)
    assert not any(file.exists() for file in old)


def test_without_figures_there_are_the_same_tables_and_no_pictures_of_an_earlier_answer(scene: Scene) -> None:
    _report(scene)
    folder, names = scene.sweep.folder, ("table.csv", "summary.csv", "summary.md")
    (folder / "examples").mkdir()
    (folder / "examples/right-here.png").touch()
    drawn, tables = {*folder.rglob("*.*")}, [(folder / n).read_text() for n in names]
    done = _report(scene, draw=False)
    assert [(folder / name).read_text() for name in names] == tables
    gone = {file.name for file in drawn if not file.exists()}
    assert gone >= {"summary.png", "report.html", "differences.png", "right-here.png"}
    assert {file.name for file in done.files} == {*names, "table.md"}


def test_examples_are_drawn_from_the_sweeps_own_trials(scene: Scene) -> None:
    _report(scene)
    folder_of, summary, images, datasets, folder = scene.drawn["examples"]
    assert folder == scene.sweep.folder / "examples"
    assert folder_of("x") == scene.sweep.trial_folder("x")
    assert [*datasets] == [scene.rows[0].dataset_id]
    for row in (row for group in summary.settings.values() for row in group):
        shifts = graded.SHIFT_M[row.config.model.backbone]
        assert images(row).errors.shift_m.tolist() == pytest.approx(shifts)


def test_a_sweep_without_a_finished_trial_has_a_table_and_no_answer(scene: Scene) -> None:
    for row in _finished(scene).values():
        shutil.rmtree(scene.sweep.trial_folder(row.name))
    scene.planned = [scene.planned[1]]
    done = _report(scene)
    assert done.summary is None
    assert [file.name for file in done.files] == ["table.md", "table.csv"]
    assert "FAILED: " + scene.rows[1].name + ": diverged" in (scene.sweep.folder / "table.md").read_text()


@pytest.mark.parametrize("how", ["missing", "damaged", "half"])
def test_a_trial_whose_predictions_cannot_be_read_is_a_failed_row_and_the_others_are_compared(
    scene: Scene, how: str
) -> None:
    whole = {row.name: row.scores for row in _report(scene).rows}
    lost = scene.rows[2].name
    folder = scene.sweep.trial_folder(lost)
    file, text = folder / "predictions.parquet", (folder / "predictions.parquet").read_bytes()
    file.unlink()
    if how != "missing":
        file.write_bytes(b"no table" if how == "damaged" else text[: len(text) // 2])
    done = _report(scene)
    assert [row.status for row in done.rows] == ["finished", "finished", "failed", "failed"]
    row = next(row for row in done.rows if row.name == lost)
    assert str(file) in str(row.reason)
    assert f"remove {folder / 'result.json'} to have its test repeated" in str(row.reason)
    assert f"--resume --name {scene.sweep.name} --out {scene.sweep.folder.parent}" in str(row.reason)
    assert {row.name: row.scores for row in done.rows if row.scores} == {
        name: scores for name, scores in whole.items() if scores and name != lost
    }
    assert done.summary is not None
    assert all(len(found.settings) == 2 for found in done.summary.ranked.values())
    assert f"FAILED: {lost}" in (scene.sweep.folder / "table.md").read_text()


def test_damaged_predictions_of_validation_withhold_nothing(scene: Scene) -> None:
    whole = {row.name: row.scores for row in _report(scene).rows}
    for row in _finished(scene).values():
        (scene.sweep.trial_folder(row.name) / "validation.parquet").write_bytes(b"no table")
    done = _report(scene)
    assert ({row.name: row.scores for row in done.rows}, done.problems) == (whole, [])


def test_trials_that_cannot_be_compared_have_their_table_all_the_same(scene: Scene) -> None:
    folder = scene.sweep.trial_folder(scene.rows[2].name)
    given = Predictions.read(folder / "predictions.parquet")
    other = dataclasses.replace(given, sample_id=[f"another {name}" for name in given.sample_id])
    other.write(folder / "predictions.parquet")
    done = _report(scene)
    assert done.summary is None
    (problem,) = done.problems
    assert "were not tested on the same images" in problem
    assert [file.name for file in done.files] == ["table.md", "table.csv"]
    assert [bool(row.scores) for row in done.rows] == [True, True, True, False]


def test_what_cannot_be_written_or_drawn_is_said_and_the_old_file_stays(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scene.sweep.folder / "table.csv").write_text("of before")

    def full(text: str) -> str:
        raise OSError(28, "No space left on device")

    save = module.save

    def fail(draw: Any, file: Path) -> None:
        if file.stem == "curves":
            raise RuntimeError("no such font\nanywhere")
        save(draw, file)

    monkeypatch.setattr(module, "to_csv", full)
    monkeypatch.setattr(module, "save", fail)
    done = _report(scene)
    assert [file.name for file in done.files] == [
        *("table.md", "summary.md", "differences.png", "examples", "summary.png", "report.html")
    ]
    assert (scene.sweep.folder / "table.csv").read_text() == "of before"
    assert [problem.partition(" is not made: ")[0] for problem in done.problems] == [
        "table.csv",
        "summary.csv",
        "curves.png",
    ]
    assert "No space left on device" in done.problems[0]
    assert done.problems[2].endswith("no such font")
    console = Console(record=True, width=100, file=io.StringIO())
    show(done, console)
    assert done.problems[2] in console.export_text()


def test_while_a_sweep_runs_each_trial_that_finishes_is_in_the_table_at_once_or_soon(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table takes a second here, and is not written more often than every 20 s then."""
    now = [100.0]

    def clock() -> float:
        now[0] += 0.5
        return now[0]

    results = {}
    for row in _finished(scene).values():
        file = scene.sweep.trial_folder(row.name) / "result.json"
        results[row.name] = file.read_text()
        file.unlink()
    monkeypatch.setattr(module.time, "monotonic", clock)
    dataset: Any = SimpleNamespace(objects=graded.objects())
    reporter = Reporter(scene.sweep, scene.planned, {scene.rows[0].dataset_id: dataset})

    def finished() -> list[str]:
        lines = csv.DictReader((scene.sweep.folder / "table.csv").open())
        return [line["trial"] for line in lines if line["status"] == "finished"]

    def finish(name: str) -> None:
        (scene.sweep.trial_folder(name) / "result.json").write_text(results[name])
        reporter.ended(read(scene.sweep.trial_folder(name)))
        reporter.settle()

    one, two, three = results
    finish(one)
    assert finished() == [one]
    finish(two)
    assert finished() == [one]
    reporter.reported(three, {})
    assert finished() == [one]
    now[0] += 20
    reporter.reported(three, {})
    reporter.settle()
    assert finished() == [one, two]
    assert not scene.drawn  # pictures only at the end
    finish(three)
    reporter.report()
    assert finished() == [one, two, three]


def test_the_terminal_shows_table_answer_and_places(scene: Scene) -> None:
    done = _report(scene)
    console = Console(record=True, width=100, file=io.StringIO())
    show(done, console)
    text = console.export_text()
    assert text.index("Sweep mine") < text.index("best is test_resnet") < text.index("table.md: ")
    files = [file for file in done.files if file.parent == scene.sweep.folder]
    assert all(f"{file.name}: {file}" in text.replace("\n", "") for file in files)
    assert f"2 figures, as PNG and PDF: {scene.sweep.folder / 'figures'}" in text.replace("\n", "")


def test_what_looks_like_markup_is_shown_as_it_is(made_row: Make) -> None:
    row = dataclasses.replace(made_row(), result=None, status="failed", reason="no [/x] in [bold]a")
    file = Path("/runs/[bold]night[/x]/table.md")
    console = Console(record=True, width=300, file=io.StringIO())
    rows = [made_row(seed=1), row]
    show(Report(title="Sweep [bold]night[/x]", rows=rows, summary=None, files=[file]), console)
    text = console.export_text()
    for told in ("Sweep [bold]night[/x]", "no [/x] in [bold]a", f"table.md: {file}"):
        assert told in text
