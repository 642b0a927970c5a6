"""A search over real trial folders, whose trials are made up: what is asked, told, refused, gone on with."""

import math
import random
from collections import Counter
from typing import Any
from unittest.mock import Mock

import pytest
from optuna.trial import TrialState

from epropnp.errors import UserError
from sweeps.search.asked import Sampler
from sweeps.search.objectives import objectives_of
from tests.sweeps.cells import space
from tests.sweeps.search.bench import Bench, area_of
from tests.sweeps.search.domains import IDS, domain_of

RATES = "optim.lr=1e-5:1e-1:log"
HEADS = "model.head=deconv,direct"
WIDE = (RATES, HEADS, "data.points=16:64:step16", "optim.ema=none,0.9")


@pytest.mark.parametrize(("sampler", "cells"), [("random", 9), ("tpe", 9), ("gp", 6), ("nsga", 9)])
def test_gone_on_with_at_any_moment_it_asks_for_the_same_trials(
    bench: Bench, other: Bench, sampler: Sampler, cells: int
) -> None:
    whole = [t.name for t in bench.run(bench.search(*WIDE, cells=cells, sampler=sampler, seeds=(0, 1)))]
    assert len(set(whole)) == len(whole) == 2 * cells
    rng = random.Random(5)
    while len(other.trained) < len(whole):
        study = other.search(*WIDE, cells=cells, sampler=sampler, seeds=(0, 1))
        list(other.run(study, rng.randrange(1, 6)))
        if not study.done and rng.random() < 0.5 and (lost := study.ask()) is not None:
            other.begin(lost)  # killed within it
    assert other.trained == whole
    assert other.search(*WIDE, cells=cells, sampler=sampler, seeds=(0, 1)).done


def test_what_it_learns_it_uses(bench: Bench) -> None:
    rates = [trial.config.optim.lr for trial in bench.run(bench.search(RATES, cells=40))]
    near = [abs(math.log10(rate) + 3) < 0.5 for rate in rates]
    assert sum(near[:10]) <= 5  # a quarter, where nothing is known
    assert sum(near[20:]) >= 10


def test_all_seeds_of_a_cell_follow_each_other_and_their_mean_counts(bench: Bench) -> None:
    study = bench.search(RATES, cells=3, seeds=(0, 4))
    trials = list(bench.run(study))
    assert [trial.config.seed for trial in trials] == [0, 4] * 3
    means = [area_of(trial.config) + 0.2 for trial in trials[::2]]  # a tenth of a point per seed
    assert [study.values(tried) for tried in study.tried] == [pytest.approx([mean]) for mean in means]
    assert [known.value for known in study.study().trials] == pytest.approx(means)


def test_a_cell_counts_when_all_its_seeds_are_there(bench: Bench) -> None:
    study = bench.search(RATES, cells=2, seeds=(0, 1))
    list(bench.run(study, 1))
    assert study.values(study.tried[0]) is None
    (known,) = study.study().trials
    assert known.state == TrialState.RUNNING


def test_running_cells_are_told_so_that_others_go_elsewhere(bench: Bench) -> None:
    study = bench.search(RATES, cells=12)
    trials = [study.ask() for _ in range(12)]
    assert len({trial.config.optim.lr for trial in trials if trial is not None}) == 12
    assert study.ask() is None
    assert {each.state for each in study.study().trials} == {TrialState.RUNNING}
    assert study.done


@pytest.mark.parametrize("fate", ["diverged", "memory"])
def test_what_its_settings_cannot_do_is_told_and_left(bench: Bench, fate: str) -> None:
    """Rates above 1e-3, beside the best of what remains."""
    bench.fate = lambda config: fate if config.optim.lr > 1e-3 else "finished"
    study = bench.search(RATES, cells=40, seeds=(0, 1))
    trials = list(bench.run(study))
    again = Counter(trial.config.optim.lr for trial in trials if trial.config.optim.lr > 1e-3)
    assert set(again.values()) == {1}  # its other seed is not tried
    rates = {trial.name: trial.config.optim.lr for trial in study.planned}
    assert sorted(study.infeasible) == sorted(name for name, rate in rates.items() if rate > 1e-3)
    cells = [float(tried.draw.params["optim.lr"]) > 1e-3 for tried in study.tried]
    assert sum(cells[-20:]) < 8  # half of all, where nothing is known
    told = study.study().trials
    bad = [each for each in told if each.state == TrialState.PRUNED]
    assert len(bad) == len(again) == sum(cells)
    assert all(each.constraints == {"infeasible": 1.0} for each in bad)
    assert all(each.constraints == {"infeasible": 0.0} for each in told if each not in bad)


