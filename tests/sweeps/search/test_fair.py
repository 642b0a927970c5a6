"""Fair tuning over real trial folders, whose trials are made up: budgets, what is confirmed, and flattery."""

import dataclasses
import random
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from epropnp.errors import UserError
from epropnp.training.record import Record
from sweeps.results.read import drawn_label
from sweeps.search.domain import Domain
from sweeps.search.fair import Fair
from sweeps.search.objectives import objectives_of
from sweeps.search.ranges import NumberRange
from sweeps.search.search import Planned, Search
from sweeps.search.searching import Searching
from sweeps.search.stopper import Stopper
from sweeps.space import Axis, Choice
from sweeps.trial import Trial, read
from tests.sweeps.cells import space
from tests.sweeps.search.bench import Bench, area_of
from tests.sweeps.search.domains import IDS, domain_of

RATES = "optim.lr=1e-5:1e-1:log"
BACKBONES = ("test_resnet", "test_convnext")
AXIS = "model.backbone"


def searching(bench: Bench, *texts: str, seeds: Sequence[int] = (0,), **more: Any) -> Searching:
    domain = domain_of(space(bench.recipe, backbones=BACKBONES, seeds=seeds), *(texts or (RATES,)))
    return Searching(domain=domain, **{"cells": 4, "sampler": "tpe", "per": AXIS, "confirm": 2, **more})


def fair(
    bench: Bench, *texts: str, around: Callable[[Search], Search] = lambda each: each, **more: Any
) -> Fair:
    """As a call of the sweep begins: all folders are told."""
    found = searching(bench, *texts, **more).search(bench.sweep, IDS, around)
    assert isinstance(found, Fair)
    for trial in bench.sweep.trials():
        found.tell(trial)
    return found


def run(bench: Bench, search: Fair, trials: int = 10_000) -> list[Planned]:
    """One trial after the other; so many, or to the end."""
    found = []
    while not search.done and trials:
        trial = search.ask()
        assert trial is not None
        found.append(trial)
        bench.end(trial)
        search.tell(read(bench.sweep.trial_folder(trial.name)))
        trials -= 1
    return found


def split(trials: Sequence[Planned], seeds: Sequence[int] = (0,)) -> tuple[list[Planned], list[Planned]]:
    """Those of the searches, and those of the confirmation."""
    searched = [trial for trial in trials if trial.config.seed in seeds]
    return searched, [trial for trial in trials if trial.config.seed not in seeds]


def backbone(trial: Planned | Trial) -> str:
    return trial.config.model.backbone


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


@pytest.mark.parametrize("seed", range(3))
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


def test_a_trial_of_no_value_counts_as_unfit_once(bench: Bench) -> None:
    domain = domain_of(space(bench.recipe, backbones=["test_vit"]), RATES)
    (stranger,) = bench.sweep.planned([domain.cell({"optim.lr": 0.001}, 0)], IDS)
    bench.end(stranger)
    search = fair(bench)
    assert search.remarks == ["search: 1 trials are of no cell of it and stay in the tables"]
    run(bench, search)
    assert search.remarks.count("search: 1 trials are of no cell of it and stay in the tables") == 1


def test_what_one_search_of_all_values_has_trained_is_known(bench: Bench) -> None:
    pooled = searching(bench, cells=6, per=None).study(bench.sweep, IDS)
    trained = list(bench.run(pooled))
    search = fair(bench, cells=6)
    assert len(search.planned) == 6
    searched, confirmed = split(run(bench, search))
    assert Counter(map(backbone, [*trained, *searched])) == dict.fromkeys(BACKBONES, 6)
    assert len(confirmed) == 4


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
