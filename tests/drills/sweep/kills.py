"""Drills: processes of a sweep are killed, without a chance to say anything."""

import os
import signal

from tests.drills.sweep.checks import ended
from tests.drills.sweep.nodes import two_nodes
from tests.drills.sweep.world import Differs, World, expect, kill


def kill_trial(world: World) -> None:
    """Its process is started again, and nobody else notices."""
    driver = world.start()
    kill(world.process_of(world.in_an_epoch(trials=1)[0]))
    expect(driver.wait() == 0, f"the driver ended with {driver.process.returncode}")


def kill_driver(world: World) -> None:
    """What it started ends by itself; the same call goes on."""
    world.full = True
    driver = world.start()
    world.in_an_epoch()
    driver.kill()
    world.expect_nobody()
    world.go_on()


def kill_gcs(world: World) -> None:
    """Ray's store of metadata."""
    _kill_one(world, "gcs_server")


def kill_raylet(world: World) -> None:
    """Ray's server of this machine."""
    _kill_one(world, "raylet/raylet")


def kill_holder(world: World) -> None:
    """The process that holds Ray."""
    _kill_one(world, "-c", "sweeps.running.tune")


def _kill_one(world: World, *parts: str) -> None:
    driver = world.start()
    world.in_an_epoch()
    found = world.processes.named(*parts)
    if not found:
        raise Differs(f"no process {' '.join(parts)}")
    kill(min(found))
    ended(world, driver, 75)
    world.go_on()


def kill_node(world: World) -> None:
    """One of two: its trial goes on on the other one."""
    with two_nodes(world) as (address, second):
        driver = world.start("--ray-address", address)
        world.in_an_epoch()
        for process in world.processes.now():
            if os.getsid(process) == second:
                os.kill(process, signal.SIGKILL)
        expect(driver.wait() == 0, f"the driver ended with {driver.process.returncode}")


DRILLS = (kill_trial, kill_driver, kill_gcs, kill_raylet, kill_holder, kill_node)
