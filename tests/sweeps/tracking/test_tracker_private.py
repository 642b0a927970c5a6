"""Who may read what a sweep records on its own machine: its owner alone."""

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeps.folder import open_sweep
from sweeps.tracking.events import PARENT
from sweeps.tracking.tracker import tracker_of


@pytest.fixture
def out() -> Iterator[Path]:
    """A working folder that others may enter, as they may not pytest's, in which a sweep has recorded."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield recorded(Path(folder) / "out")


def recorded(out: Path) -> Path:
    before = os.umask(0o022)
    try:
        sweep = open_sweep(out / "rates")
        sweep.write()
        tracker = tracker_of(sweep)
        tracker.start(PARENT, {"recipe": "quick"})
        tracker.finish(PARENT, "FINISHED", files=[sweep.folder / "sweep.json"])
        assert tracker.close(60.0)
    finally:
        os.umask(before)
    return out


def test_database_artifacts_and_the_sweeps_folder_are_for_their_owner(out: Path) -> None:
    modes = {
        name: stat.S_IMODE((out / name).stat().st_mode) for name in ("mlflow.db", "mlartifacts", "rates")
    }
    assert modes == {"mlflow.db": 0o600, "mlartifacts": 0o700, "rates": 0o700}
    assert sorted(path.name for path in out.iterdir()) == sorted(modes)


@pytest.mark.skipif(os.getuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv")
def test_another_user_reads_none_of_it(out: Path) -> None:
    files = [out / "mlflow.db", out / "rates" / "sweep.json", next(out.glob("mlartifacts/**/sweep.json"))]
    other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    assert subprocess.run([*other, "ls", str(out)], check=False, capture_output=True).returncode == 0
    for file in files:
        done = subprocess.run([*other, "cat", str(file)], check=False, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (1, "")
        assert "Permission denied" in done.stderr
