"""Ray, started for one sweep or joined, and how its cores and GPUs are shared among trials."""

import contextlib
import logging
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass

from epropnp.errors import UserError
from pipelines.building.private_ray import private_ray, set_private_environment

# Threads of a trial sleep while they wait: spinning ones make trials that share a machine several
# times slower. How many there are, a trial's config says.
WORKER_ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", "RAY_USAGE_STATS_ENABLED": "0"}


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


def set_environment(address: str | None) -> None:
    """Environment of this process, before its first import of Ray; the user's own settings win.

    On one machine that does not hold for what keeps others out.
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
    if address is None:
        set_private_environment()


@contextlib.contextmanager
def ray_session(address: str | None) -> Iterator[None]:
    """Start a Ray of one's own on this machine, or join a cluster; leave it at the end.

    `set_environment` has run: by now Ray may be imported, and would not look at its variables again.

    Raises:
        UserError: there is no cluster at that address, or Ray does not start here.
    """
    import ray

    environment = {"env_vars": WORKER_ENVIRONMENT}
    if address is None:
        with private_ray(runtime_env=environment):
            yield
        return
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, runtime_env=environment)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UserError(f"--ray-address: no Ray cluster at {address} ({error})") from error
    try:
        yield
    finally:
        ray.shutdown()


def share_of_cluster(trials: int, wanted: int | None, threads: int) -> Share:
    """`share_out` for the Ray that this process is connected to."""
    import ray

    total = ray.cluster_resources()
    nodes = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
    return share_out(
        trials, wanted, threads, int(total.get("CPU", 1)), int(total.get("GPU", 0)), int(max(nodes))
    )
