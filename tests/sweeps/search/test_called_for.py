"""From command lines to a search, or to a grid of what it could choose."""

import dataclasses
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from epropnp.errors import UserError
from epropnp.training.recipes import RECIPES, Recipe
from pipelines.building.config import BuildConfig
from sweeps import backbones, sweep
from sweeps.axes import merged, space_of
from sweeps.search.called_for import (
    check_grid,
    raced,
    raced_by,
    ranges_of,
    searching_of,
    with_searched,
)
from sweeps.search.ranges import NumberRange
from sweeps.search.searching import Searching
from sweeps.space import plan
from tests.sweeps.test_axes import flags


@pytest.fixture(autouse=True)
def _small(tiny: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "quick", dataclasses.replace(tiny, backbones=("test_resnet",)))


def searching(*lines: str) -> Searching:
    first, *later = lines
    commands = [flags(f"--recipe quick {first}"), *map(flags, later)]
    space = space_of(commands, RECIPES)
    return searching_of(merged(commands), space, ranges_of(commands), BuildConfig(objects=("ape",), train=8))


def test_axes_and_lists_are_choices_and_seeds_repeat_them() -> None:
    found = searching(
        "--search optim.lr=1e-4:1e-2:log model.head=deconv,direct --vary data.points 16 32 --seeds 3 1"
    )
    assert found.domain.texts == {"data.points": ("16", "32"), "model.head": ("deconv", "direct")}
    assert found.domain.ranges == {"optim.lr": NumberRange(key="optim.lr", low=1e-4, high=1e-2, log=True)}
    assert found.domain.seeds == (3, 1)
    assert found.told == "search (tpe): 20 cells x 2 seeds by val/add_area"
    assert (found.cells, found.sampler, found.wanted) == (20, "tpe", "val/add_area")


def test_how_is_said_by_flags() -> None:
    line = "--sampler nsga --trials 7 --objectives val/add_area,-gflops --heads deconv direct fpn"
    found = searching(line)
    assert (found.cells, found.sampler, found.wanted) == (7, "nsga", "val/add_area,-gflops")
    assert found.domain.texts == {"model.head": ("deconv", "direct", "fpn")}
    assert found.told == "search (nsga): 3 of 3 cells x 1 seeds by val/add_area,-gflops"


def test_a_later_command_line_changes_what_is_searched_and_how_often() -> None:
    first = "--search optim.lr=1e-4:1e-2:log model.head=deconv,direct"
    found = searching(first, "--search optim.lr=1e-5:1 --trials 30")
    assert found.domain.ranges["optim.lr"] == NumberRange(key="optim.lr", low=1e-5, high=1.0)
    assert found.domain.texts == {"model.head": ("deconv", "direct")}
    assert found.cells == 30
    assert searching(first, "--search model.head=deconv,fpn").domain.texts == {
        "model.head": ("deconv", "fpn")
    }


def test_each_list_of_the_data_is_a_dataset_of_its_own() -> None:
    found = searching("--search build.train=8,16 optim.lr=1e-4:1e-2")
    assert {cell.build for cell in found.domain.cells} == {("build.train=8",), ("build.train=16",)}


def test_a_grid_lists_what_would_be_searched() -> None:
    command = flags(
        "--recipe quick --sampler grid --search data.points=16:48:step16 model.head=deconv,direct --seeds 0 1"
    )
    assert not command.draws
    check_grid(command)
    cells = plan(with_searched(space_of([command], RECIPES), ranges_of([command]))).cells
    found = {(cell.config.data.points, cell.config.model.head, cell.config.seed) for cell in cells}
    assert found == {(p, h, s) for p in (16, 32, 48) for h in ("deconv", "direct") for s in (0, 1)}


