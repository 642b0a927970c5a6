"""`epropnp-sweeps fetch`: the network of a run or of a registered model, as the folder that it came from."""

import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from epropnp.command_line import shown_as
from epropnp.errors import UserError
from epropnp.extras import require
from epropnp.files import replaced
from epropnp.models.config import BEST
from epropnp.training.record import CONFIG_FILE
from sweeps.commands.command import run_command
from sweeps.names import safe_name
from sweeps.tracking.experiment import connected
from sweeps.tracking.fluent import quiet, tracking_at
from sweeps.tracking.logged_models import model_of
from sweeps.tracking.place import Place, answered, place_of

DESCRIPTION = """Fetch the best.pt of a run or of a registered model, with its trial.json where it was logged;
neither its dataset nor its sweep's folder is needed.

  epropnp-sweeps fetch 0123456789abcdef0123456789abcdef --output cat
  epropnp-sweeps fetch models:/epropnp-mine@champion
"""
REGISTERED = re.compile(r"models:/([^/@]+)(?:@([^/@]+)|/(\d+))")
LOGGED = re.compile(r"models:/(m-[0-9a-f]+)")
RUN = re.compile(r"[0-9a-f]{32}")
NONE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # what MLflow says of what it has not


@dataclass(frozen=True, kw_only=True)
class FetchConfig:
    """What is fetched, and where it goes."""

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN_ID|models:/NAME@ALIAS")]
    """Id of a run, or a model: `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/ID`."""
    output: Annotated[Path | None, shown_as("FOLDER")] = None
    """Where its files go. Default: a folder called after the run or model."""
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")] = Path("runs")
    """Working folder of the sweeps, which has `mlflow.db`; MLFLOW_TRACKING_URI goes before it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; see `run_command` for the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    return run_command("fetch", FetchConfig, DESCRIPTION, words, _fetch)


def _fetch(config: FetchConfig) -> None:
    require("fetching", "sweeps", only=("mlflow",))
    folder = config.output or Path(safe_name(config.model.removeprefix("models:/")))
    for file in fetch(config.model, folder, place_of(config.out)):
        print(f"wrote {file}")


def fetch(name: str, folder: Path, place: Place) -> list[Path]:
    """Bring the network of a run or model, and its `trial.json` if there is one; the files that are written.

    Raises:
        UserError: there is no such run, model or alias; it has no network; MLflow does not answer; the folder
            has another network, or cannot be written.
    """
    place.check_recorded()
    with answered(place):
        client = connected(place.uri, place.artifacts)
        uri = _uri(client, name, place)
        with tempfile.TemporaryDirectory(prefix="epropnp-") as work, quiet(), tracking_at(place.uri):
            import mlflow

            try:
                root = Path(mlflow.artifacts.download_artifacts(uri, dst_path=work))
            except OSError as error:
                raise UserError(f"{name}: its files are not there any more ({error.strerror})") from error
            found = [
                file for file in (_network(root, name), root / "artifacts" / CONFIG_FILE) if file.is_file()
            ]
            return [_put(file, folder / file.name) for file in found]


def _network(root: Path, name: str) -> Path:
    found = root / "artifacts" / BEST
    if not found.is_file():
        raise UserError(f"{name}: its model holds no {BEST}, it is none of this project's")
    return found


def _put(file: Path, target: Path) -> Path:
    """Copy it there; what lies there is the same, or stays."""
    if target.is_file() and target.read_bytes() != file.read_bytes():
        raise UserError(f"{target} is another one: choose another --output, or remove it")
    target.parent.mkdir(parents=True, exist_ok=True)
    with replaced(target) as unfinished:
        shutil.copyfile(file, unfinished)
    return target


def _uri(client: Any, name: str, place: Place) -> str:
    """Of the model that is meant, by its id where it has one. UserError where there is none."""
    from mlflow.exceptions import MlflowException

    try:
        if match := LOGGED.fullmatch(name):
            return f"models:/{client.get_logged_model(match[1]).model_id}"
        if match := REGISTERED.fullmatch(name):
            if match[2] is not None:
                version = client.get_model_version_by_alias(match[1], match[2])
            else:
                version = client.get_model_version(match[1], match[3])
            own = LOGGED.fullmatch(str(version.source))  # found also where a database was moved
            return f"models:/{own[1]}" if own else f"models:/{match[1]}/{version.version}"
        if RUN.fullmatch(name):
            model_id = model_of(client.get_run(name))
            if model_id is None:
                raise UserError(f"run {name} has no model: epropnp-sweeps record FOLDER gives it one")
            return f"models:/{model_id}"
    except MlflowException as error:
        if error.error_code not in NONE:
            raise
        raise UserError(f"there is no run or model {name} in MLflow at {place.told}") from error
    raise UserError(f"'{name}' is neither the id of a run nor models:/NAME@ALIAS")
