"""Where MLflow's records are, for commands: a server, or a database in a working folder."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from epropnp.credentials import without_credentials
from epropnp.errors import UserError, first_line
from sweeps.tracking.experiment import ARTIFACTS, DATABASE, SQLITE
from sweeps.tracking.fluent import URI_VARIABLE


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where records are.

    Attributes:
        uri: of the server or database.
        artifacts: where files go beside a database; a server decides for itself.
    """

    uri: str
    artifacts: Path | None

    @property
    def database(self) -> Path | None:
        """Its file, if it is one of ours."""
        return None if self.artifacts is None else Path(self.uri.removeprefix(SQLITE))

    def check_recorded(self) -> None:
        """UserError where there is no such database."""
        if self.database is not None and not self.database.is_file():
            raise UserError(f"no runs are recorded in {self.database}: name their folder, --out")

    @property
    def told(self) -> str:
        """For people, and for a shell."""
        return without_credentials(self.uri)


def place_of(out: Path) -> Place:
    """The server that the environment names, as for sweeps; else the database of a working folder."""
    return place_at(os.environ.get(URI_VARIABLE), out)


def place_at(uri: str | None, out: Path) -> Place:
    """A server; without one the database of a working folder."""
    if uri:
        return Place(uri=uri, artifacts=None)
    out = out.resolve()
    return Place(uri=f"{SQLITE}{out / DATABASE}", artifacts=out / ARTIFACTS)


@contextlib.contextmanager
def answered(place: Place) -> Iterator[None]:
    """What MLflow refuses meanwhile, or that it does not answer, is a UserError of one line."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # MLflow raises many kinds, and its libraries others
        raise UserError(f"MLflow at {place.told}: {first_line(error)}") from error
