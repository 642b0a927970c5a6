"""What a search has found, as pictures: its history, what matters, each setting's effect, and trade-offs."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from optuna.trial import FrozenTrial, TrialState

from sweeps.search.domain import Domain
from sweeps.search.objectives import Objective

if TYPE_CHECKING:
    from matplotlib.figure import Figure

JOURNAL = "search.journal"
ENOUGH = 4  # cells, below which nothing can be said of what matters
PER_ROW = 4
SEED = 0


def search_files(
    study: optuna.Study, domain: Domain, objectives: Sequence[Objective]
) -> dict[str, Callable[[Path], None]]:
    """By name of the file, what makes it; with few cells there are few of them.

    Args:
        study: all that is known.
        domain: what could be chosen.
        objectives: by which cells are judged.
    """
    found: dict[str, Callable[[Path], None]] = {JOURNAL: partial(save_journal, study)}
    finished = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    if not finished:
        return found
    logs = {key for key, each in domain.ranges.items() if each.log}
    found["search_history.png"] = partial(save_history, study, objectives)
    if finished[0].params:
        found["search_slices.png"] = partial(save_slices, finished, objectives[0], logs)
    varied = {k: each for k, each in enumerate(objectives) if len({t.values[k] for t in finished}) > 1}
    if len(finished) >= ENOUGH and varied:
        found["search_importance.png"] = partial(save_importance, study, varied)
    if len(objectives) == 2:
        found["search_pareto.png"] = partial(save_pareto, study, objectives)
    return found


def save_journal(study: optuna.Study, path: Path) -> None:
    """Write the study to a file that optuna-dashboard reads."""
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    path.unlink(missing_ok=True)
    storage = JournalStorage(JournalFileBackend(str(path)))
    copied = optuna.create_study(study_name="search", storage=storage, directions=study.directions)
    copied.add_trials(study.get_trials(deepcopy=False))


def save_history(study: optuna.Study, objectives: Sequence[Objective], path: Path) -> None:
    """Draw each objective over the draws, the best so far, and what was stopped or infeasible."""
    figure = _figure(7.0, 3.0 * len(objectives))
    trials = study.get_trials(deepcopy=False)
    rows = figure.subplots(len(objectives), 1, squeeze=False, sharex=True)[:, 0]
    for number, (axes, objective) in enumerate(zip(rows, objectives, strict=True)):
        done = [(t.number, t.values[number]) for t in trials if t.state == TrialState.COMPLETE]
        axes.plot(*zip(*done, strict=True), "o", color="tab:blue", label="cells")
        better = min if objective.least else max
        best = [better(value for _, value in done[: k + 1]) for k in range(len(done))]
        axes.step([at for at, _ in done], best, where="post", color="tab:green", label="best so far")
        low = axes.get_ylim()[0]
        for colour, label, chosen in MARKS:
            if at := [trial.number for trial in trials if chosen(trial)]:
                axes.plot(at, [low] * len(at), "x", color=colour, label=label, clip_on=False)
        axes.set(ylabel=objective.name)
    rows[-1].set(xlabel="draw")
    rows[0].legend(frameon=False, fontsize="small")
    _save(figure, path)


def save_importance(study: optuna.Study, objectives: Mapping[int, Objective], path: Path) -> None:
    """Draw the share of each objective's variance that each choice explains (fANOVA, Hutter et al. 2014).

    Args:
        study: all that is known.
        objectives: that have a variance, by their place among all.
        path: of the picture.
    """
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=SEED)
    shares = [
        optuna.importance.get_param_importances(study, evaluator=evaluator, target=partial(_value, number))
        for number in objectives
    ]
    names = list(reversed(shares[0]))
    figure = _figure(7.0, 1.2 + 0.35 * len(names) * len(objectives))
    axes = figure.subplots()
    height = 0.8 / len(objectives)
    for number, (objective, found) in enumerate(zip(objectives.values(), shares, strict=True)):
        at = [k - number * height for k in range(len(names))]
        axes.barh(at, [100 * found[name] for name in names], height=height, label=objective.name)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel=f"share of the variance, % (from {len(_complete(study))} cells: a guess)", xlim=(0, 100))
    axes.legend(frameon=False, fontsize="small", loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2)
    _save(figure, path)


def save_slices(trials: Sequence[FrozenTrial], objective: Objective, logs: set[str], path: Path) -> None:
    """Draw the first objective over the values of each choice; later draws are darker."""
    names = list(trials[0].params)
    columns = min(PER_ROW, len(names))
    lines = math.ceil(len(names) / columns)
    figure = _figure(3.2 * columns, 3.0 * lines)
    places = figure.subplots(lines, columns, squeeze=False, sharey=True).ravel()
    for axes, name in zip(places, names, strict=False):
        values, scores = [trial.params[name] for trial in trials], [_value(0, trial) for trial in trials]
        axes.scatter(values, scores, c=[t.number for t in trials], cmap="Blues", edgecolors="k", vmin=-5)
        axes.set(xlabel=name)
        if name in logs:
            axes.set_xscale("log")
    for axes in places[len(names) :]:
        axes.remove()
    for axes in places[::columns]:
        axes.set(ylabel=objective.name)
    _save(figure, path)


def save_pareto(study: optuna.Study, objectives: Sequence[Objective], path: Path) -> None:
    """Draw two objectives over each other, and the cells that no other one beats in both."""
    figure = _figure(7.0, 5.0)
    axes = figure.subplots()
    front = sorted(study.best_trials, key=lambda trial: trial.values[1])
    for trials, colour, label in ((_complete(study), "lightgrey", "cells"), (front, "tab:green", "front")):
        at, scores = [_value(1, trial) for trial in trials], [_value(0, trial) for trial in trials]
        axes.plot(at, scores, "o", color=colour, label=label)
    places = [(trial.values[1], trial.values[0]) for trial in front]
    axes.step(*zip(*places, strict=True), where="post", color="tab:green", alpha=0.5)
    for trial, place in zip(front, places, strict=True):
        axes.annotate(f"{trial.number}", place, xytext=(4, 4), textcoords="offset points")
    axes.set(xlabel=objectives[1].name, ylabel=objectives[0].name)
    axes.legend(frameon=False, fontsize="small")
    _save(figure, path)


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure  # slow to import, and not needed before the end of a sweep

    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: "Figure", path: Path) -> None:
    for axes in figure.axes:
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


def _complete(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])


def _value(number: int, trial: FrozenTrial) -> float:
    return trial.values[number]


def _infeasible(trial: FrozenTrial) -> bool:
    return any(value > 0 for value in trial.constraints.values())


def _stopped(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.PRUNED and not _infeasible(trial)


MARKS = (("tab:red", "infeasible", _infeasible), ("tab:orange", "stopped", _stopped))
