"""Ray, started for one sweep or joined, and how its cores and GPUs are shared among trials."""

import contextlib
import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from epropnp.cores import LOADERS
from epropnp.errors import UserError
from pipelines.building.private_ray import private_environment, private_ray

# Threads of a trial sleep while they wait: spinning ones make trials that share a machine several
# times slower. How many there are, a trial's config says.
WORKER_ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", "RAY_USAGE_STATS_ENABLED": "0"}
DIGITS = 4  # of a fraction, as Ray counts them


@dataclass(frozen=True, kw_only=True)
class Node:
    """What a machine of a cluster has for trials."""

    cpus: float
    gpus: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Share:
    """What each of the trials that run at once may use."""

    at_once: int
    cpus: float
    gpus: float = 0.0  # a fraction when several trials share one device
    more: Mapping[str, float] = field(default_factory=dict)  # what else it asks a cluster for

    @property
    def resources(self) -> dict[str, float]:
        """As Ray is asked for them."""
        return {"cpu": self.cpus, "gpu": self.gpus, **self.more}


def share_out(
    trials: int,
    wanted: int | None,
    cores: int,
    nodes: Sequence[Node],
    more: Mapping[str, float] = MappingProxyType({}),
) -> Share:
    """Divide a machine or a cluster among trials.

    Args:
        trials: how many there are.
        wanted: how many shall run at once; None: one per GPU, or as many as the cores are enough for.
        cores: what a trial keeps busy: its threads, which its config fixes, for they decide how sums are
            rounded, and its loader's workers. It gets less where so many trials, or all GPUs, cannot be used
            otherwise, and with a GPU, which more loaders keep busy, what is there.
        nodes: those that live; a cluster may have none yet that trials can use, and start them when they are
            asked for.
        more: resources that each trial asks for besides, or, of `cpu` and `gpu`, instead.
    """
    devices = int(sum(node.gpus for node in nodes))
    most = devices or max(1, _fitting(nodes, cores, 0.0))
    at_once = min(trials, wanted or (most if any(node.cpus for node in nodes) else trials))
    gpus = _below(1 / math.ceil(at_once / devices)) if devices else 0.0
    halves = [_below(1 / parts) for parts in range(2, at_once + 1)]
    with_loaders = cores + (LOADERS if devices else 0)
    for cpus in (*range(with_loaders, 0, -1), *halves):
        if _fitting(nodes, cpus, gpus) >= at_once:
            return Share(at_once=at_once, cpus=cpus, gpus=more.get("gpu", gpus), more=more)
    return Share(at_once=at_once, cpus=cores, gpus=more.get("gpu", gpus), more=more)


def told(nodes: Sequence[Node], here: bool) -> str:
    """What they have, such as `24 cores, 4 GPUs on 3 machines`; `here`: all are this machine."""
    cores, gpus = sum(node.cpus for node in nodes), sum(node.gpus for node in nodes)
    found = [_counted(cores, "core"), *([_counted(gpus, "GPU")] if gpus else [])]
    return f"{', '.join(found)} on {'this machine' if here else _counted(len(nodes), 'machine')}"


def _counted(count: float, what: str) -> str:
    return f"{count:g} {what}" + "s" * (count != 1)


def _fitting(nodes: Sequence[Node], cpus: float, gpus: float) -> int:
    """How many trials with such a share run at once."""
    found = 0
    for node in nodes:
        of_cpus = math.floor(node.cpus / cpus)
        found += min(of_cpus, math.floor(node.gpus / gpus)) if gpus else of_cpus
    return found


def _below(value: float) -> float:
    """Rounded down, so that as many as are counted on do fit."""
    return math.floor(value * 10**DIGITS) / 10**DIGITS


def environment(address: str | None) -> dict[str, str]:
    """Variables of the process that holds Ray, from its start on; the user's own settings win.

    On one machine that does not hold for what keeps others out.
    """
    usual = {
        "RAY_USAGE_STATS_ENABLED": "0",
        # Our own listeners show and record the trials; Ray's loggers would write everything again.
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "RAY_AIR_NEW_OUTPUT": "0",  # the output that callbacks can replace
        "TUNE_DISABLE_SIGINT_HANDLER": "1",  # trials continue from their own checkpoints
        "TUNE_GLOBAL_CHECKPOINT_S": "inf",  # of what nobody reads
        "TUNE_MAX_PENDING_TRIALS_PG": "1000",  # the sweep says how many; else one starts after the other
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        # Ray runs its workers at niceness 15: beside any other process trials would all but stand still. Who
        # wants to be nice to others says so for the whole command: `nice python sweeps/backbones.py`.
        "RAY_worker_niceness": "0",
        # Nor may it start a process per core before any is needed: Tune asks for others, whose environment is
        # its own, and these would only take the cores from them.
        "RAY_prestart_worker_first_driver": "0",
    }
    own = {key: os.environ.get(key, value) for key, value in usual.items()}
    return own | (private_environment() if address is None else {})


@contextlib.contextmanager
def ray_session(address: str | None, folder: Path) -> Iterator[None]:
    """Start a Ray of one's own on this machine, or join a cluster; leave it at the end.

    This process was started with the variables of `environment`.

    Args:
        address: of the cluster; None: this machine.
        folder: for what a Ray of one's own writes.

    Raises:
        UserError: there is no cluster at that address, or Ray does not start here.
    """
    import ray

    variables = {"env_vars": WORKER_ENVIRONMENT}
    if address is None:
        with private_ray(folder, runtime_env=variables):
            yield
        return
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, runtime_env=variables)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UserError(f"--ray-address: no Ray cluster at {address} ({error})") from error
    try:
        yield
    finally:
        ray.shutdown()


def nodes_of_cluster() -> list[Node]:
    """Those that live, of the Ray that this process is connected to."""
    import ray

    alive = (node["Resources"] for node in ray.nodes() if node["Alive"])
    return [Node(cpus=found.get("CPU", 0.0), gpus=found.get("GPU", 0.0)) for found in alive]


def servers_that_ended() -> list[str]:
    """Those without which Ray answers nobody, of a Ray that this process started."""
    from ray._private.worker import global_worker

    node = global_worker.node  # None in a cluster that was joined
    ended = [] if node is None else [name for name, _ in node.dead_processes()]
    return [name for name in ended if name in ("gcs_server", "raylet")]
