"""Drills of files: full disks, damaged files, and two drivers on one folder."""

import subprocess
import time
from pathlib import Path

from tests.drills.sweep.checks import ended, interrupted, refused, runs
from tests.drills.sweep.world import END_S, Skipped, World, expect

SMALL = "size=64m"


def disk_checkpoint(world: World) -> None:
    """No room where trials write; with some again, the same call goes on."""
    (world.sweep / "trials").mkdir(parents=True, mode=0o700)
    mount(world, world.sweep / "trials", "-t", "tmpfs", "-o", SMALL, "none")
    driver = world.start()
    world.in_an_epoch()
    filler = fill(world.sweep / "trials")
    ended(world, driver, 1, 2, told=False)  # 2 where the folder of another trial could not be made
    expect("free some space, then resume" in driver.said, "nothing was said of the full disk")
    filler.unlink()
    world.go_on()


def disk_spool(world: World) -> None:
    """No room where records wait and tables are written, for a while."""
    _small_sweep(world)
    driver = world.start()
    world.in_an_epoch()
    filler = fill(world.sweep)
    world.until(lambda: world.results() >= 2, "two trials finish")
    filler.unlink()
    expect(driver.wait() == 0, f"the driver ended with {driver.process.returncode}")


def disk_report(world: World) -> None:
    """No room for tables and pictures: the tables are shown all the same, and what is missing is said."""
    world.full = True
    _small_sweep(world)
    driver = world.start()
    world.until(lambda: world.results() >= 3, "three trials finish")
    filler = fill(world.sweep)
    ended(world, driver, 0, told=False)
    missing = [line for line in driver.said.splitlines() if "is not made: " in line]
    expect(any("[Errno 28]" in line for line in missing), "nothing was said of what was not made")
    filler.unlink()
    world.go_on()


def _small_sweep(world: World) -> None:
    """The sweep's folder has little room; those of its trials have enough."""
    trials, elsewhere = world.sweep / "trials", world.folder / "trials"
    elsewhere.mkdir()
    world.sweep.mkdir(mode=0o700)
    mount(world, world.sweep, "-t", "tmpfs", "-o", SMALL, "none")
    trials.mkdir()
    mount(world, trials, "--bind", str(elsewhere))


def damaged_predictions(world: World) -> None:
    """Of one trial: all others stand in the table; its test is repeated as the line advises."""
    world.full = True
    driver = world.start()
    world.until(lambda: world.results() >= 1, "a trial finishes")
    folder = next(file.parent for file in world.sweep.glob("trials/*/result.json"))
    world.until(lambda: not (folder / ".claim").exists(), "it lets go of its folder")
    (folder / "predictions.parquet").write_bytes(b"no parquet at all")
    code = driver.wait()
    expect(code == 1, f"the driver ended with {code}")
    table = (world.sweep / "table.csv").read_text()
    expect(table.count("finished") == len(world.ground.names) - 1, "the others are not in the table")
    advice = f"remove {folder / 'result.json'}"
    expect(advice in (world.sweep / "table.md").read_text(), "there is no advice")
    (folder / "result.json").unlink()
    world.go_on()


def damaged_trial(world: World) -> None:
    """Of two that were interrupted: `trial.json` mends itself, `status.json` as its line advises."""
    one, other = interrupted(world, trials=2)
    (one / "trial.json").write_bytes(b"{")
    (other / "status.json").write_bytes((other / "status.json").read_bytes()[:100])
    code = world.start().wait()
    said = world.last.said
    expect(code != 0 and "status.json is damaged" in said, f"it ended with {code} without saying why")
    expect((one / "result.json").exists(), "the trial without its trial.json has not finished")
    (other / "status.json").unlink()
    world.go_on()


def damaged_sweep(world: World) -> None:
    """`sweep.json`: the trials tell what was in it."""
    interrupted(world)
    (world.sweep / "sweep.json").write_bytes(b"")
    world.go_on()


def two_drivers(world: World) -> None:
    """Of one name, started together: one runs. `--resume` beside it is sent away, and it notices nothing."""
    drivers = [world.start(), world.start()]
    end_s = time.monotonic() + END_S
    while not (over := [driver for driver in drivers if driver.process.poll() is not None]):
        expect(time.monotonic() < end_s, "both run")
        time.sleep(0.1)
    expect(len(over) == 1, f"both ended: {over[0].said[-200:]!r}")
    (other,) = over
    (holder,) = (driver for driver in drivers if driver is not other)
    refused(world, other, holder)
    world.last = holder
    world.in_an_epoch(trials=1)
    told = ["sweeps/backbones.py", "--resume", "--name", world.name, "--out", str(world.out)]
    refused(world, world.start(words=told), holder)
    code = holder.wait()
    expect(code == 0, f"the driver that ran ended with {code}")
    parents = [run for run in runs(world) if run.info.run_name == world.name]
    expect(len(parents) == 1, f"{len(parents)} parent runs")


def mount(world: World, place: Path, *words: str) -> None:
    """Mount something, until the drill is over; Skipped where that is not allowed."""
    done = subprocess.run(["mount", *words, str(place)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Skipped(f"mounts are not allowed here ({done.stderr.strip().splitlines()[-1]})")
    world.stack.callback(subprocess.run, ["umount", "--lazy", str(place)], check=False)


def fill(folder: Path) -> Path:
    """A file that takes all room that is left; removed, the room is there again."""
    file = folder / "filler"
    with file.open("wb", buffering=0) as stream:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while stream.write(b"\0" * size) == size:
                    pass
            except OSError:
                continue
    return file


DRILLS = (
    disk_checkpoint,
    disk_spool,
    disk_report,
    damaged_predictions,
    damaged_trial,
    damaged_sweep,
    two_drivers,
)
