"""What Ray Tune is given to run, and how its results become reasons; Tune itself is made up."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune import Tuner
from rich.console import Console

from epropnp.plain import flatten
from epropnp.training.recipes import Recipe
from sweeps import schedule
from sweeps.cluster import Share
from sweeps.schedule import run_trials
from sweeps.space import PlannedTrial, plan_trials
from sweeps.trial import run_trial, trial_spec

SHARE = Share(at_once=3, cpus=5, gpus=0.5)


@pytest.fixture
def trials(tiny: Recipe) -> tuple[PlannedTrial, ...]:
    """Four, of two lengths and one or two threads."""
    first = plan_trials([tiny], seeds=[0])
    return first + plan_trials([tiny], seeds=[1], epochs=9, settings=["threads=2"])


class World(SimpleNamespace):
    """What was asked of Ray, and what it shall answer."""

    results: list[Any]
    specs: list[dict[str, Any]]
    share_of: tuple[Any, ...]
    address: str | None
    callbacks: list[Any]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(results=[], events=[])

    class Session:
        def __init__(self, address: str | None) -> None:
            world.address = address

        def __enter__(self) -> None:
            world.events.append("open")

        def __exit__(self, *_: Any) -> None:
            world.events.append("closed")

    def share_of_cluster(*given: Any) -> Share:
        world.share_of = given
        return SHARE

    def tuner(specs: Any, share: Share, storage: Path, retries: int, callbacks: list[Any]) -> Any:
        world.specs, world.callbacks = specs, callbacks
        world.given = (share, storage, retries)
        return SimpleNamespace(fit=lambda: world.events.append("fit") or world.results)

    monkeypatch.setattr(schedule, "ray_session", Session)
    monkeypatch.setattr(schedule, "share_of_cluster", share_of_cluster)
    monkeypatch.setattr(schedule, "_tuner", tuner)
    return world


def _run(
    trials: tuple[PlannedTrial, ...], pending: list[PlannedTrial], out: Path, said: io.StringIO | None = None
) -> dict[str, str]:
    tracker: Any = SimpleNamespace()
    return run_trials(
        trials,
        pending,
        {trial.name: out / trial.name for trial in trials},
        "s3://bucket/lm",
        storage=out / "ray",
        at_once=7,
        address="head:1",
        retries=4,
        tracker=tracker,
        console=Console(file=said or io.StringIO(), width=200),
    )


def test_the_pending_trials_are_run_each_in_its_own_folder(
    world: World, trials: tuple[PlannedTrial, ...], tmp_path: Path
) -> None:
    pending = [trials[3], trials[1]]
    assert _run(trials, pending, tmp_path) == {}
    assert world.specs == [trial_spec(t.name, t.config, "s3://bucket/lm", tmp_path / t.name) for t in pending]
    assert world.share_of == (2, 7, 2)  # trials to run, wanted at once, the most threads of any
    assert world.given == (SHARE, tmp_path / "ray", 4)
    assert world.address == "head:1"
    assert world.events == ["open", "fit", "closed"]


def test_the_display_knows_all_trials_and_the_records_those_that_run(
    world: World, trials: tuple[PlannedTrial, ...], tmp_path: Path
) -> None:
    pending = [trials[3], trials[1]]
    _run(trials, pending, tmp_path)
    progress, tracking = world.callbacks
    states = [(state.name, state.epochs, state.status) for state in progress.trials.values()]
    epochs, statuses = (2, 2, 9, 9), ("kept", "waiting", "kept", "waiting")
    assert states == list(zip((t.name for t in trials), epochs, statuses, strict=True))
    assert progress.at_once == 3
    assert tracking._params == {trial.name: flatten(trial.config) for trial in pending}


def _result(name: str, error: Exception | None = None, metrics: dict[str, Any] | None = None) -> Any:
    return SimpleNamespace(config={"trial": {"name": name}}, error=error, metrics=metrics)


def test_each_reason_is_that_of_its_trial(
    world: World, trials: tuple[PlannedTrial, ...], tmp_path: Path
) -> None:
    names = [trial.name for trial in trials]
    for name in (names[0], names[1]):
        (tmp_path / name).mkdir()
        (tmp_path / name / "result.json").touch()
    world.results = [  # in another order than the trials
        _result(names[3], metrics={"failed": "loss is not finite"}),
        _result(names[0], metrics={"epoch": 2}),
        _result(names[2], metrics={"epoch": 1}),
        _result(names[1], error=RuntimeError("Traceback\n  x\nMemoryError: too large"), metrics={"epoch": 1}),
    ]
    assert _run(trials, list(trials), tmp_path) == {
        names[3]: "loss is not finite",
        names[2]: "ended without a result",
        names[1]: "MemoryError: too large",
    }


def test_tune_is_told_names_resources_limits_and_callbacks(
    trials: tuple[PlannedTrial, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}
    trainables: list[Any] = []

    def with_resources(trainable: Any, resources: dict[str, float]) -> str:
        trainables.append((trainable, resources))
        return "trainable"

    def tuner(trainable: Any, **options: Any) -> Tuner:
        given.update(options, trainable=trainable)
        return Tuner.__new__(Tuner)

    monkeypatch.setattr(schedule.tune, "with_resources", with_resources)
    monkeypatch.setattr(schedule.tune, "Tuner", tuner)
    specs = [trial_spec(trial.name, trial.config, "d", tmp_path) for trial in trials]
    schedule._tuner(specs, SHARE, tmp_path / "ray", 4, ["callback"])
    assert trainables == [(run_trial, {"cpu": 5, "gpu": 0.5})]
    assert given["trainable"] == "trainable"
    assert given["param_space"] == {"trial": {"grid_search": specs}}
    assert given["tune_config"].max_concurrent_trials == 3
    ray_trial = SimpleNamespace(config={"trial": specs[1]})
    config = given["tune_config"]
    assert config.trial_name_creator(ray_trial) == config.trial_dirname_creator(ray_trial) == trials[1].name
    run = given["run_config"]
    assert (run.name, run.storage_path, run.callbacks) == ("tune", str(tmp_path / "ray"), ["callback"])
    assert run.failure_config.max_failures == 4
    assert not run.failure_config.fail_fast  # a failed trial does not stop the others


@pytest.mark.parametrize(
    ("gpus", "line"),
    [(0.5, "trials at once: 3; each has cores: 2, GPUs: 0.5"), (0.0, "trials at once: 3; each has cores: 2")],
)
def test_what_each_trial_may_use_is_said(
    world: World,
    trials: tuple[PlannedTrial, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    gpus: float,
    line: str,
) -> None:
    share = Share(at_once=3, cpus=2, gpus=gpus)
    monkeypatch.setattr(schedule, "share_of_cluster", lambda *given: share)
    said = io.StringIO()
    _run(trials, list(trials), tmp_path, said)
    assert said.getvalue().splitlines()[0] == line