@pytest.mark.parametrize(
    ("line", "draws"),
    [
        ("", False),
        ("--seeds 0 1", False),
        ("--search optim.lr=1:2", True),
        ("--sampler random", True),
        ("--search data.points=8:16 --sampler grid", False),
    ],
)
def test_cells_are_drawn_where_something_is_searched_or_a_sampler_is_named(line: str, draws: bool) -> None:
    assert flags(line).draws == draws


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--search optim.lr=1:2 optim.lr=2:3", "--search: optim.lr is given twice"),
        ("--search model.head=deconv,fpn --heads direct", "model.head is an axis already"),
        ("--search optim.lr=1:2 --vary optim.lr 3 4", "optim.lr is searched, and has values of an axis"),
        ("--search optim.lr=1:2 --set optim.lr=3", "optim.lr is searched, and set to 3 for all trials"),
        ("--search optim.lr=1:2 --objectives test/add_area", "neither val/SCORE"),
    ],
)
def test_what_contradicts_itself_is_said(line: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        searching(line)


def test_the_loss_weight_can_be_a_range() -> None:
    domain = searching("--search loss.mc=0.01:1:log").domain
    assert [cell.config.loss.mc for cell in domain.cells] == [0.01]
    assert domain.cell({"loss.mc": 0.25}, 0).config.loss.mc == 0.25


def test_a_range_whose_lowest_number_is_refused_is_searched_all_the_same() -> None:
    domain = searching("--set optim.accumulate=4 --search optim.batch_size=10:64").domain
    assert [cell.config.optim.batch_size for cell in domain.cells] == [64]


def test_seeds_can_be_added_to_those_of_the_recipe() -> None:
    assert searching("--search optim.lr=1e-4:1e-2:log", "--seeds 1 2").domain.seeds == (0, 1, 2)


@pytest.mark.parametrize(
    ("lines", "seeds"),
    [
        (("--race",), [0, 1, 2, 3, 4]),
        (("--race", "--seeds 5 6"), [0, 1, 2, 3, 4, 5, 6]),
        (("--race --max-seeds 3", "--seeds 5"), [0, 1, 2, 5]),
        (("--race --seeds 1 2", "--seeds 3"), [1, 2, 3]),
    ],
)
def test_a_race_keeps_its_seeds_when_there_are_more(lines: tuple[str, ...], seeds: list[int]) -> None:
    commands = [flags(f"--recipe quick {lines[0]}"), *map(flags, lines[1:])]
    (axis,) = (
        each for each in raced(space_of(commands, RECIPES), merged(commands)).axes if each.name == "seed"
    )
    assert [int(choice.name) for choice in axis.choices] == seeds


@pytest.mark.parametrize("objectives", ["-val/add_area", "-gflops", "val/add_area,-gflops"])
def test_a_race_is_for_more_of_one_score(objectives: str) -> None:
    with pytest.raises(UserError, match="a race is decided by one score"):
        raced_by(flags(f"--race --objectives={objectives}"))


PER = "--search optim.lr=1e-4:1e-2:log --heads deconv direct --per model.head"


def test_each_value_of_an_axis_gets_a_search_of_its_own() -> None:
    found = searching(f"{PER} --trials 6 --confirm 2", "--confirm 1")
    assert (found.per, found.confirm, list(found.parts)) == ("model.head", 1, ["deconv", "direct"])
    told = "2 searches (tpe) of 6 cells x 1 seeds, then 1 fresh seed of the best of each by val/add_area"
    assert found.told == told
    counted = searching("--sampler random --heads deconv direct --vary data.points 16 32 --per model.head")
    assert counted.told.startswith("2 searches (random) of 2 of 2 cells x 1 seeds, then 3 fresh seeds of the")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"{PER} --race", "--per: a race gives each setting seeds of its own choice: leave out --race, or"),
        (
            "--search optim.lr=1:2 --confirm 2",
            "--confirm: best cells are trained anew with --per only, such as",
        ),
        (
            f"{PER} --objectives val/add_area,-gflops",
            "--per: the best cell of each model.head is that by one",
        ),
        (
            "--search optim.lr=1:2 --per model.heat",
            "--per: no axis 'model.heat'; axes: none: give one several",
        ),
        (
            f"{PER} --per model.heads",
            "--per: no axis 'model.heads'; did you mean 'model.head'?; axes: model.head",
        ),
    ],
)
def test_what_is_no_fair_search_is_said(line: str, said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        searching(line)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--heads deconv direct --per model.head", "--per: all cells are tried, none is drawn: add --search"),
        ("--per model.head --race", "--per: a race gives each setting seeds of its own choice"),
        ("--confirm 2", "--confirm: best cells are trained anew with --per only"),
    ],
)
def test_fair_searches_need_a_search(line: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        check_grid(flags(line))


@pytest.mark.parametrize("line", ["--trials 3", "--objectives val/add_area", "--sampler grid --trials 3"])
def test_flags_of_a_search_are_refused_without_one(line: str) -> None:
    with pytest.raises(UserError, match="all cells are tried, none is drawn: add --search, or --sampler tpe"):
        check_grid(flags(line))


def test_a_grid_of_numbers_without_end_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--recipe", "quick", "--sampler", "grid", "--search", "optim.lr=0.1:1", "--dry-run"]
    assert backbones.main(words) == 2
    assert "error: optim.lr: a grid has no end of numbers between 0.1 and 1.0" in capsys.readouterr().err


def test_a_dry_run_shows_what_there_is_to_choose(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--recipe", "quick", "--search", "optim.lr=0.1:1:log", "model.head=deconv,direct", "--dry-run"]
    assert backbones.main([*words, "--seeds", "0", "1"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "model.head deconv, direct" in lines
    assert "optim.lr 0.1 to 1.0, evenly by its logarithm" in lines
    assert "search (tpe): 20 cells x 2 seeds by val/add_area; each is tried with seeds 0, 1" in lines


def test_a_misspelt_search_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert backbones.main(["--recipe", "quick", "--search", "optim.lrr=0.1:1", "--dry-run"]) == 2
    assert capsys.readouterr().err == "error: unknown setting 'optim.lrr'; did you mean 'optim.lr'?\n"


@pytest.mark.parametrize(
    ("line", "seeds"),
    [
        ("--race", [0, 1, 2, 3, 4]),
        ("--race --max-seeds 3", [0, 1, 2]),
        ("--race --seeds 4 2 9", [4, 2, 9]),
        ("--seeds 4 2", [4, 2]),
    ],
)
def test_seeds_that_a_race_may_give(line: str, seeds: list[int]) -> None:
    commands = [flags(f"--recipe quick --heads deconv direct {line}")]
    found = plan(raced(space_of(commands, RECIPES), merged(commands)))
    assert [cell.config.seed for cell in found.cells] == 2 * seeds


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--race --search optim.lr=1e-4:1e-2:log", "settings that race are listed: leave --search out"),
        ("--race --sampler tpe", "settings that race are listed"),
        ("--race --stop asha", "a race drops settings itself: leave --stop asha out"),
        ("--max-seeds 3", "--max-seeds is for races: add --race, or list --seeds"),
        ("--race --seeds 7", "--seeds: a race may give several"),
        ("--race --seeds 0 1 --max-seeds 3", "--seeds lists the seeds of the race already"),
    ],
)
def test_what_does_not_go_with_a_race(line: str, message: str) -> None:
    commands = [flags(f"--recipe quick {line}")]
    with pytest.raises(UserError, match=message):
        raced(space_of(commands, RECIPES), merged(commands))


def test_a_race_is_decided_by_one_score() -> None:
    assert raced_by(flags("--race")).name == "val/add_area"
    assert raced_by(flags("--race --objectives val/5deg5cm")).score == "5deg5cm"
    check_grid(flags("--race --objectives val/5deg5cm"))
    for several in ("val/add_area,-gflops", "val/add_area,val/5deg5cm"):
        with pytest.raises(UserError, match="a race is decided by one score"):
            raced_by(flags(f"--race --objectives {several}"))


def test_the_sweeps_of_the_docs_are_a_grid_a_search_and_a_race(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[3] / "docs" / "sweeps.md").read_text()
    (block,) = [part.partition("```")[0] for part in text.split("```python\n") if "Racers(" in part]
    assert len([line for line in block.splitlines() if line and not line.startswith("#")]) <= 20
    asked: list[Any] = []
    answer = SimpleNamespace(report=SimpleNamespace(found=[SimpleNamespace(title="")]))
    monkeypatch.setattr(
        sweep, "run", lambda cells, data, folder: asked.append((folder.name, cells)) or answer
    )
    exec(compile(block, "sweeps.md", "exec"), {})
    (_, grid), (_, search), (_, race) = asked
    assert [name for name, _ in asked] == ["grid", "search", "race"]
    assert {(cell.config.model.head, cell.config.seed) for cell in grid} == {
        (head, seed) for head in ("deconv", "fpn") for seed in (0, 1)
    }
    assert search.told == "search (tpe): 12 cells x 1 seeds by val/add_area"
    assert len(race.cells) == 10
