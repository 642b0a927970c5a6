"""Drills of MLflow: a server that is not there, hangs or goes; records that others deleted or moved."""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from mlflow import MlflowClient

from sweeps.tracking.experiment import DATABASE, EXPERIMENT
from tests.drills.sweep.checks import interrupted, whole
from tests.drills.sweep.world import Driver, Skipped, World, expect
from tests.sweeps.tracking.server import Server

WAITS = "MLflow has not heard of all this yet"
AWAY_S = 5.0
USER, GROUP = "nobody", "nogroup"  # whom PostgreSQL runs as, where we are root; it wants a name


def mlflow_refused(world: World) -> None:
    """Nobody listens from the start on; later there is a server."""
    server = _server(world)
    _ends_and_says_what_waits(world.start())
    server.start()
    world.go_on()


def mlflow_hung(world: World) -> None:
    """It takes what is sent and answers nothing, until the sweep has ended."""
    server, driver = _with_a_server(world)
    server.signal(signal.SIGSTOP)
    code = driver.wait()
    server.signal(signal.SIGCONT)
    expect(code == 0, f"the sweep ended with {code}")
    expect(WAITS in driver.said, "nothing was said of the records that wait")
    world.go_on()


def mlflow_gone(world: World) -> None:
    """Nobody listens from the start on; going on, there is a server, which goes for good; a later call sends
    all to another one on the same database."""
    server = _server(world)
    interrupted(world)
    server.start()
    driver = world.start_again()
    world.in_an_epoch()
    server.kill()
    _ends_and_says_what_waits(driver)
    _server(world).start()
    world.go_on()


def mlflow_back(world: World) -> None:
    """Gone for some seconds."""
    server, driver = _with_a_server(world)
    server.kill()
    time.sleep(AWAY_S)
    server.start()
    expect(driver.wait() == 0, f"the sweep ended with {driver.process.returncode}")
    expect(WAITS not in driver.said, "records still wait")


def half_line(world: World) -> None:
    """Records wait, a kill leaves half a line, and there is another tracking server later."""
    world.environment["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:9"
    driver = world.start()
    world.in_an_epoch()
    driver.kill()
    world.expect_nobody()
    spool = world.sweep / "mlflow-spool.jsonl"
    content = spool.read_bytes()
    expect(content.count(b"\n") > 3, "the spool holds next to nothing")
    spool.write_bytes(content[: -len(content.splitlines()[-1]) // 2 - 1])
    world.environment["MLFLOW_TRACKING_URI"] = None
    world.go_on()


def deleted_experiment(world: World) -> None:
    """In the UI, while the sweep is interrupted."""
    interrupted(world)
    client = MlflowClient(world.tracking)
    found = client.get_experiment_by_name(EXPERIMENT)
    assert found is not None
    client.delete_experiment(found.experiment_id)
    world.go_on()


def moved_runs(world: World) -> None:
    """The working folder lies elsewhere when the sweep is gone on with, and its old place cannot be made."""
    interrupted(world)
    new = world.folder / "moved"
    world.out.rename(new)
    world.out.write_text("in the way")
    world.out, world.database = new, new / DATABASE
    code = world.start().wait()
    expect(code == 0, f"going on elsewhere ended with {code}")


def two_sweeps(world: World) -> None:
    """At once, on one database that is not there yet."""
    world.database.unlink()
    first = world.start("--trials-at-once", "1", name="other")
    second = world.start("--trials-at-once", "1")
    codes = [first.wait(), second.wait()]
    expect(codes == [0, 0], f"they ended with {codes}")
    world.expect_nobody()
    differences = whole(world, "other")
    expect(not differences, f"the other: {'; '.join(differences)}")


def postgres(world: World) -> None:
    """An MLflow server on PostgreSQL is killed in the middle, and started again."""
    world.other_database = _postgres(world)
    server = _server(world)
    server.database = world.other_database
    server.start()
    driver = world.start()
    world.in_an_epoch()
    server.kill()
    time.sleep(AWAY_S)
    server.start()
    expect(driver.wait() == 0, f"the sweep ended with {driver.process.returncode}")


def _postgres(world: World) -> str:
    """Start a PostgreSQL of one's own, which ends with the drill; its address."""
    if importlib.util.find_spec("psycopg") is None:
        raise Skipped("psycopg is not installed: .[infra]")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise Skipped("PostgreSQL is not installed")
    programs, data = found[-1].parent, world.temporary / "pg"
    data.mkdir()
    user: list[str] = []
    if os.geteuid() == 0:  # as which it does not run
        user = ["setpriv", f"--reuid={USER}", f"--regid={GROUP}", "--clear-groups"]
        world.temporary.chmod(0o711)
        shutil.chown(data, USER, GROUP)
    words = ("--auth=trust", "--username=drill", "--no-sync", "-D", str(data / "db"))
    subprocess.run([*user, str(programs / "initdb"), *words], check=True, capture_output=True)
    flags = ("-D", str(data / "db"), "-k", str(data), "-c", "listen_addresses=")
    server = subprocess.Popen(
        [*user, str(programs / "postgres"), *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    world.stack.callback(server.wait)
    world.stack.callback(server.send_signal, signal.SIGINT)  # does not wait for its clients
    return f"postgresql+psycopg://drill@/postgres?host={data}"


def _server(world: World) -> Server:
    """A server on a database of its own, to which drivers talk from now on; it is not started yet."""
    folder = world.folder / "server"
    folder.mkdir(exist_ok=True)
    world.database = folder / DATABASE
    if not world.database.exists():
        shutil.copy(world.ground.database, world.database)
    server = Server(folder)
    world.stack.callback(server.kill)
    world.environment["MLFLOW_TRACKING_URI"], world.stored = server.uri, folder / "stored"
    return server


def _with_a_server(world: World) -> tuple[Server, Driver]:
    """A server, and a sweep that is in an epoch and talks to it."""
    server = _server(world)
    server.start()
    driver = world.start()
    world.in_an_epoch()
    return server, driver


def _ends_and_says_what_waits(driver: Driver) -> None:
    expect(driver.wait() == 0, f"the sweep ended with {driver.process.returncode}")
    expect(WAITS in driver.said, "nothing was said of the records that wait")


DRILLS = (
    mlflow_refused,
    mlflow_hung,
    mlflow_gone,
    mlflow_back,
    half_line,
    deleted_experiment,
    moved_runs,
    two_sweeps,
    postgres,
)
