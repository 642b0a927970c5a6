"""Fair tuning over real trial folders, whose trials are made up: budgets, turns, and what is gone on with."""

import dataclasses
import random
from collections import Counter
from typing import Any

import pytest

from epropnp.errors import UserError
from epropnp.training.record import Record
from sweeps.search.compared import Choosing
from sweeps.search.domain import Domain
from sweeps.search.fair import Fair
from sweeps.search.objectives import objectives_of
from sweeps.search.ranges import NumberRange
from sweeps.search.searching import Searching
from sweeps.search.stopper import Stopper
from sweeps.space import Axis, Choice
from sweeps.sweep import _search
from sweeps.trial import read
from tests.sweeps.cells import space
from tests.sweeps.search.bench import Bench, area_of
from tests.sweeps.search.domains import IDS, domain_of
from tests.sweeps.search.fairly import BACKBONES, RATES, backbone, fair, run, searching, split


def test_every_value_gets_the_same_budget_and_they_grow_together(bench: Bench) -> None:
    search = fair(bench, cells=5, seeds=(0, 1))
    assert search.total == 2 * 5 * 2 + 2 * 2
    searched, confirmed = split(run(bench, search), (0, 1))
    assert Counter(map(backbone, searched)) == dict.fromkeys(BACKBONES, 10)
    for end in range(len(searched) + 1):
        counts = Counter(map(backbone, searched[:end]))
        assert abs(counts[BACKBONES[0]] - counts[BACKBONES[1]]) <= 1
    assert len(confirmed) == 4
    assert search.total == len(searched) + len(confirmed) == len(search.planned)
    assert search.planned[: len(searched)] == sorted(search.planned[:20], key=backbone, reverse=True)


def test_the_first_cells_of_all_values_are_alike(bench: Bench) -> None:
    searched, _ = split(run(bench, fair(bench, cells=4)))
    rates = {name: [t.config.optim.lr for t in searched if backbone(t) == name] for name in BACKBONES}
    assert rates[BACKBONES[0]] == rates[BACKBONES[1]]


def test_the_confirmation_waits_for_every_trial_of_every_search(bench: Bench) -> None:
    search = fair(bench, cells=2)
    asked = [search.ask() for _ in range(4)]
    assert search.ask() is None
    assert not search.done
    for trial in asked:
        assert trial is not None
        assert search.ask() is None
        bench.end(trial)
        search.tell(read(bench.sweep.trial_folder(trial.name)))
    fresh = search.ask()
    assert fresh is not None
    assert fresh.config.seed == 1


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_moment_it_asks_for_the_same_trials(bench: Bench, other: Bench, seed: int) -> None:
    how: dict[str, Any] = {"seeds": (0, 1), "cells": 5}
    texts = (RATES, "model.head=deconv,direct")
    whole = [trial.name for trial in run(bench, fair(bench, *texts, **how))]
    rng = random.Random(seed)
    while len(other.trained) < len(whole):
        search = fair(other, *texts, **how)
        run(other, search, rng.randrange(1, 4))
        if not search.done and rng.random() < 0.5 and (lost := search.ask()) is not None:
            other.begin(lost)  # killed within it
    assert other.trained == whole
    assert len(set(whole)) == len(whole) == 2 * 5 * 2 + 2 * 2
    again = fair(other, *texts, **how)
    assert again.done
    assert again.compared() == fair(bench, *texts, **how).compared()


def test_a_trial_of_no_value_counts_as_unfit_once(bench: Bench) -> None:
    domain = domain_of(space(bench.recipe, backbones=["test_vit"]), RATES)
    (stranger,) = bench.sweep.planned([domain.cell({"optim.lr": 0.001}, 0)], IDS)
    bench.end(stranger)
    search = fair(bench)
    assert search.remarks == ["search: 1 trials are of no cell of it and stay in the tables"]
    run(bench, search)
    assert search.remarks.count("search: 1 trials are of no cell of it and stay in the tables") == 1


def test_failures_of_what_no_search_asks_for_any_more_are_none_of_the_sweep(bench: Bench) -> None:
    """A cell that a narrower space does not hold, and the confirmation of one that is not the best now."""
    bench.fate = lambda config: "the disk is full" if config.optim.lr > 1e-2 or config.seed else "finished"
    first = fair(bench)
    run(bench, first)
    confirmed = {trial.name for trial in split(first.planned)[1]}
    assert first.infeasible == []
    bench.fate = lambda config: "finished"
    narrow = fair(bench, "optim.lr=9e-4:1.1e-3", cells=8)
    run(bench, narrow)
    failed = {trial.name for trial in bench.sweep.trials() if trial.status == "failed"}
    assert confirmed <= failed
    assert failed - confirmed
    assert failed <= set(narrow.infeasible)
    assert not {trial.name for trial in narrow.planned} & set(narrow.infeasible)


