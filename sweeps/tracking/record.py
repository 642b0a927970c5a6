"""`epropnp-sweeps record`: the training of one folder as a run of MLflow, with its network as a model.

A trial of a sweep becomes the run that its sweep has, or would have, of it. Any other, such as one of
`epropnp.train`, is a run by itself, which its settings, its data and the folder's name tell from others.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from epropnp.command_line import shown_as
from epropnp.errors import UserError
from epropnp.extras import require
from epropnp.models.config import BEST
from epropnp.training.identity import trial_hash
from sweeps.commands.command import run_command
from sweeps.commands.state import state_of
from sweeps.folder import SWEEP_FILE, TRIALS, Sweep, open_sweep
from sweeps.tracking.events import PARENT
from sweeps.tracking.experiment import connected
from sweeps.tracking.logged_models import LoggedPoseModel, log_pose_model
from sweeps.tracking.mlflow_runs import MlflowRuns
from sweeps.tracking.place import Place, answered, place_of
from sweeps.trial import Trial, read

DESCRIPTION = """Send the folder of one training to MLflow: settings, metrics of each epoch, scores, files,
and its best.pt as a model that `mlflow models serve` serves. Sent again, it updates the same run.

  epropnp-sweeps record runs/mine/trials/quick-resnet18-...
  epropnp-sweeps record runs/first
      of `python -m epropnp.train --out runs/first`

MLFLOW_TRACKING_URI names a server; else the records are in mlflow.db of the working folder, as `ui` shows it.
"""
SWEEP_STATUSES = {"finished": "FINISHED", "interrupted": "KILLED"}  # of a run that nobody else closes


@dataclass(frozen=True, kw_only=True)
class RecordConfig:
    """What is recorded, and where."""

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")]
    """Of a trial, or of another training."""
    out: Annotated[Path | None, shown_as("FOLDER")] = None
    """Working folder, which has `mlflow.db`. Default: that of the trial's sweep, else `runs`."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What MLflow has.

    Attributes:
        run_id: of the run.
        status: of the training.
        model: None where no network is kept.
    """

    run_id: str
    status: str
    model: LoggedPoseModel | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; see `run_command` for the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    return run_command("record", RecordConfig, DESCRIPTION, words, _record)


def _record(config: RecordConfig) -> None:
    require("recording", "sweeps", only=("mlflow",))
    folder = config.folder.resolve()
    sweep = sweep_of(folder)
    usual = Path("runs") if sweep is None else sweep.folder.parent
    place = place_of(config.out or usual)
    found = record(folder, place)
    print(f"run {found.run_id}: {folder.name}, {found.status}; in MLflow at {place.told}")
    if found.model is None:
        print(f"no model: there is no {BEST} in {folder}")
    else:
        print(f"model {found.model.uri}" + ("" if found.model.new else ", as before"))


def record(folder: Path, place: Place) -> Recorded:
    """Send a folder of a training, which may be known there.

    Raises:
        UserError: it is none, or its training runs; MLflow does not answer, or refuses it.
    """
    trial, sweep = read(folder), sweep_of(folder)
    if trial.status == "running":
        raise UserError(f"{folder} is being trained: record it when that has ended")
    with answered(place):
        run_id = _carry(trial, folder, sweep, place)
        model = None
        if (folder / BEST).is_file():
            client = connected(place.uri, place.artifacts)
            model = log_pose_model(client, place.uri, run_id, folder / BEST)
    return Recorded(run_id=run_id, status=trial.status, model=model)


def sweep_of(folder: Path) -> Sweep | None:
    """The sweep that a trial's folder lies in."""
    root = folder.parent.parent
    return open_sweep(root) if folder.parent.name == TRIALS and (root / SWEEP_FILE).is_file() else None


def _carry(trial: Trial, folder: Path, sweep: Sweep | None, place: Place) -> str:
    """Tell all that the folder tells; the id of the run."""
    from sweeps.tracking.sweep_events import end_of_sweep
    from sweeps.tracking.trial_events import facts_of  # brings torch

    if sweep is None:
        key = f"{trial_hash(trial.config, trial.dataset_id)}-{trial.name}"
        runs = _runs(place, key, trial.name, folder, lambda _: [])
        for fact in facts_of(lambda _: folder, folder)(trial.name):
            runs.carry(fact | {"trial": PARENT})
        return _id(runs, PARENT)
    facts = facts_of(sweep.trial_folder, sweep.folder, sweep.varied)
    runs = _runs(place, sweep.sweep_id, sweep.name, sweep.folder, facts)
    known = runs.run_of(PARENT) is not None
    for fact in facts(trial.name):
        runs.carry(fact)
    status = SWEEP_STATUSES.get(state_of(sweep).state)
    if not known and status is not None:
        runs.carry(end_of_sweep(sweep, status))
    return _id(runs, trial.name)


def _runs(place: Place, sweep_id: str, name: str, root: Path, facts: Any) -> MlflowRuns:
    return MlflowRuns(
        uri=place.uri, sweep_id=sweep_id, sweep_name=name, root=root, artifacts=place.artifacts, facts=facts
    )


def _id(runs: MlflowRuns, trial: str) -> str:
    run = runs.run_of(trial)
    assert run is not None, "it has just been told"
    return str(run.info.run_id)
