"""Workers: processes and Ray tasks give the same results, and the user's errors as they were raised."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from epropnp.errors import UserError
from pipelines.building.build import BuildConfig, build
from pipelines.building.workers import Mapper, process_mapper, ray_mapper


def negated(number: int) -> int:
    if number == 13:
        raise UserError("13 is not wanted: leave it out")
    return -number


def killed_once(folder: Path, number: int) -> int:
    """Dies by a kill the first time that it sees a number, as when its machine is lost."""
    try:
        (folder / str(number)).touch(exist_ok=False)
    except FileExistsError:
        return -number
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)
    return 0


@pytest.fixture(scope="module")
def on_ray() -> Iterator[Mapper]:
    with ray_mapper("local") as mapper:
        yield mapper


def test_one_process_suffices_itself() -> None:
    with process_mapper(1) as mapper:
        assert mapper is map


@pytest.mark.slow
def test_killed_process_is_explained(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match=r"worker process was killed.* fewer --workers"),
        process_mapper(2) as m,
    ):
        list(m(partial(killed_once, tmp_path), range(3)))


def test_no_cluster_is_explained() -> None:
    with pytest.raises(UserError, match="--ray: no Ray cluster at"), ray_mapper("127.0.0.1:1"):
        pass


@pytest.mark.slow
@pytest.mark.ray
def test_ray_keeps_the_order_and_the_errors(on_ray: Mapper) -> None:
    assert list(on_ray(negated, range(12))) == [-i for i in range(12)]
    with pytest.raises(UserError, match=r"^13 is not wanted: leave it out$"):
        list(on_ray(negated, range(30)))


def niceness(_: int) -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


@pytest.mark.slow
@pytest.mark.ray
def test_tasks_on_ray_are_as_nice_as_their_driver(on_ray: Mapper) -> None:
    """Ray's own choice, 15, lets them stand still beside any other process."""
    assert list(on_ray(niceness, [0])) == [niceness(0)]


@pytest.mark.slow
@pytest.mark.ray
def test_ray_repeats_lost_tasks(on_ray: Mapper, tmp_path: Path) -> None:
    assert list(on_ray(partial(killed_once, tmp_path), [1, 2])) == [-1, -2]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.slow
@pytest.mark.ray
def test_ray_builds_the_same_bytes(
    tiny: BuildConfig,
    built: Path,
    small_shards: int,
    on_ray: Mapper,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a relative root, which the workers, elsewhere, see in full."""
    shutil.copytree(built.parent / ".build" / "standins", tmp_path / "data" / ".build" / "standins")
    monkeypatch.chdir(tmp_path)
    path = build(tiny, Path("data"), progress=False, ray_address="local")
    assert path == Path("data") / built.name
    for file in built.iterdir():
        assert (path / file.name).read_bytes() == file.read_bytes(), file.name
