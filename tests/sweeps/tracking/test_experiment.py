"""Where files go after a database was moved or copied, and an experiment that others deleted."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from sweeps.folder import open_sweep
from sweeps.tracking.events import PARENT
from sweeps.tracking.experiment import EXPERIMENT, connected, mend_places, open_experiment
from sweeps.tracking.tracker import Tracker, tracker_of

Put = Callable[[Path], Path]


def begun(out: Path) -> Tracker:
    """A sweep of a working folder, started or gone on with."""
    sweep = open_sweep(out / "night")
    sweep.write()
    tracker = tracker_of(sweep)
    tracker.start(PARENT, {"recipe": "quick"})
    return tracker


def stored(out: Path, name: str, text: str) -> None:
    """Record a sweep of a working folder, with a file."""
    tracker = begun(out)
    file = out / "night" / name
    file.write_text(text)
    tracker.finish(PARENT, "FINISHED", files=[file])
    assert tracker.close(60)


def shown(out: Path) -> dict[str, str]:
    """The files of the sweep's run, as MLflow has them, which must lie in the working folder."""
    client = MlflowClient(f"sqlite:///{out / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    assert experiment.artifact_location == (out / "mlartifacts").as_uri()
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.artifact_uri.startswith((out / "mlartifacts").as_uri() + "/")
    found = {}
    for file in client.list_artifacts(run.info.run_id):
        found[file.path] = Path(client.download_artifacts(run.info.run_id, file.path)).read_text()
    return found


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.startswith("sweeps")]


def test_a_moved_folder_keeps_its_files_and_takes_new_ones(
    empty_database: Put, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stored(empty_database(tmp_path / "a"), "one.txt", "before")
    new = tmp_path / "b [x]"
    (tmp_path / "a").rename(new)
    stored(new, "two.txt", "after")
    assert shown(new) == {"one.txt": "before", "two.txt": "after"}
    assert not (tmp_path / "a").exists()
    (line,) = said(caplog)
    assert line == f"{new}/mlflow.db was moved: MLflow looks for its files in {new}/mlartifacts now"


def test_a_copy_leaves_the_folder_that_it_is_one_of_alone(empty_database: Put, tmp_path: Path) -> None:
    stored(empty_database(tmp_path / "a"), "one.txt", "before")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    stored(tmp_path / "b", "two.txt", "after")
    assert shown(tmp_path / "b") == {"one.txt": "before", "two.txt": "after"}
    assert shown(tmp_path / "a") == {"one.txt": "before"}


def test_a_folder_that_moved_is_shown_by_the_ui_though_nothing_is_gone_on_with(
    empty_database: Put, tmp_path: Path
) -> None:
    stored(empty_database(tmp_path / "a"), "one.txt", "before")
    (tmp_path / "a").rename(tmp_path / "b")
    mend_places(tmp_path / "b" / "mlflow.db", tmp_path / "b" / "mlartifacts")
    assert shown(tmp_path / "b") == {"one.txt": "before"}


@pytest.mark.parametrize("place", ["s3://bucket/x", "mlflow-artifacts:/1", "{elsewhere}"])
def test_a_place_that_was_chosen_is_left(empty_database: Put, tmp_path: Path, place: str) -> None:
    """Such as by who made the experiment by hand."""
    (tmp_path / "elsewhere").mkdir()
    place = place.format(elsewhere=(tmp_path / "elsewhere").as_uri())
    out = empty_database(tmp_path / "a")
    client = MlflowClient(f"sqlite:///{out / 'mlflow.db'}")
    client.create_experiment(EXPERIMENT, artifact_location=place)
    mend_places(out / "mlflow.db", out / "mlartifacts")
    found = client.get_experiment_by_name(EXPERIMENT)
    assert found is not None
    assert found.artifact_location == place


def test_a_place_that_takes_nothing_holds_nothing_else_and_is_said_once(
    empty_database: Put, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As that of another machine, to which a database without files points."""
    out = empty_database(tmp_path / "a")
    (tmp_path / "file").write_text("where the folder would be")
    client = MlflowClient(f"sqlite:///{out / 'mlflow.db'}")
    client.create_experiment(EXPERIMENT, artifact_location=f"file://{tmp_path}/elsewhere")
    (tmp_path / "elsewhere").mkdir()
    tracker = begun(out)
    assert tracker.flush(60)
    (tmp_path / "elsewhere").rmdir()
    (tmp_path / "elsewhere").write_text("a file")
    for name in ("one.txt", "two.txt"):
        (out / "night" / name).write_text(name)
        tracker.finish(PARENT, "FINISHED", files=[out / "night" / "one.txt"])
    assert tracker.close(60)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    (line,) = said(caplog)
    assert line.startswith(f"MLflow's place for files, file://{tmp_path}/elsewhere/")
    (tmp_path / "elsewhere").unlink()  # mended: they are stored when it is said again
    tracker = begun(out)
    tracker.finish(PARENT, "FINISHED", files=[out / "night" / "one.txt"])
    assert tracker.close(60)
    assert shown(out) == {"one.txt": "one.txt"}


def test_a_deleted_experiment_is_restored_for_the_next_sweep(
    empty_database: Put, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = empty_database(tmp_path / "a")
    stored(out, "one.txt", "before")
    client = MlflowClient(f"sqlite:///{out / 'mlflow.db'}")
    client.delete_experiment("1")
    stored(out, "two.txt", "after")
    assert shown(out) == {"one.txt": "before", "two.txt": "after"}
    assert said(caplog) == ["MLflow's experiment 'epropnp' was deleted: restored, with its runs"]


def test_a_database_that_is_none_is_left_to_mlflow(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    empty = tmp_path / "mlflow.db"
    empty.touch()
    mend_places(empty, tmp_path / "mlartifacts")
    assert empty.stat().st_size == 0
    assert caplog.records == []
    empty.write_text("no database at all, but a text that is longer than a header of one is")
    mend_places(empty, tmp_path / "mlartifacts")
    (line,) = said(caplog)
    assert "cannot be looked at" in line


@pytest.mark.slow
def test_two_sweeps_that_find_no_database_make_one(tmp_path: Path) -> None:
    """MLflow's own making fails in both."""
    database, artifacts = tmp_path / "out" / "mlflow.db", tmp_path / "out" / "mlartifacts"
    found: list[str] = []

    def connect() -> None:
        found.append(open_experiment(connected(f"sqlite:///{database}", artifacts), artifacts))

    threads = [threading.Thread(target=connect) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["1", "1"]
    assert sorted(os.listdir(database.parent)) == ["mlartifacts", "mlflow.db"]
    with sqlite3.connect(database) as base:
        assert base.execute("SELECT count(*) FROM experiments").fetchone() == (2,)


@pytest.mark.slow
def test_a_process_that_is_killed_while_it_makes_the_tables_leaves_none(tmp_path: Path) -> None:
    """Half of them MLflow would not mend: `table _alembic_tmp_... already exists`, for ever."""
    database, draft = tmp_path / "mlflow.db", tmp_path / ".mlflow.db.draft"
    program = f"from sweeps.tracking.experiment import connected; connected('sqlite:///{database}', None)"
    process = subprocess.Popen([sys.executable, "-c", program])
    while not (draft.is_file() and draft.stat().st_size > 100_000):  # some tables are there
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not database.exists()
    client = connected(f"sqlite:///{database}", None)
    assert open_experiment(client, tmp_path / "artifacts")
    assert database.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["mlflow.db"]
