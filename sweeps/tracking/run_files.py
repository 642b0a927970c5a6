"""The files of a run: each stored once, and again only if it has changed."""

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from epropnp.credentials import without_credentials
from epropnp.errors import UserError, first_line
from sweeps.tracking.run_pictures import RunFrames, is_frame
from sweeps.trial import PREDICTIONS_FILE

FILES_TAG = "epropnp.files"  # name -> digest of what is stored; a version before did not write it
log = logging.getLogger(__name__)


class RunFiles:
    """Stores files; that they have no place, such as one of another machine, holds nothing else.

    Args:
        client: of MLflow.
        root: the folder from which files are named.

    Attributes:
        failed: ids of runs that lack files.
    """

    def __init__(self, client: Any, root: Path) -> None:
        self._client, self._root = client, root
        self._told = False
        self.failed: set[str] = set()

    def store(self, run: Any, names: Sequence[str], patient: bool) -> bool:
        """Store what is new or has changed; whether there was anything.

        What fails is left out, and tried again when it is asked for again: at the end of the sweep, and when
        it is resumed.

        Args:
            run: of MLflow, as it is now.
            names: of files.
            patient: raise what may be an outage.
        """
        tag = run.data.tags.get(FILES_TAG)
        had = json.loads(tag) if tag else {}
        has, frames = dict(had), RunFrames(self._client, run.info.run_id)
        self.failed.discard(run.info.run_id)
        for file in (self._root / name for name in names):
            if not file.is_file() or (tag is None and _is_older(file, run)):
                continue
            digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
            name = f"{file.parent.name}/{file.name}" if is_frame(file) else file.name
            if had.get(name) == digest:
                continue
            try:
                if is_frame(file):
                    frames.log(file)
                else:
                    self._client.log_artifact(run.info.run_id, str(file))
                if file.name == PREDICTIONS_FILE:
                    self._log_tables(run, file)
                has[name] = digest
            except Exception as error:
                if patient and not self._told and is_connection(error):
                    raise
                self._client.get_run(run.info.run_id)  # raises if it is MLflow itself that is out of reach
                self._say_once(run, error)
                self.failed.add(run.info.run_id)
                break
        if has != had or (tag is None and run.info.run_id in self.failed):
            self._client.set_tag(run.info.run_id, FILES_TAG, json.dumps(has))
        return has != had

    def _log_tables(self, run: Any, file: Path) -> None:
        """What predictions say, as tables that the UI shows; where they cannot be read there are none."""
        from sweeps.tracking.run_tables import LOGGED_TAG, tables_of  # brings torch

        try:
            tables = tables_of(file)
        except (UserError, KeyError):
            return
        for name, table in tables.items():
            self._client.log_dict(run.info.run_id, table, name)
        told = json.dumps([{"path": name, "type": "table"} for name in tables])
        self._client.set_tag(run.info.run_id, LOGGED_TAG, told)

    def _say_once(self, run: Any, error: Exception) -> None:
        if not self._told:
            self._told = True
            log.warning(
                "MLflow's place for files, %s, takes none (%s): they stay in the sweep's folder, and all "
                "else is recorded. Make that place writable, or name in MLFLOW_TRACKING_URI a server that "
                "takes files (mlflow server --serve-artifacts), and resume the sweep",
                without_credentials(run.info.artifact_uri),
                without_credentials(first_line(error)),
            )


def is_connection(error: BaseException | None) -> bool:
    """Whether an error comes from the way to a server, and not from its answer."""
    while error is not None:
        of_requests = type(error).__module__.partition(".")[0] in ("requests", "urllib3")
        if of_requests or isinstance(error, ConnectionError | TimeoutError):
            return True
        error = error.__cause__
    return False


def _is_older(file: Path, run: Any) -> bool:
    """Whether a file is as it was when a run ended of whose files no digests are known."""
    return bool(run.info.end_time) and file.stat().st_mtime * 1000 <= run.info.end_time
