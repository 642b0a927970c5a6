"""A sweep as MLflow has it, written back into folders: what a comparison reads where nothing else is left."""

from pathlib import Path
from typing import Any

from epropnp.errors import UserError, nearest
from epropnp.inference.latency import LATENCY_FILE
from epropnp.training.record import CONFIG_FILE, STATUS_FILE
from sweeps.folder import TRIALS, Sweep, open_sweep
from sweeps.names import safe_name
from sweeps.tracking.experiment import EXPERIMENT, connected
from sweeps.tracking.place import Place, answered
from sweeps.tracking.run_index import NO_TRIAL, SWEEP_TAG, TRIAL_TAG, all_runs, of_sweep
from sweeps.trial import ERRORS_FILE, PREDICTIONS_FILE, RESULT_FILE

# What a comparison reads.
FILES = (CONFIG_FILE, STATUS_FILE, RESULT_FILE, PREDICTIONS_FILE, ERRORS_FILE, LATENCY_FILE)


def fetch_sweep(place: Place, name: str, out: Path) -> Sweep:
    """Bring the trials of a sweep, the newest of that name, into a working folder.

    Args:
        place: where MLflow's records are.
        name: of the sweep.
        out: receives its folder.

    Raises:
        UserError: there is no such sweep; its runs lack the files of their trials; MLflow does not answer.
    """
    place.check_recorded()
    folder = out / safe_name(name)  # a server's names are anybody's
    with answered(place):
        client = connected(place.uri, place.artifacts)
        children = _children(client, name, place)
        for run in children:
            _bring(client, run, folder / TRIALS / safe_name(run.data.tags[TRIAL_TAG]))
    if not any((folder / TRIALS).glob(f"*/{CONFIG_FILE}")):
        raise UserError(
            f"the {len(children)} runs of sweep '{name}' in MLflow have no {CONFIG_FILE}: record its trials "
            "again, `epropnp-sweeps record TRIAL`, or compare its folder"
        )
    return open_sweep(folder)


def _children(client: Any, name: str, place: Place) -> list[Any]:
    """The runs of its trials. UserError where there is no such sweep."""
    from mlflow.entities import ViewType

    experiment = client.get_experiment_by_name(EXPERIMENT)

    def runs(query: str) -> list[Any]:
        return all_runs(client, experiment.experiment_id, query, ViewType.ACTIVE_ONLY)

    parents = [] if experiment is None else runs(f"tags.`{TRIAL_TAG}` = '{NO_TRIAL}'")
    named = [run for run in parents if run.info.run_name == name]
    if not named:
        advice = nearest(name, [run.info.run_name for run in parents])
        raise UserError(f"there is no sweep '{name}' in MLflow at {place.told}{advice}")
    newest = max(named, key=lambda run: run.info.start_time)
    of_all = runs(of_sweep(newest.data.tags[SWEEP_TAG]))
    return [run for run in of_all if run.data.tags.get(TRIAL_TAG, NO_TRIAL) != NO_TRIAL]


def _bring(client: Any, run: Any, folder: Path) -> None:
    """Those of a trial's files that its run has."""
    there = {file.path for file in client.list_artifacts(run.info.run_id)}
    if CONFIG_FILE in there:
        folder.mkdir(parents=True, exist_ok=True)
        for file in FILES:
            if file in there:
                client.download_artifacts(run.info.run_id, file, str(folder))
