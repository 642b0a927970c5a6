"""Builds that are killed, that meet, or that fill the disk: the same bytes in the end, nothing half."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from epropnp.data.manifest import verify
from pipelines.build import BuildConfig, build

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
SCRIPT = """
from pathlib import Path
from pipelines import shards
from pipelines.build import BuildConfig, build
shards.SHARD_ROWS = {rows}
if __name__ == "__main__":
    build({config!r}, Path({root!r}), workers={workers}, progress=False)
"""
FULL_DISK = """
mount -t tmpfs -o size=1m none "$1" || exit 77
build() {{
    {python} pipelines/prepare.py build --objects cat --train 12 --validation 2 --test 2 \
        --mesh-resolution 24 --background-count 1 --workers 1 --root "$1"
    echo "exit $?"
}}
build "$1"
find "$1" -type f
mount -o remount,size=64m "$1"
build "$1"
find "$1" -type f
cp -r "$1/." "$2"
"""
Start = Callable[[int], "subprocess.Popen[bytes]"]


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    """A folder of datasets that holds the stand-in meshes already: they are not what is tested."""
    shutil.copytree(built.parent / ".build" / "standins", tmp_path / "data" / ".build" / "standins")
    return tmp_path / "data"


@pytest.fixture
def start(tiny: BuildConfig, small_shards: int, root: Path, tmp_path: Path) -> Start:
    """Starts a process that builds `tiny` into `root`, with that many workers."""

    def run(workers: int) -> subprocess.Popen[bytes]:
        script = tmp_path / f"builder{workers}.py"
        script.write_text(SCRIPT.format(rows=small_shards, config=tiny, root=str(root), workers=workers))
        return subprocess.Popen([sys.executable, str(script)], env=ENVIRONMENT)

    return run


def wait_for(condition: Callable[[], bool], builder: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 200
    while not condition() and builder.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_in_the_same_bytes(
    tiny: BuildConfig, built: Path, root: Path, start: Start
) -> None:
    """Three kills of one build: among first, middle and last shards; then it is left to finish."""
    work = root / ".build" / built.name
    total = len(list(built.glob("*-0*.arrow")))
    for third in range(3):
        moment = random.uniform(third, third + 1) * total / 3
        builder = start(1)
        wait_for(lambda: len(list(work.glob("*-0*.arrow"))) >= int(moment), builder)  # noqa: B023
        time.sleep(moment % 1 * 0.08)  # about what a shard takes
        builder.send_signal(signal.SIGKILL)
        builder.wait()
        kept = {file: file.stat().st_mtime_ns for file in work.glob("*-0*.arrow")}
    path = build(tiny, root, workers=1, progress=False)
    assert contents(path) == contents(built)
    for file, written_at in kept.items():
        assert (path / file.name).stat().st_mtime_ns == written_at, f"{file.name} was made again"


@pytest.mark.slow
def test_workers_of_a_killed_build_end_with_it(
    tiny: BuildConfig, built: Path, root: Path, start: Start
) -> None:
    work = root / ".build" / built.name
    builder = start(2)
    wait_for(lambda: len(list(work.glob("*-0*.arrow"))) >= 2, builder)
    children = Path(f"/proc/{builder.pid}/task/{builder.pid}/children").read_text().split()
    builder.send_signal(signal.SIGKILL)
    builder.wait()
    assert not (root / built.name).exists(), "the kill came too late"
    assert len(children) >= 2
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    assert contents(build(tiny, root, workers=1, progress=False)) == contents(built)


@pytest.mark.slow
def test_two_builders_at_once_give_one_dataset(built: Path, root: Path, start: Start) -> None:
    builders = [start(1) for _ in range(2)]
    assert [builder.wait(timeout=300) for builder in builders] == [0, 0]
    assert {entry.name for entry in root.iterdir()} == {".build", "backgrounds", built.name}
    assert contents(root / built.name) == contents(built)


@pytest.mark.slow
def test_full_disk_is_explained_and_leaves_nothing_half(tmp_path: Path) -> None:
    """On a file system of 1 MB; with more space the same command goes on and gives the usual bytes."""
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    disk.mkdir()
    script = FULL_DISK.format(python=sys.executable)
    namespace = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", str(disk), str(copy)]
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare to mount a small file system")
    run = subprocess.run(namespace, cwd=REPOSITORY, env=ENVIRONMENT, capture_output=True, text=True)
    if "exit" not in run.stdout:
        pytest.skip(f"cannot mount a small file system here: {run.stderr.strip()}")
    before, after = run.stdout.split("exit 2\n")
    assert before == ""
    assert run.stderr.count("\n") == 1, run.stderr
    assert "error: cannot write below" in run.stderr
    assert "no space left on device; free some space and run the same command again" in run.stderr
    left, rest = after.split("dataset ")
    assert "manifest.json" not in left
    assert ".partial" not in left
    assert all("/.build/" in name or "/backgrounds/" in name for name in left.split())
    assert "(train 12, validation 2, test 2)" in rest
    assert "exit 0" in rest
    config = BuildConfig(
        objects=("cat",), train=12, validation=2, test=2, mesh_resolution=24, background_count=1
    )
    reference = build(config, tmp_path / "reference", workers=1, progress=False)
    verify(copy / reference.name)
    assert contents(copy / reference.name) == contents(reference)
