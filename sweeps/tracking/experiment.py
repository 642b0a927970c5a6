"""The experiment of all sweeps: found, restored from the trash, or made; its place is mended after a move."""

import contextlib
import logging
import os
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from epropnp.files import locked, private_folder

EXPERIMENT = "epropnp"
DEFAULT = "0"  # id of the empty one that MLflow makes
SQLITE = "sqlite:///"
DATABASE, ARTIFACTS = "mlflow.db", "mlartifacts"  # in the working folder, where there is no server
log = logging.getLogger(__name__)


def connected(uri: str, artifacts: Path | None) -> Any:
    """A client of MLflow, whose local database is made here where there is none, for its owner alone."""
    _quiet()
    from mlflow import MlflowClient

    if not uri.startswith(SQLITE):
        return MlflowClient(tracking_uri=uri)
    database = Path(uri.removeprefix(SQLITE))
    database.parent.mkdir(parents=True, exist_ok=True)
    if not _has_content(database):
        _make(database, artifacts)
    if artifacts is not None:
        if mend_places(database, artifacts):
            _forget_places()
        private_folder(artifacts)
    return MlflowClient(tracking_uri=uri)


def open_experiment(client: Any, artifacts: Path | None) -> str:
    """Id of the experiment, which is restored if it was deleted, and made if there is none."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        try:
            return _create(client, artifacts)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        found = client.get_experiment_by_name(EXPERIMENT)  # another sweep was faster
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
        log.warning("MLflow's experiment '%s' was deleted: restored, with its runs", EXPERIMENT)
    return str(found.experiment_id)


def _create(client: Any, artifacts: Path | None) -> str:
    place = artifacts.resolve().as_uri() if artifacts else None
    return str(client.create_experiment(EXPERIMENT, artifact_location=place))


def mend_places(database: Path, artifacts: Path) -> bool:
    """Let a database that was moved look for artifacts beside it, not where it lay before; whether it was.

    MLflow makes every artifact place absolute when it stores it, and has no call that changes one. A place is
    left as it is if it is no local folder, or if it is still there and none lies beside the database, as it
    does in a copy of the whole.
    """
    wanted, moved = artifacts.resolve(), False
    try:
        with contextlib.closing(sqlite3.connect(database, timeout=10.0)) as base, base:
            query = "SELECT experiment_id, artifact_location FROM experiments WHERE name = ?"
            for number, stored in base.execute(query, (EXPERIMENT,)).fetchall():
                if _was_moved(stored, wanted, beside=wanted.parent == database.resolve().parent):
                    _move(base, number, stored, wanted.as_uri())
                    moved = True
                    log.warning("%s was moved: MLflow looks for its files in %s now", database, wanted)
    except sqlite3.Error as error:
        if "no such table" not in str(error):  # as in an empty one
            log.warning("%s: the place of its artifacts cannot be looked at: %s", database, error)
    return moved


def _was_moved(stored: str | None, wanted: Path, beside: bool) -> bool:
    if not stored or urlsplit(stored).scheme not in ("", "file"):
        return False
    before = Path(unquote(urlsplit(stored).path) if stored.startswith("file:") else stored)
    if before == wanted:
        return False
    try:
        if not before.is_dir():
            return True
        return beside and wanted.is_dir() and not os.path.samefile(before, wanted)
    except OSError:  # such as another user's
        return True


def _move(base: sqlite3.Connection, number: int, before: str, now: str) -> None:
    base.execute("UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (now, number))
    for table, column in (("runs", "artifact_uri"), ("logged_models", "artifact_location")):
        base.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
            f"WHERE experiment_id = ? AND substr({column}, 1, ?) = ?",
            (now, len(before) + 1, number, len(before) + 1, f"{before}/"),
        )


def _forget_places() -> None:
    """Which MLflow remembers for as long as a process runs."""
    from mlflow.tracking._tracking_service import utils

    with contextlib.suppress(AttributeError):  # its own business
        utils._artifact_repos_cache.clear()


def _make(database: Path, artifacts: Path | None) -> None:
    """A database with all its tables, for its owner alone, or none; it shows our experiment alone.

    Of several processes that find none one makes it: two at once fail. What is killed meanwhile leaves a
    draft: tables that are half there are of no use to MLflow, and it does not mend them.
    """
    from mlflow import MlflowClient

    lock, draft = (database.with_name(f".{database.name}.{kind}") for kind in ("lock", "draft"))
    with locked(lock):
        if not _has_content(database):
            for left in database.parent.glob(f"{draft.name}*"):
                left.unlink()
            draft.touch(mode=0o600)
            client = MlflowClient(tracking_uri=f"{SQLITE}{draft}")
            _create(client, artifacts)
            client.delete_experiment(DEFAULT)  # the UI lists it no more; what is purged is made again
            draft.replace(database)
        lock.unlink(missing_ok=True)  # who waits for it finds tables


def _has_content(database: Path) -> bool:
    return database.is_file() and database.stat().st_size > 0


def _quiet() -> None:
    """No telemetry, no advice about git, short time-outs; the user's own settings win."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    import mlflow  # noqa: F401  it sets its log level on import

    for name in ("mlflow", "mlflow.store.db.utils", "alembic", "alembic.runtime.migration"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # the tracker says what matters, once
