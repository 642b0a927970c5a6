"""The model of a run: logged once, and again only if its network has changed."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.tracking.fluent import quiet, tracking_at

MODEL_TAG = "epropnp.model"  # of a run: digest of the network, and id of the model
VERSIONS_TAG = "mlflow.modelVersions"  # of a model, by MLflow's own functions: as what it is registered
FORBIDDEN = r"[/:.%\"']"  # in a model's name


@dataclass(frozen=True, kw_only=True)
class LoggedPoseModel:
    """A model that MLflow has.

    Attributes:
        model_id: its id.
        new: whether it was logged just now.
    """

    model_id: str
    new: bool

    @property
    def uri(self) -> str:
        """What MLflow's commands call it."""
        return f"models:/{self.model_id}"


def log_pose_model(client: Any, uri: str, run_id: str, network: Path) -> LoggedPoseModel:
    """Log the model of a network with a run, unless the run has it.

    Args:
        client: of MLflow, at `uri`.
        uri: of the tracking server or database.
        run_id: of the run.
        network: its `best.pt`.

    Raises:
        UserError: the network cannot be used.
    """
    run = client.get_run(run_id)
    digest = hashlib.sha256(network.read_bytes()).hexdigest()[:12]
    had = json.loads(run.data.tags.get(MODEL_TAG, "{}"))
    if had.get("network") == digest and _is_there(client, had["model_id"]):
        return LoggedPoseModel(model_id=had["model_id"], new=False)
    from sweeps.tracking.pose_model import content  # brings torch

    told = content(network)
    import mlflow
    from mlflow.models import Model

    with quiet(), tracking_at(uri):
        name = re.sub(FORBIDDEN, "_", run.info.run_name)
        model = client.create_logged_model(run.info.experiment_id, name, source_run_id=run_id)
        Model.log(
            None, flavor=mlflow.pyfunc, model_id=model.model_id, run_id=run_id, step=0, name=name, **told
        )
    client.set_tag(run_id, MODEL_TAG, json.dumps({"network": digest, "model_id": model.model_id}))
    return LoggedPoseModel(model_id=model.model_id, new=True)


def tag_registered(client: Any, model_id: str, name: str, version: str) -> None:
    """Let the list of models say as what one is registered."""
    known = json.loads(client.get_logged_model(model_id).tags.get(VERSIONS_TAG, "[]"))
    told = [*known, {"name": name, "version": version}]
    client.set_logged_model_tags(model_id, {VERSIONS_TAG: json.dumps(told)})


def model_of(run: Any) -> str | None:
    """Id of the model that was logged with a run; None for none."""
    model_id = json.loads(run.data.tags.get(MODEL_TAG, "{}")).get("model_id")
    return None if model_id is None else str(model_id)


def _is_there(client: Any, model_id: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        return str(client.get_logged_model(model_id).status) == "READY"
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False
