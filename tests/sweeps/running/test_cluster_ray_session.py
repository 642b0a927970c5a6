"""How Ray is started or joined, with what time, and what its trials are told; Ray itself is made up."""

from pathlib import Path
from typing import Any

import pytest
import ray

from epropnp.errors import UserError
from sweeps.running import cluster
from sweeps.running.cluster import Node, environment, nodes_of_cluster, ray_session

OURS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "inf",
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_worker_niceness": "0",
    "RAY_prestart_worker_first_driver": "0",
}


@pytest.mark.parametrize(("address", "more"), [(None, {"alone": "yes"}), ("auto", {})])
def test_the_environment_holds_what_ray_needs_alone_and_in_a_cluster(
    monkeypatch: pytest.MonkeyPatch, address: str | None, more: dict[str, str]
) -> None:
    monkeypatch.setattr(cluster, "private_environment", lambda: {"alone": "yes"})
    for name in OURS:
        monkeypatch.delenv(name, raising=False)
    assert environment(address) == OURS | more


def test_the_users_own_settings_win(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OURS:
        monkeypatch.setenv(name, "mine")
    assert environment("auto") == dict.fromkeys(OURS, "mine")


def test_a_ray_of_ones_own_has_time_to_start_on_a_busy_machine() -> None:
    own = environment(None)
    assert [own[f"RAY_{what}_wait_time_s"] for what in ("raylet_start", "gcs_server_port")] == ["90", "90"]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What Ray is asked for, in order."""
    calls: list[Any] = []
    monkeypatch.setattr(ray, "init", lambda address, **options: calls.append((address, options)))
    monkeypatch.setattr(ray, "shutdown", lambda: calls.append("shutdown"))
    return calls


def test_ray_is_started_on_this_machine_for_this_process(started: list[Any], tmp_path: Path) -> None:
    with ray_session(None, tmp_path):
        started.append("trials")
    (address, options), *rest = started
    assert address == "local"
    assert options["_temp_dir"] == str(tmp_path / "s")
    assert options["runtime_env"]["env_vars"]["OMP_WAIT_POLICY"] == "PASSIVE"
    assert rest == ["trials", "shutdown"]


def test_a_cluster_is_joined_as_it_is_and_left_after_an_error(started: list[Any], tmp_path: Path) -> None:
    with pytest.raises(KeyError), ray_session("head:6379", tmp_path):
        raise KeyError
    (address, options), *rest = started
    assert address == "head:6379"
    assert not {"num_cpus", "object_store_memory", "include_dashboard"} & set(options)
    assert options["runtime_env"]["env_vars"]["OMP_WAIT_POLICY"] == "PASSIVE"
    assert rest == ["shutdown"]


@pytest.mark.parametrize("kind", [ConnectionError, ValueError, RuntimeError])
def test_a_cluster_that_is_not_there_is_the_users_error(
    monkeypatch: pytest.MonkeyPatch, kind: type[Exception], tmp_path: Path
) -> None:
    def fail(address: str, **options: Any) -> None:
        raise kind("nobody answers")

    monkeypatch.setattr(ray, "init", fail)
    with (
        pytest.raises(UserError, match=r"no Ray cluster at head:6379 \(nobody answers\)"),
        ray_session("head:6379", tmp_path),
    ):
        pass


def test_the_nodes_that_live_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(alive: bool, **resources: float) -> dict[str, Any]:
        return {"Alive": alive, "Resources": resources}

    nodes = [found(True, CPU=8.0), found(True, CPU=16.0, GPU=2.0), found(False, CPU=64.0), found(True)]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    assert nodes_of_cluster() == [Node(cpus=8), Node(cpus=16, gpus=2), Node(cpus=0)]
