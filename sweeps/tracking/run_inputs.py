"""The data of a run, as MLflow's column of datasets shows them: each logged once."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

CONTEXT_TAG = "mlflow.data.context"
SOURCE_TYPE = "epropnp"


def log_inputs(client: Any, run: Any, inputs: Sequence[Mapping[str, Any]]) -> None:
    """Log those that the run lacks.

    Args:
        client: of MLflow.
        run: of MLflow, as it is now.
        inputs: of an event, see `described`.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    had = {(each.dataset.name, each.dataset.digest) for each in run.inputs.dataset_inputs}
    new = [
        DatasetInput(
            Dataset(
                name=each["name"],
                digest=each["digest"],
                source_type=SOURCE_TYPE,
                source=json.dumps(each["source"]),
                profile=json.dumps(each["profile"]) if each["profile"] else None,
            ),
            [InputTag(CONTEXT_TAG, each["context"])],
        )
        for each in inputs
        if (each["name"], each["digest"]) not in had
    ]
    if new:
        client.log_inputs(run.info.run_id, new)