def test_of_two_names_for_one_trial_a_part_knows_the_one_that_was_drawn(bench: Bench) -> None:
    texts = (RATES, "model.head=study,deconv")
    whole = fair(bench, *texts, cells=4)
    run(bench, whole, 8)
    draws = [[tried.draw for tried in part.study.tried] for part in whole._parts]
    assert {draw.params["model.head"] for part in draws for draw in part} == {"study", "deconv"}
    again = fair(bench, *texts, cells=4)
    assert [[tried.draw for tried in part.study.tried] for part in again._parts] == draws


def test_what_one_search_of_all_values_has_trained_is_known(bench: Bench) -> None:
    pooled = searching(bench, cells=6, per=None).study(bench.sweep, IDS)
    trained = list(bench.run(pooled))
    search = fair(bench, cells=6)
    assert len(search.planned) == 6
    searched, confirmed = split(run(bench, search))
    assert Counter(map(backbone, [*trained, *searched])) == dict.fromkeys(BACKBONES, 6)
    assert len(confirmed) == 4


def test_pictures_of_each_search_have_names_of_their_own(bench: Bench) -> None:
    search = fair(bench)
    run(bench, search)
    names = search.files().keys()
    assert {"search_history_test_resnet.png", "search_history_test_convnext.png"} <= names
    assert {"search_test_resnet.journal", "search_test_convnext.journal"} <= names


def test_values_with_odd_names_have_files_too(bench: Bench) -> None:
    odd = [Choice(name=name, settings=(f"data.points={n}",)) for n, name in ((16, "a b"), (32, "a/b"))]
    domain = Domain(
        space(bench.recipe, Axis(name="case", choices=tuple(odd))),
        [NumberRange(key="optim.lr", low=1e-5, high=1.0)],
    )
    search = Searching(domain=domain, per="case").search(bench.sweep, IDS)
    assert search.files().keys() == {"search_a_b-0.journal", "search_a_b-1.journal"}


def test_early_stops_are_judged_within_a_value_and_spare_the_confirmation(bench: Bench) -> None:
    """One value is worse than the other in all of its cells, and still has a best one."""
    search = fair(bench, cells=6, around=lambda each: Stopper(each, "median", bench.sweep))
    reports: Counter[str] = Counter()
    while not search.done:
        trial = search.ask()
        assert trial is not None
        folder = bench.begin(trial)
        area = area_of(trial.config) - (60.0 if backbone(trial) == BACKBONES[0] else 0.0)
        area -= 30.0 if trial.config.seed else 0.0  # fresh seeds have bad luck
        history = []
        for epoch in range(2):
            history.append({"val/add_area": area})
            search.reported(
                trial.name, {"epoch": epoch, "metrics": history[-1], "earlier": history[:-1] * (not epoch)}
            )
            if (folder / "stop").exists():
                break
        reports[trial.name] = len(history)
        if (folder / "stop").exists():
            reason = (folder / "stop").read_text()
            Record(status="stopped", reason=reason, history=history).write(folder)
        else:
            done = dataclasses.replace(bench.result, val_after={"add_area": area})
            (folder / "result.json").write_text(done.to_json())
            Record(status="finished", history=history).write(folder)
        search.tell(read(folder))
    searched, confirmed = split(search.planned)
    status = {trial.name: trial.status for trial in bench.sweep.trials()}
    for name in BACKBONES:
        own = [status[trial.name] for trial in searched if backbone(trial) == name]
        assert own.count("stopped") > 0
        assert own.count("finished") > 0
    assert [status[trial.name] for trial in confirmed] == ["finished"] * 4
    assert not any((bench.sweep.trial_folder(t.name) / "decided.json").exists() for t in confirmed)


def test_several_objectives_have_no_single_best(bench: Bench) -> None:
    with pytest.raises(UserError, match=r"--per: the best cell of each model.backbone is that by one object"):
        searching(bench, objectives=objectives_of("val/add_area,-parameters"))


def test_a_sweep_puts_early_stopping_around_each_search(bench: Bench) -> None:
    found = _search(searching(bench), bench.sweep, IDS, "median", 5.0)
    assert isinstance(found, Fair)
    assert isinstance(found, Choosing)
    assert [type(part.search) for part in found._parts] == [Stopper, Stopper]
    pooled = _search(searching(bench, per=None), bench.sweep, IDS, "median", 5.0)
    assert isinstance(pooled, Stopper)
    assert not isinstance(pooled, Choosing)
