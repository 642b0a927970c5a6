"""Where the list of runs is: an address that shows scores at once, for a server and for a local database."""

import contextlib
import sqlite3
from pathlib import Path
from urllib.parse import urlsplit

from sweeps.folder import open_sweep
from sweeps.tracking.experiment import EXPERIMENT
from sweeps.tracking.place import Place, place_at
from sweeps.tracking.views import VIEW_TAG, address, view_name

LOCAL = "http://127.0.0.1:5000"  # where `ui` listens, if it is told no other port
FIRST = """SELECT experiment_id FROM experiments WHERE name = ?"""
TAGS = """SELECT key FROM experiment_tags WHERE experiment_id = ?"""


def address_in(database: Path, name: str, base: str = LOCAL) -> str:
    """Of a view in a local database, which a server at `base` shows; its start page where it has no runs."""
    try:
        with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as found:
            row = found.execute(FIRST, (EXPERIMENT,)).fetchone()
            tags = [] if row is None else [key for (key,) in found.execute(TAGS, row)]
    except sqlite3.Error:
        row, tags = None, []
    if row is None:
        return f"{base}/"
    return address(base, str(row[0]), name if f"{VIEW_TAG}{name}" in tags else None)


def runs_of(folder: Path, uri: str | None) -> str:
    """Where the runs of a sweep are looked at, in a line.

    Args:
        folder: of the sweep.
        uri: of MLflow, which has answered just now; None: a database beside the folder.
    """
    place, name = place_at(uri, folder.parent), view_name(open_sweep(folder).sweep_id, folder.name)
    if place.database is not None:
        out = place.database.parent
        served = "" if out.name == "runs" else f" --out {out}"
        return f"runs: {address_in(place.database, name)} once `python -m sweeps ui{served}` runs"
    parts = urlsplit(place.uri)
    if parts.scheme not in ("http", "https"):
        return f"runs: in MLflow at {place.told}"
    base = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    experiment = _experiment(place)
    return f"runs: {base if experiment is None else address(base, experiment, name)}"


def _experiment(place: Place) -> str | None:
    """Its id at a server; None where that does not answer any more."""
    from sweeps.tracking.experiment import connected

    try:
        found = connected(place.uri, None).get_experiment_by_name(EXPERIMENT)
    except Exception:  # an address must not end a sweep
        return None
    return None if found is None else str(found.experiment_id)
