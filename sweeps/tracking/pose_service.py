"""What MLflow runs to answer with poses: it is copied into each model, beside `epropnp` and `best.pt`.

It is loaded as code, not unpickled, and knows nothing of sweeps.
"""

import threading
from typing import Any

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from epropnp.errors import UserError
from epropnp.prediction.pose_predictor import PosePredictor
from epropnp.prediction.requests import answers

NETWORK = "network"  # name of the artifact


class RequestError(MlflowException):  # type: ignore[misc, unused-ignore]
    """What is wrong with a request, in one line: MLflow's server would put the whole request before it."""

    def __init__(self, line: str) -> None:
        self._line = line
        super().__init__(line, error_code=INVALID_PARAMETER_VALUE)

    @property
    def message(self) -> str:
        """The line."""
        return self._line

    @message.setter
    def message(self, text: str) -> None:
        """Stays as it is."""


class PoseModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc, unused-ignore]
    """Answers requests as `epropnp.prediction.requests` has them, one call after the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._predictor: PosePredictor | None = None

    def load_context(self, context: Any) -> None:
        """Read the network."""
        self._predictor = PosePredictor.load(context.artifacts[NETWORK])

    def predict(  # of a table MLflow makes no schema of its own, which it does of other types
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Rows of poses. RequestError for what is wrong with a request."""
        assert self._predictor is not None
        try:
            with self._lock:
                return answers(self._predictor, _requests(model_input))
        except UserError as error:
            raise RequestError(" ".join(str(error).split())) from None


def _requests(given: Any) -> list[dict[str, Any]]:
    """Of a table, in which what is not given is nothing, or not a number."""
    records = given.to_dict(orient="records") if hasattr(given, "to_dict") else given
    records = records if isinstance(records, list) else [records]
    return [
        {name: plain for name, value in record.items() if (plain := _plain(value)) is not None}
        if isinstance(record, dict)
        else record
        for record in records
    ]


def _plain(value: Any) -> Any:
    """Lists and numbers of Python; None for what is not given."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return None if value != value else value


mlflow.models.set_model(PoseModel())
