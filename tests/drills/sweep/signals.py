"""Drills: a sweep is told to end, at various moments."""

import os
import signal
from pathlib import Path

from tests.drills.sweep.checks import ended
from tests.drills.sweep.world import Driver, World, expect

LOADERS = ("--set", "data.workers=2")


def sigterm_start(world: World) -> None:
    """While the dataset is looked at, when nothing is begun yet; then while Ray starts; then while trials
    import what they need."""
    driver = world.start(*LOADERS)
    world.until((world.sweep / ".claim").exists, "the folder is claimed")
    driver.signal(signal.SIGSTOP)
    begun = world.begun()
    driver.signal(signal.SIGTERM)
    driver.signal(signal.SIGCONT)
    expect(not begun, "the drill came too late")
    ended(world, driver, 75, told=False)
    driver = world.start(*LOADERS)
    world.until(world.begun, "the sweep is noted")
    driver.signal(signal.SIGTERM)
    ended(world, driver, 75)
    driver = world.start_again()
    world.until(lambda: "trials: loading" in driver.said, "trials import")
    driver.signal(signal.SIGTERM)
    ended(world, driver, 75)
    world.go_on()


def sigterm_epoch(world: World) -> None:
    """While trials train."""
    _in_an_epoch(world, world.start(*LOADERS), signal.SIGTERM, 75)
    world.go_on()


def sigterm_test(world: World) -> None:
    """While a trial is tested, all its epochs being over: it is tested again."""
    driver = world.start(*LOADERS)
    world.until(lambda: bool(_tested(world)), "a trial is tested")
    driver.signal(signal.SIGTERM)
    ended(world, driver, 75)
    expect(world.results() < len(world.ground.names), "the drill came too late")
    world.go_on()


def _tested(world: World) -> list[Path]:
    """Trials whose test has begun, and not ended."""
    begun = [file.parent for file in world.sweep.glob("trials/*/validation.parquet")]
    return [folder for folder in begun if not (folder / "result.json").exists()]


def sigterm_report(world: World) -> None:
    """When all trials have ended: it comes too late, and costs nothing."""
    world.full = True
    driver = world.start(*LOADERS)
    world.until(lambda: world.results() == len(world.ground.names), "all trials finish")
    driver.signal(signal.SIGTERM)
    ended(world, driver, 0, 75, told=False)
    world.go_on()


def sigint_sighup(world: World) -> None:
    """Ctrl-C while trials train; going on, a terminal is closed."""
    _in_an_epoch(world, world.start(*LOADERS), signal.SIGINT, 130)
    _in_an_epoch(world, world.start_again(), signal.SIGHUP, 75)
    world.go_on()


def _in_an_epoch(world: World, driver: Driver, which: signal.Signals, code: int) -> None:
    world.in_an_epoch()
    driver.signal(which)
    ended(world, driver, code)
    expect(f"interrupted: {which.name}" in driver.said, "the driver did not say what interrupted it")


def preempted(world: World) -> None:
    """A batch system signals every process at once, and again."""
    driver = world.start(*LOADERS)
    world.in_an_epoch()
    everyone = world.look()
    for _ in range(2):
        for process in everyone:
            try:
                os.kill(process, signal.SIGTERM)
            except ProcessLookupError:
                continue
    ended(world, driver, 75)
    world.go_on()


DRILLS = (sigterm_start, sigterm_epoch, sigterm_test, sigterm_report, sigint_sighup, preempted)
