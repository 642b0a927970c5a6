"""Rows of a sweep's tables, from folders made by hand: which trials, in which order, with what."""

import dataclasses
from pathlib import Path

import pytest

from epropnp.training.recipes import Recipe
from epropnp.training.record import Record
from epropnp.training.result import TrialResult
from sweeps.folder import open_sweep
from sweeps.results.read import read_rows
from sweeps.search.search import Planned
from sweeps.space import CASE, Axis, Cell, Choice
from sweeps.trial import read
from tests.inference.measured import latency
from tests.sweeps.cells import cells_of

DATASET = "0123456789ab"
HISTORY = ({"val/add_0.10d": 1.0}, {"val/add_0.10d": 2.0})


@pytest.fixture
def trials(tiny: Recipe, tmp_path: Path) -> list[Planned]:
    """Six, of two cases."""
    cases = Axis(
        name=CASE,
        choices=(Choice(name="plain", settings=()), Choice(name="small", settings=("data.points=16",))),
    )
    cells = cells_of(tiny, cases, backbones=["test_resnet"], seeds=[0, 1, 2])
    return open_sweep(tmp_path / "mine").planned(cells, DATASET)


def begin(tmp_path: Path, trial: Planned) -> Path:
    return open_sweep(tmp_path / "mine").prepare(trial)


def test_what_is_finished_comes_first_then_what_was_stopped_then_the_others(
    trials: list[Planned], result: TrialResult, tmp_path: Path
) -> None:
    failed, waiting, first, stopped, second = (begin(tmp_path, trial) for trial in trials[:5])
    Record(status="failed", reason="diverged", history=HISTORY).write(failed)
    Record(status="running", history=HISTORY).write(waiting)  # its process was killed
    for number, folder in enumerate((first, second)):
        (folder / "result.json").write_text(dataclasses.replace(result, epochs=7 + number).to_json())
    for folder in (first, failed):  # of a failed one it says nothing
        latency(7.0).write(folder)
    Record(status="stopped", history=HISTORY).write(stopped)
    (stopped / "stop").write_text("too slow")
    rows = read_rows(open_sweep(tmp_path / "mine"), trials)
    assert [(row.name, row.status, row.reason) for row in rows] == [
        (trials[2].name, "finished", None),
        (trials[4].name, "finished", None),
        (trials[3].name, "stopped", "too slow"),
        (trials[0].name, "failed", "diverged"),
        (trials[1].name, "waiting", "interrupted after epoch 1"),
        (trials[5].name, "waiting", None),  # not begun
    ]
    assert [row.result.epochs if row.result else None for row in rows] == [7, 8, None, None, None, None]
    assert [row.history for row in rows] == [(), (), HISTORY, HISTORY, HISTORY, ()]
    assert [row.case for row in rows] == [trials[i].case for i in (2, 4, 3, 0, 1, 5)]
    assert {row.case for row in rows} == {"plain", "small"}
    assert [row.config for row in rows] == [trials[i].config for i in (2, 4, 3, 0, 1, 5)]
    assert {row.dataset_id for row in rows} == {DATASET}
    assert all(row.scores == {} for row in rows)
    assert [row.latency for row in rows] == [latency(7.0), None, None, None, None, None]


def test_trials_of_an_earlier_plan_come_after_those_of_this_one_that_fared_alike(
    trials: list[Planned], result: TrialResult, tmp_path: Path
) -> None:
    for trial in (trials[0], trials[5]):
        (begin(tmp_path, trial) / "result.json").write_text(result.to_json())
    begin(tmp_path, trials[1])
    rows = read_rows(open_sweep(tmp_path / "mine"), trials[3:])
    assert [row.name for row in rows] == [trials[i].name for i in (5, 0, 3, 4, 1)]
    assert [row.status for row in rows] == ["finished"] * 2 + ["waiting"] * 3
    assert [row.case for row in rows] == ["small", None, "small", "small", None]
    assert [row.config for row in rows] == [trials[i].config for i in (5, 0, 3, 4, 1)]


def test_a_trial_is_of_its_case_whatever_its_folder_says_of_what_no_number_depends_on(
    trials: list[Planned], tmp_path: Path
) -> None:
    begin(tmp_path, trials[4])
    data = dataclasses.replace(trials[4].config.data, workers=3)
    now = dataclasses.replace(trials[4], config=dataclasses.replace(trials[4].config, data=data))
    (row,) = read_rows(open_sweep(tmp_path / "mine"), [now])
    assert (row.name, row.case) == (trials[4].name, "small")


def test_rows_have_the_data_of_their_trials(trials: list[Planned], tmp_path: Path) -> None:
    """Of those that are planned as planned: folders of a time when nothing varied do not say it."""
    told = dataclasses.replace(trials[0], dataset_id="111111111111", build=("build.train=5",))
    silent, unknown, waiting = trials[1:4]
    for trial in (told, silent, unknown):
        begin(tmp_path, trial)
    planned = [dataclasses.replace(silent, build=("build.train=8",)), waiting]
    rows = read_rows(open_sweep(tmp_path / "mine"), planned)
    assert {row.name: (row.build, row.dataset_id) for row in rows} == {
        told.name: (("build.train=5",), "111111111111"),
        silent.name: (("build.train=8",), DATASET),
        unknown.name: ((), DATASET),
        waiting.name: ((), DATASET),
    }


def test_a_sweep_of_which_nothing_was_begun_has_a_row_for_each_trial(
    trials: list[Planned], tmp_path: Path
) -> None:
    rows = read_rows(open_sweep(tmp_path / "mine"), trials)
    assert [row.name for row in rows] == [trial.name for trial in trials]
    assert {(row.status, row.reason, row.result) for row in rows} == {("waiting", None, None)}


@pytest.mark.parametrize("name", ["status.json", "result.json"])
def test_a_damaged_folder_is_a_failed_row(trials: list[Planned], tmp_path: Path, name: str) -> None:
    (begin(tmp_path, trials[0]) / name).write_text("{")
    *_, row = read_rows(open_sweep(tmp_path / "mine"), trials[:1])
    assert (row.name, row.config, row.status) == (trials[0].name, trials[0].config, "failed")
    assert f"{trials[0].name}/{name}" in str(row.reason)


def test_a_folder_that_does_not_say_what_it_is_of_is_that_of_the_trial_of_its_name(
    trials: list[Planned], tmp_path: Path
) -> None:
    folder = begin(tmp_path, trials[0])
    (folder / "trial.json").write_text("{")
    sweep = open_sweep(tmp_path / "mine")
    again = sweep.planned([Cell(config=trials[0].config)], DATASET)
    assert [trial.name for trial in again] == [trials[0].name]
    (row,) = read_rows(sweep, again)
    assert (row.name, row.status) == (trials[0].name, "waiting")
    sweep.prepare(again[0])
    assert read(folder).config == trials[0].config
