"""Functions of MLflow that act by themselves: where they do it, and that they keep silent."""

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator

URI_VARIABLE = "MLFLOW_TRACKING_URI"
BAR = "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"


@contextlib.contextmanager
def tracking_at(uri: str) -> Iterator[None]:
    """What MLflow does by itself meanwhile, it does there; the user's own setting comes back."""
    from mlflow.tracking._tracking_service.utils import _use_tracking_uri

    before = os.environ.get(URI_VARIABLE)
    try:
        with _use_tracking_uri(uri):
            yield
    finally:
        if before is not None:
            os.environ[URI_VARIABLE] = before


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without MLflow's bars and advice; what fails is raised all the same."""
    logger, bar = logging.getLogger("mlflow"), os.environ.get(BAR)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    os.environ[BAR] = "false"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        if bar is None:
            del os.environ[BAR]
        else:
            os.environ[BAR] = bar
