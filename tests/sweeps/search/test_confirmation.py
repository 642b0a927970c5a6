"""What is confirmed of fair searches, what is compared of it, and by how much it had been flattered."""

import dataclasses
import statistics
from collections import Counter
from typing import Any

import pytest

from epropnp.training.record import Record
from sweeps.results.read import drawn_label
from sweeps.search.objectives import objectives_of
from sweeps.trial import read
from tests.sweeps.search.bench import Bench, area_of
from tests.sweeps.search.fairly import BACKBONES, backbone, fair, run, split


def test_the_best_cell_of_each_value_is_trained_with_seeds_that_no_search_has(bench: Bench) -> None:
    seeds = (3, 0)
    searched, confirmed = split(run(bench, fair(bench, seeds=seeds, cells=6)), seeds)
    for name in BACKBONES:
        own = [trial for trial in searched if backbone(trial) == name]
        best = max(own, key=lambda trial: area_of(trial.config)).config  # the seed counts little
        fresh = [trial.config for trial in confirmed if backbone(trial) == name]
        assert fresh == [dataclasses.replace(best, seed=seed) for seed in (4, 5)]
    assert drawn_label(confirmed[0]).startswith("test_resnet lr ")
    assert drawn_label(searched[0]).startswith("test_resnet lr ")


@pytest.mark.parametrize("fate", ["diverged", "stopped", "the disk is full"])
def test_cells_that_are_not_complete_are_never_best(bench: Bench, other: Bench, fate: str) -> None:
    """The second seed of what would be the best diverges, is stopped, or finds no disk."""
    how: dict[str, Any] = {"seeds": (0, 1), "cells": 6, "sampler": "random"}
    best = split(run(bench, fair(bench, **how)), (0, 1))[1][0].config.optim.lr
    other.fate = lambda config: fate if config.seed == 1 and config.optim.lr == best else "finished"
    confirmed = split(run(other, fair(other, **how)), (0, 1))[1]
    assert len(confirmed) == 4
    assert best not in {trial.config.optim.lr for trial in confirmed}


def test_a_value_without_a_complete_cell_is_told_and_the_others_go_on(bench: Bench) -> None:
    bench.fate = lambda config: "memory" if config.model.backbone == BACKBONES[0] else "finished"
    search = fair(bench)
    _, confirmed = split(run(bench, search))
    assert list(map(backbone, confirmed)) == [BACKBONES[1]] * 2
    assert search.total == 4 + 4 + 2
    said = f"{BACKBONES[0]}: none of its 4 cells is complete, it is not compared"
    assert search.remarks.count(said) == 1
    assert said in search.compared().notes


def test_confirmations_are_no_cells_of_a_search_and_not_unfit(bench: Bench) -> None:
    run(bench, fair(bench))
    search = fair(bench)
    assert search.done
    assert len(search.planned) == 2 * 4 + 2 * 2
    assert [line for line in search.remarks if "are of no cell" in line and "0 trials" not in line] == []
    assert [line for line in search.remarks if line.endswith("not the best any more")] == []
    more = fair(bench, cells=8)
    assert not more.done
    assert len(more.planned) == 2 * 4  # nobody knows yet which cells will be the best
    searched, _ = split(run(bench, more))
    assert Counter(map(backbone, searched)) == dict.fromkeys(BACKBONES, 4)
    assert len(bench.trained) == len(set(bench.trained))


def test_cells_that_were_best_once_stay_in_the_tables(bench: Bench) -> None:
    """Four cells, then so many that another one is the best of each value."""
    before = split(run(bench, fair(bench)))[1]
    more = fair(bench, cells=12)
    after = split(run(bench, more))[1]
    assert {trial.name for trial in before}.isdisjoint(trial.name for trial in after)
    assert more.compared().names == {trial.name for trial in after}
    assert "search: 4 trials confirmed cells that are not the best any more" in more.remarks


def test_flattery_is_the_difference_of_two_means(bench: Bench) -> None:
    """Fresh seeds are worse by five points and more, as luck would have it."""
    luck = {0: 0.0, 1: 0.4, 2: -5.0, 3: -7.0, 4: -9.0}
    search = fair(bench, seeds=(0, 1), confirm=3, cells=5)
    areas: dict[str, list[float]] = {}
    while not search.done:
        trial = search.ask()
        assert trial is not None
        folder = bench.begin(trial)
        area = round(area_of(dataclasses.replace(trial.config, seed=0)) + luck[trial.config.seed], 3)
        areas.setdefault(f"{trial.config.optim.lr} {trial.config.seed > 1}", []).append(area)
        done = dataclasses.replace(bench.result, val_after={"add_area": area})
        (folder / "result.json").write_text(done.to_json())
        Record(status="finished").write(folder)
        search.tell(read(folder))
    (rate,) = {key.split()[0] for key in areas if key.endswith("True")}
    searched = statistics.fmean(areas[f"{rate} False"])  # of both values: their cells are the same here
    fresh = statistics.fmean(areas[f"{rate} True"])
    assert searched - fresh == pytest.approx(7.2)
    told = f"{searched:.1f} in the search (best of 5 cells: optim.lr={rate}), {fresh:.1f} with 3 fresh seeds"
    lines = [f"{name}: {told}: flattered by 7.2 points (val/add_area)" for name in BACKBONES]
    assert search.remarks[-2:] == lines
    assert list(search.compared().notes[-2:]) == lines


@pytest.mark.parametrize(
    ("objective", "said"),
    [("-parameters", "belittled by 10 (parameters)"), ("-seconds", "flattered by 0 (seconds)")],
)
def test_less_may_be_better(bench: Bench, objective: str, said: str) -> None:
    """Fresh seeds happen to have ten parameters less."""
    search = fair(bench, objectives=objectives_of(objective), cells=1, confirm=1)
    while (trial := search.ask()) is not None:
        folder = bench.begin(trial)
        done = dataclasses.replace(bench.result, parameters=100 - 10 * trial.config.seed)
        (folder / "result.json").write_text(done.to_json())
        search.tell(read(folder))
    assert search.remarks[-1].endswith(said)


def test_only_confirmed_trials_are_compared_and_before_that_nothing(bench: Bench) -> None:
    search = fair(bench)
    for _ in range(8):
        compared = search.compared()
        assert compared.names == frozenset()
        (why,) = compared.notes
        assert why.startswith("NOT COMPARED YET: ")
        run(bench, search, 1)
    assert search.compared().names == frozenset()  # it is known which cells are the best, and no more
    (first,) = run(bench, search, 1)
    compared = search.compared()
    assert first.name in compared.names
    assert "CONFIRMED: 1 of 4 trials with fresh seeds have results" in compared.notes
    rest = run(bench, search)
    assert search.compared().names == {trial.name for trial in (first, *rest)}
    assert not any(note.startswith("CONFIRMED") for note in search.compared().notes)


@pytest.mark.parametrize(("fate", "again"), [("diverged", 1), ("stopped", 0)])
def test_a_confirmation_that_does_not_finish_is_left_out(bench: Bench, fate: str, again: int) -> None:
    """The second fresh seed of one value; where it failed, another call asks for it once more."""
    bench.fate = lambda config: fate if config.seed == 2 and "resnet" in config.model.backbone else "finished"
    search = fair(bench)
    run(bench, search)
    assert search.done
    assert "CONFIRMED: 3 of 4 trials with fresh seeds have results" in search.compared().notes
    first, second = search.compared().notes[-2:]
    assert " with 1 fresh seed: " in first
    assert " with 2 fresh seeds: " in second
    assert len(run(bench, fair(bench))) == again
