"""Ray, started for one sweep or joined, and how its cores and GPUs are shared among trials."""

import contextlib
import logging
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from epropnp.errors import UserError

# Threads of a trial sleep while they wait: spinning ones make trials that share a machine several
# times slower. How many there are, a trial's config says.
WORKER_ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", "RAY_USAGE_STATS_ENABLED": "0"}
OBJECT_STORE_BYTES = 100 * 2**20  # trials read the dataset by memory map: Ray carries only metrics
START_SECONDS = 90  # a busy machine needs more than the 30 s that Ray waits for its own processes
START_ATTEMPTS = 3  # its node gives up when one of its helpers takes 15 s, which no setting changes
START_FAILED = "timed out during startup"  # words of a plain Exception

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Share:
    """What each of the trials that run at once may use."""

    at_once: int
    cpus: int
    gpus: float  # a fraction when several trials share one device


def share_out(trials: int, wanted: int | None, threads: int, cpus: int, gpus: int, node_cpus: int) -> Share:
    """Divide a machine or a cluster among trials.

    Args:
        trials: how many there are.
        wanted: how many shall run at once; None: one per GPU, or as many as the cores have threads for.
        threads: CPU threads of a trial. Its config fixes them, for they decide how sums are rounded.
        cpus, gpus: of the whole cluster.
        node_cpus: cores of the largest node, which bound what one trial can get.
    """
    at_once = min(trials, wanted or gpus or max(1, cpus // threads))
    gpu_share = 0.0
    if gpus:
        gpu_share = 1.0 if at_once <= gpus else 1.0 / math.ceil(at_once / gpus)
    return Share(at_once=at_once, cpus=max(1, min(cpus // at_once, node_cpus)), gpus=round(gpu_share, 4))


def local_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def set_environment(address: str | None) -> None:
    """Environment of this process, before its first import of Ray; the user's own settings win.

    On one machine Ray runs without a password and therefore on the loopback interface alone: the
    variable named after other systems is what makes it bind there.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Our callbacks show and record the trials; Ray's own loggers would write everything again.
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # the output that callbacks can replace
    # Ctrl-C ends the sweep at once: trials continue from their own checkpoints.
    os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # Ray runs its workers at niceness 15: beside any other process trials would all but stand still. Who
    # wants to be nice to others says so for the whole command: `nice python sweeps/backbones.py`.
    os.environ.setdefault("RAY_worker_niceness", "0")
    # For its store of metadata, and for the node: each is asked for until it answers.
    os.environ.setdefault("RAY_gcs_server_port_wait_time_s", str(START_SECONDS))
    os.environ.setdefault("RAY_raylet_start_wait_time_s", str(START_SECONDS))
    if address is None:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        os.environ["RAY_AUTH_MODE"] = "disabled"


@contextlib.contextmanager
def ray_session(address: str | None) -> Iterator[None]:
    """Start Ray on this machine's loopback interface, or join a cluster; leave it at the end.

    `set_environment` has run: by now Ray may be imported, and would not look at its variables again.

    Raises:
        UserError: there is no cluster at that address.
    """
    import ray

    options: dict[str, Any] = {
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "runtime_env": {"env_vars": WORKER_ENVIRONMENT},
    }
    if address is None:
        options |= {
            "num_cpus": local_cores(),
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE_BYTES,
        }
    try:
        _init(address, options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        if address is None:
            raise
        raise UserError(f"--ray-address: no Ray cluster at {address} ({error})") from error
    try:
        yield
    finally:
        ray.shutdown()


def _init(address: str | None, options: dict[str, Any]) -> None:
    """`ray.init`, repeated where this machine was too busy to start Ray in time."""
    import ray

    for _ in range(START_ATTEMPTS - 1):
        try:
            ray.init(address or "local", **options)
            return
        except Exception as error:
            if address is not None or START_FAILED not in str(error):
                raise
            log.warning("Ray did not start in time on this busy machine: trying again")
    ray.init(address or "local", **options)


def share_of_cluster(trials: int, wanted: int | None, threads: int) -> Share:
    """`share_out` for the Ray that this process is connected to."""
    import ray

    total = ray.cluster_resources()
    nodes = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
    return share_out(
        trials, wanted, threads, int(total.get("CPU", 1)), int(total.get("GPU", 0)), int(max(nodes))
    )
