"""How Ray is started or joined, with what time, and what its trials are told; Ray itself is made up."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray

from epropnp.errors import UserError
from sweeps.running import cluster
from sweeps.running.cluster import Share, ray_session, set_environment, share_of_cluster

OURS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_worker_niceness": "0",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An empty environment in the place of the process's own; `alone` where Ray is for this process only."""
    empty: dict[str, str] = {}
    monkeypatch.setattr(cluster, "os", SimpleNamespace(environ=empty))
    monkeypatch.setattr(cluster, "set_private_environment", lambda: empty.update(alone="yes"))
    return empty


@pytest.mark.parametrize(("address", "more"), [(None, {"alone": "yes"}), ("auto", {})])
def test_the_environment_holds_what_ray_needs_alone_and_in_a_cluster(
    environment: dict[str, str], address: str | None, more: dict[str, str]
) -> None:
    set_environment(address)
    assert environment == OURS | more


def test_the_users_own_settings_win(environment: dict[str, str]) -> None:
    environment.update(dict.fromkeys(OURS, "mine"))
    set_environment("auto")
    assert environment == dict.fromkeys(OURS, "mine")


def test_ray_has_time_to_start_on_a_busy_machine_before_it_is_imported() -> None:
    """Ray reads the times that it waits for its own processes once, when it is imported."""
    program = """if True:
        import os, sys
        from pathlib import Path
        from sweeps import backbones, describe, forecast, space, sweep  # all that comes before
        set_environment = sweep.set_environment
        def noted(address):
            assert "ray" not in sys.modules
            set_environment(address)
            print(*(os.environ[f"RAY_{what}_wait_time_s"] for what in ("raylet_start", "gcs_server_port")))
            raise SystemExit(7)
        sweep.set_environment = noted
        sweep.run([], "no dataset", Path("no folder"))
    """
    own = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "TUNE_"))}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(cluster.__file__).parents[2],
        env=own,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split()) == (7, ["90", "90"]), done.stderr


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What Ray is asked for, in order."""
    calls: list[Any] = []
    monkeypatch.setattr(ray, "init", lambda address, **options: calls.append((address, options)))
    monkeypatch.setattr(ray, "shutdown", lambda: calls.append("shutdown"))
    return calls


def test_ray_is_started_on_this_machine_for_this_process(started: list[Any]) -> None:
    with ray_session(None):
        started.append("trials")
    (address, options), *rest = started
    assert address == "local"
    assert "_temp_dir" in options
    assert options["runtime_env"]["env_vars"]["OMP_WAIT_POLICY"] == "PASSIVE"
    assert rest == ["trials", "shutdown"]


def test_a_cluster_is_joined_as_it_is_and_left_after_an_error(started: list[Any]) -> None:
    with pytest.raises(KeyError), ray_session("head:6379"):
        raise KeyError
    (address, options), *rest = started
    assert address == "head:6379"
    assert not {"num_cpus", "object_store_memory", "include_dashboard"} & set(options)
    assert options["runtime_env"]["env_vars"]["OMP_WAIT_POLICY"] == "PASSIVE"
    assert rest == ["shutdown"]


@pytest.mark.parametrize("kind", [ConnectionError, ValueError, RuntimeError])
def test_a_cluster_that_is_not_there_is_the_users_error(
    monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    def fail(address: str, **options: Any) -> None:
        raise kind("nobody answers")

    monkeypatch.setattr(ray, "init", fail)
    with (
        pytest.raises(UserError, match=r"no Ray cluster at head:6379 \(nobody answers\)"),
        ray_session("head:6379"),
    ):
        pass


def _node(cpus: float | None, alive: bool = True) -> dict[str, Any]:
    return {"Alive": alive, "Resources": {} if cpus is None else {"CPU": cpus}}


def test_the_share_counts_the_whole_cluster_and_the_largest_living_node(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 24.0, "GPU": 2.0})
    nodes = [_node(8.0), _node(16.0), _node(64.0, alive=False), _node(None)]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    assert share_of_cluster(1, None, 1) == Share(at_once=1, cpus=16, gpus=1.0)
    assert share_of_cluster(9, None, 1) == Share(at_once=2, cpus=12, gpus=1.0)
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 24.0})
    assert share_of_cluster(9, None, 4) == Share(at_once=6, cpus=4, gpus=0.0)
    assert share_of_cluster(9, 5, 1) == Share(at_once=5, cpus=4, gpus=0.0)