def test_a_machine_s_failure_leaves_the_cell_to_the_next_call(bench: Bench) -> None:
    bench.fate = lambda config: "the disk is full"
    study = bench.search(RATES, cells=2)
    first = [trial.name for trial in bench.run(study)]
    assert study.done
    assert study.infeasible == []
    assert {each.state for each in study.study().trials} == {TrialState.RUNNING}
    bench.fate = lambda config: "finished"
    assert [trial.name for trial in bench.run(bench.search(RATES, cells=2))] == first


def test_a_stopped_cell_is_told_with_what_it_had(bench: Bench) -> None:
    bench.fate = lambda config: "stopped"
    study = bench.search(RATES, cells=1, seeds=(0, 1))
    (trial,) = bench.run(study)  # its other seed is not tried
    (known,) = study.study().trials
    area = area_of(trial.config)
    assert known.state == TrialState.PRUNED
    assert known.intermediate_values == pytest.approx({0: area / 4, 1: area / 2})
    assert known.constraints == {"infeasible": 0.0}
    assert study.values(study.tried[0]) is None


def test_a_space_that_is_used_up_ends_the_search(bench: Bench) -> None:
    study = bench.search(HEADS, "optim.ema=none,0.9", cells=20)
    assert study.total == 4
    trials = list(bench.run(study))
    assert len({trial.name for trial in trials}) == len(trials) == 4
    assert study.done
    used, best = study.remarks
    assert used == "search: the space is used up: it has 4 cells"
    assert best == "search: none is best: all 4 cells score the same"


def test_many_refusals_end_no_space_that_has_others(bench: Bench) -> None:
    """Batches of 4 are computed in 1, 2 or 4 parts, of 60."""
    study = bench.search("optim.accumulate=1:60", RATES, cells=6, sampler="random")
    trials = list(bench.run(study))
    assert len(trials) == 6
    assert study.ended is None


def test_a_large_space_that_is_refused_everywhere_ends_with_its_own_line(bench: Bench) -> None:
    study = bench.search("optim.accumulate=1:60", "data.points=16:100000", cells=2, sampler="random")
    domain = study._domain
    domain.network = Mock(side_effect=UserError("no"))  # type: ignore[method-assign]
    assert study.ask() is None
    assert study.remarks == [
        "search: nothing new in 300 answers: the settings refuse them, or they are known"
    ]


def test_narrowed_and_widened_again_each_cell_has_its_own_number(bench: Bench) -> None:
    list(bench.run(bench.search("optim.lr=1e-5:1e-1:log", cells=4, sampler="random")))
    narrow = bench.search("optim.lr=2e-4:3e-3:log", cells=4, sampler="random")
    list(bench.run(narrow))
    assert set(narrow.infeasible) == set(narrow._unfit)  # which are no failures of the search
    wide = bench.search("optim.lr=1e-5:1e-1:log", cells=20, sampler="random")
    numbers = [tried.draw.number for tried in wide.tried]
    assert len(numbers) > 4
    assert len(set(numbers)) == len(numbers)
    assert len(wide.complete) == len(numbers)


def test_what_makes_no_training_is_asked_anew(bench: Bench) -> None:
    """Batches of 4 are not computed in 3 or 8 parts."""
    texts = ("optim.accumulate=1,2,3,4,8", RATES)
    study = bench.search(*texts, cells=16)
    trials = list(bench.run(study))
    assert len(trials) == 16
    assert {trial.config.optim.accumulate for trial in trials} == {1, 2, 4}
    told = study.study().trials
    refused = [each for each in told if each.params["optim.accumulate"] in ("3", "8")]
    assert refused
    assert all(each.state == TrialState.PRUNED for each in refused)
    assert all(each.constraints == {"infeasible": 1.0} for each in refused)
    again = bench.search(*texts, cells=16).study().trials
    last = max(each.number for each in told if each.state == TrialState.COMPLETE)
    assert [each.params for each in again] == [each.params for each in told[: last + 1]]


def test_refused_draws_are_known_whichever_seed_was_asked_for_after_a_kill(bench: Bench) -> None:
    """Folders are told by their names, in which a seed of 10 comes before one of 9."""
    texts: dict[str, Any] = {"cells": 3, "seeds": (9, 10)}
    how = ("optim.accumulate=3,8,4", RATES)
    study = bench.search(*how, **texts)
    while not study._refused:
        list(bench.run(study, 1))
    refused = study._refused
    again = bench.search(*how, **texts)
    list(bench.run(again, 1))
    assert bench.search(*how, **texts)._refused == refused


