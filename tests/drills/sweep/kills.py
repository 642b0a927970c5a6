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


def kill_ray(world: World) -> None:
    """Ray's store of metadata; going on, its server of this machine; then the process that holds it."""
    driver = world.start()
    for parts in (("gcs_server",), ("raylet/raylet",), ("-c", "sweeps.running.tune")):
        world.in_an_epoch()
        found = world.processes.named(*parts)
        if not found:
            raise Differs(f"no process {' '.join(parts)}")
        kill(min(found))
        ended(world, driver, 75)
        driver = world.start_again()
    expect(driver.wait() == 0, f"going on ended with {driver.process.returncode}")


def kill_node(world: World) -> None:
    """One of two: its trial goes on on the other one."""
    with two_nodes(world) as (address, second):
        driver = world.start("--ray-address", address)
        world.in_an_epoch()
        for process in world.processes.now():
            if os.getsid(process) == second:
                os.kill(process, signal.SIGKILL)
        expect(driver.wait() == 0, f"the driver ended with {driver.process.returncode}")


DRILLS = (kill_trial, kill_driver, kill_ray, kill_node)
