"""What the MLflow UI shows at first: a shared view is a tag of the experiment, which an address names.

Without it the list of runs has no numbers, and without `workflowType` the UI shows traces, of which there
are none. A view sets columns, order, filter and charts, as if somebody had chosen and shared them.
"""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from sweeps.names import safe_name
from sweeps.tracking.charts import SCORES, charts
from sweeps.tracking.run_index import SWEEP_TAG
from sweeps.tracking.trial_words import BACKBONE, HEAD, SEED, WEIGHT

VIEW_TAG = "mlflow.sharedViewState."  # before the name of a view
ALL = "sweeps"  # the view of all of them
SETTINGS = (BACKBONE, HEAD, WEIGHT, SEED)
MOST_VARIED, MOST_AXES = 12, 8  # columns; axes of parallel coordinates


def view_name(sweep_id: str, sweep_name: str) -> str:
    """Of the view of one sweep: others may be called alike."""
    return safe_name(sweep_name, f"-{sweep_id[:6]}")


def view(varied: Sequence[str] = (), sweep_id: str | None = None) -> str:
    """The content of its tag: of one sweep, or of all."""
    params = dict.fromkeys((*SETTINGS, *varied[:MOST_VARIED]))
    return json.dumps(
        {
            "selectedColumns": [
                *(f"metrics.`{key}`" for key in SCORES),
                *(f"params.`{key}`" for key in params),
            ],
            "orderByKey": f"metrics.`{SCORES[0]}`",
            "orderByAsc": False,
            "searchFilter": "" if sweep_id is None else f"tags.`{SWEEP_TAG}` = '{sweep_id}'",
            **charts([*params][:MOST_AXES]),
        }
    )


def share(client: Any, experiment: str, sweep_id: str, sweep_name: str, varied: Sequence[str]) -> None:
    """Set both views, where they are other ones."""
    had = client.get_experiment(experiment).tags
    wanted = {ALL: view(), view_name(sweep_id, sweep_name): view(varied, sweep_id)}
    for name, content in wanted.items():
        if had.get(f"{VIEW_TAG}{name}") != content:
            client.set_experiment_tag(experiment, f"{VIEW_TAG}{name}", content)


def address(base: str, experiment: str, name: str | None) -> str:
    """The list of runs at a server, as a view shows it."""
    shared = "" if name is None else f"&viewStateShareKey={quote(name, safe='')}"
    return f"{base.rstrip('/')}/#/experiments/{experiment}/runs?workflowType=machine_learning{shared}"
