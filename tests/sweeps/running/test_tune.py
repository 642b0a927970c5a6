"""What Ray Tune is given, how it asks, and what is told of its trials; Tune itself is made up."""

import contextlib
import gc
import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from ray import cloudpickle
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.search import Searcher

from sweeps.running import session
from sweeps.running import tune as module
from sweeps.running.cluster import Node
from sweeps.running.tune import Asking, Link, Over, Relay, run, trainable


@pytest.fixture
def ends() -> Iterator[tuple[Link, Connection]]:
    """The link's end here, and the sweep's."""
    ours, theirs = Pipe()
    with ours, theirs:
        yield Link(ours), theirs


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, ends: tuple[Link, Connection], tmp_path: Path) -> dict[str, Any]:
    """What Ray Tune is given; it trains nothing."""
    given: dict[str, Any] = {}

    def tuner(trainable: Any, **options: Any) -> Any:
        given.update(options, trainable=trainable)
        return SimpleNamespace(fit=lambda: given.update(fitted=True))

    monkeypatch.setattr(module.tune, "with_resources", lambda *of: of)
    monkeypatch.setattr(module.tune, "Tuner", tuner)
    run(ends[0], {"cpu": 5, "gpu": 0.5}, str(tmp_path))
    return given


def told(end: Connection) -> list[Any]:
    """Messages that have come."""
    found = []
    while end.poll(0):
        found.append(end.recv())
    return found


def test_tune_is_told_resources_limits_and_callbacks(given: dict[str, Any], tmp_path: Path) -> None:
    assert given["fitted"]
    run_by_ray, asked_for = given["trainable"]
    assert run_by_ray == trainable
    plain, whole = {"trial": {"name": "a"}}, {"trial": {"name": "a", "more": {"gpu": 1.0}}}
    assert asked_for(plain).required_resources == {"CPU": 5, "GPU": 0.5}
    assert asked_for(whole).required_resources == {"CPU": 5, "GPU": 1.0}
    assert "param_space" not in given
    config = given["tune_config"]
    assert (config.num_samples, config.reuse_actors) == (-1, True)
    assert config.trial_dirname_creator(SimpleNamespace(trial_id="a1")) == "a1"
    ray_run = given["run_config"]
    assert (ray_run.name, ray_run.storage_path) == ("tune", str(tmp_path))
    failures = ray_run.failure_config
    assert not failures.fail_fast  # a failed trial does not stop the others
    assert failures.max_failures == 0  # the sweep itself says which are run again
    (relay,) = ray_run.callbacks
    assert isinstance(relay, TrialProgressCallback)  # else Tune would print tables of its own


def test_tune_asks_for_trials_and_is_answered_until_there_is_no_other_one(
    ends: tuple[Link, Connection],
) -> None:
    link, sweep = ends
    over = threading.Event()
    asking, stopper = Asking(link, over), Over(over)
    for answer in ({"name": "a"}, None):
        sweep.send(answer)
    assert asking.suggest("1") == {"trial": {"name": "a"}}
    asking.on_trial_complete("1")
    assert asking.suggest("2") is None
    assert not stopper.stop_all()
    assert asking.suggest("3") is None  # no answer yet: Tune goes on meanwhile
    assert asking.suggest("4") is None
    sweep.send(module.FINISHED)
    assert asking.suggest("5") == Searcher.FINISHED
    assert stopper.stop_all()  # whatever still keeps a place
    assert not stopper("1", {})
    assert told(sweep) == [("ask",)] * 3
    assert module.FINISHED == session.FINISHED  # what one side says, the other understands


def test_processes_load_what_trains_until_there_are_trials_and_nobody_hears_of_it(
    ends: tuple[Link, Connection], tmp_path: Path
) -> None:
    link, sweep = ends
    go = tmp_path / "tune" / "go"
    asking = Asking(link, threading.Event(), warm=2, go=go)
    spec = {"trial": {"name": module.WARM, "go": str(go)}}
    assert [asking.suggest("1"), asking.suggest("2")] == [spec, spec]
    assert asking.suggest("3") is None
    assert told(sweep) == [("ask",)]
    sweep.send(None)
    assert asking.suggest("3") is None
    assert not go.exists()
    sweep.send({"name": "a"})
    assert asking.suggest("3") == {"trial": {"name": "a"}}
    assert go.exists()
    told(sweep)
    relay, warm = Relay(link), SimpleNamespace(config=spec, temporary_state=SimpleNamespace(location=None))
    relay.on_trial_start(0, [], warm)
    assert told(sweep) == []
    trainable(spec)  # returns, for it may go


def test_what_a_process_imported_is_set_aside_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweeps.running.worker.run_trial", lambda space: None)
    gc.unfreeze()
    try:
        trainable({"trial": {"name": "a"}})
        counted = gc.get_freeze_count()
        assert counted > 0
        later: list[list[int]] = [[] for _ in range(1000)]
        trainable({"trial": {"name": "b"}})  # what trials leave is still found
        assert gc.get_freeze_count() < counted + len(later)
    finally:
        gc.unfreeze()