def test_another_space_keeps_the_cells_that_it_holds(bench: Bench) -> None:
    list(bench.run(bench.search(RATES, HEADS, cells=8)))
    low = [trial.name for trial in bench.sweep.trials() if trial.config.optim.lr <= 1e-3]
    assert 0 < len(low) < 8
    narrower = bench.search("optim.lr=1e-5:1e-3", HEADS, cells=12)  # and no logarithm
    assert len(narrower.tried) == len(low)
    told = f"{len(low)} cells are known, {8 - len(low)} trials are of no cell of it and stay in the tables"
    assert narrower.remarks == [f"search: {told}"]
    assert len(list(bench.run(narrower))) == 12 - len(low)
    wider = bench.search(RATES, "model.head=deconv,direct,fpn,upsample", cells=30)
    assert len(wider.tried) == 8 + 12 - len(low)
    assert {trial.config.model.head for trial in bench.run(wider)} & {"fpn", "upsample"}
    assert len(bench.trained) == len(set(bench.trained)) == 30


def test_how_many_cells_are_known_is_said_once(bench: Bench) -> None:
    study = bench.search(RATES, cells=4)
    list(bench.run(study, 2))
    lost = study.ask()
    assert lost is not None
    bench.begin(lost)  # killed within it
    again = bench.search(RATES, cells=4)
    said = {line for _ in bench.run(again) for line in again.remarks if "cells are known" in line}
    assert said == {"search: 3 cells are known, 0 trials are of no cell of it and stay in the tables"}


def test_two_objectives_make_generations(bench: Bench) -> None:
    how: dict[str, Any] = {"objectives": objectives_of("val/add_area,-parameters")}
    study = bench.search(RATES, "data.points=16:64:step16", cells=12, sampler="nsga", **how)
    trials = list(bench.run(study))
    known = study.study()
    assert [direction.name for direction in known.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert {each.values[1] for each in known.trials} == {float(t.config.data.points) for t in trials}
    values = [each.values for each in known.trials]
    beaten = [v for v in values if any(o != v and o[0] >= v[0] and o[1] <= v[1] for o in values)]
    assert 0 < len(beaten) < 12
    assert len(study.remarks) == 12 - len(beaten)
    assert all(line.startswith("search: best of 12 cells is number ") for line in study.remarks)
    generations = [each.system_attrs["NSGAIISampler:generation"] for each in known.trials]
    assert generations == sorted(generations)
    assert max(generations) >= 2


def test_trials_that_were_there_before_the_search_are_known(bench: Bench) -> None:
    domain = domain_of(space(bench.recipe, backbones=["test_resnet"]), RATES)
    for rate in (0.001, 0.1):
        (planned,) = bench.sweep.planned([domain.cell({"optim.lr": rate}, 0)], IDS)
        bench.end(planned)
    study = bench.search(RATES, cells=6)
    assert {each.draw.params["optim.lr"] for each in study.tried} == {0.001, 0.1}
    assert len(list(bench.run(study))) == 4
    assert [each.draw.number for each in study.tried] == [0, 1, 2, 3, 4, 5]


def test_of_two_names_for_one_trial_a_search_knows_the_one_that_was_drawn(bench: Bench) -> None:
    """The study gave a resnet the head that is named beside it."""
    texts = (RATES, "model.head=study,deconv,direct")
    whole = bench.search(*texts, cells=8)
    list(bench.run(whole))
    heads = [str(tried.draw.params["model.head"]) for tried in whole.tried]
    assert {"study", "deconv"} <= set(heads)
    again = bench.search(*texts, cells=8)
    assert [tried.draw for tried in again.tried] == [tried.draw for tried in whole.tried]


def test_cells_that_differ_in_nothing_that_has_an_effect_are_one(bench: Bench) -> None:
    """The tiny recipe has an adaptive kernel, which knows no fixed threshold."""
    study = bench.search("optim.lr=1e-3,3e-3", "pnp.delta=0.5:2:step0.5", cells=20)
    trained = [trial.config.optim.lr for trial in bench.run(study)]
    assert sorted(trained) == [1e-3, 3e-3]
    assert study.ended == "the space is used up: it has 2 cells"


def test_of_cells_that_score_the_same_none_is_best(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.sweeps.search.bench.area_of", lambda config: 0.0)
    study = bench.search(RATES, cells=3)
    list(bench.run(study))
    assert study.remarks[-1] == "search: none is best: all 3 cells score the same"