@pytest.mark.parametrize(
    ("wanted", "begun"),
    [
        ({"cores": 1}, ({"cpu": 1, "gpu": 0.0}, 2)),
        ({"cores": 2, "at_once": 1}, ({"cpu": 2, "gpu": 0.0}, 1)),
        ({"cores": 1, "resources": {"fast": 1.0}}, ({"cpu": 1, "gpu": 0.0, "fast": 1.0}, 2)),
        ({"cores": None}, None),
        ({"cores": 1, "address": "h:1"}, None),  # a cluster's nodes are others'
    ],
)
def test_a_ray_of_ones_own_begins_with_as_many_processes_as_trials_will_run_at_once(
    wanted: dict[str, Any], begun: Any, tmp_path: Path
) -> None:
    told = asdict(session.Wanted(**wanted))
    found = module._warming(told, [Node(cpus=2)], tmp_path)
    assert found == (begun and {"resources": begun[0], "storage": str(tmp_path / "tune"), "warm": begun[1]})
    many = module._warming(asdict(session.Wanted(cores=1)), [Node(cpus=64)], tmp_path)
    assert many is not None
    assert many["warm"] == 4


def test_what_happens_to_trials_is_told_by_name(ends: tuple[Link, Connection]) -> None:
    link, sweep = ends

    def trial(error: Any = None, node: str | None = "10.0.0.7") -> Any:
        return SimpleNamespace(
            config={"trial": {"name": "a"}},
            get_pickled_error=lambda: error if isinstance(error, Exception) else None,
            get_error=lambda: error if isinstance(error, str) else None,
            temporary_state=SimpleNamespace(location=SimpleNamespace(hostname=node)),
        )

    relay = Relay(link)
    relay.on_trial_start(0, [], trial())
    relay.on_trial_result(0, [], trial(), {"told": {"epoch": 3}, "training_iteration": 1})
    relay.on_trial_result(0, [], trial(), {"done": True})  # one of Tune's own
    relay.on_trial_complete(0, [], trial())
    relay.on_trial_error(0, [], trial(RuntimeError("broken")))
    relay.on_trial_error(0, [], trial("ray::x\nOSError: gone"))
    relay.on_trial_error(0, [], trial(node=None))
    assert told(sweep) == [
        ("started", "a"),
        ("reported", "a", {"epoch": 3}, "10.0.0.7"),
        ("ended", "a", None, "10.0.0.7"),
        ("ended", "a", "broken", "10.0.0.7"),
        ("ended", "a", "ray::x\nOSError: gone", "10.0.0.7"),
        ("ended", "a", "its process ended", None),
    ]


def test_ray_can_store_what_it_is_given(given: dict[str, Any], tmp_path: Path) -> None:
    """Which it does before anything runs; nobody reads it."""
    for stored in (given["tune_config"], given["run_config"]):
        cloudpickle.loads(cloudpickle.dumps(stored))
    searcher = given["tune_config"].search_alg
    searcher.save_to_dir(str(tmp_path))
    searcher.restore(str(tmp_path / "nothing"))


def test_a_server_that_ended_is_told_though_ray_waits_for_its_answer(
    ends: tuple[Link, Connection], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Ray asks a store of metadata that was killed for a minute; its process tells of that at once."""
    link, end = ends
    asked, over = threading.Event(), threading.Event()

    def nodes() -> list[Any]:
        asked.set()
        threading.Event().wait()  # for ever
        return []

    @contextlib.contextmanager
    def session(*_: Any) -> Iterator[None]:
        yield

    monkeypatch.setitem(sys.modules, "mlflow", sys.modules.get("mlflow", ModuleType("mlflow")))  # stays
    monkeypatch.setattr(module, "_leave_signals", lambda: None)
    monkeypatch.setattr(module, "_end_with", lambda *_: None)
    monkeypatch.setattr(module, "PULSE_S", 0.01)
    monkeypatch.setattr(module, "Link", lambda _: link)
    monkeypatch.setattr(module, "Connection", lambda _: None)
    monkeypatch.setattr(module, "ray_session", session)
    monkeypatch.setattr(module, "nodes_of_cluster", list)
    monkeypatch.setattr(module.ray, "nodes", nodes)
    monkeypatch.setattr(module, "servers_that_ended", lambda: ["gcs_server"] if asked.is_set() else [])
    wanted = json.dumps({"address": None, "cores": None})

    def serve() -> None:
        module.main("0", str(tmp_path), wanted)
        over.set()

    threading.Thread(target=serve, daemon=True).start()
    assert end.recv() == ("cluster", [], None)
    assert end.poll(20)
    assert end.recv() == ("over", "its gcs_server ended")
    end.send(None)
    assert over.wait(20)
