"""The views that the UI starts with: they name what the runs have, and the addresses name them."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from mlflow import MlflowClient

from epropnp.training.result import TrialResult
from sweeps.tracking.events import PARENT, started
from sweeps.tracking.experiment import EXPERIMENT
from sweeps.tracking.trial_events import facts_of
from sweeps.tracking.views import ALL, VIEW_TAG, address, view, view_name
from tests.sweeps import tracked
from tests.sweeps.tracking.written import write_trial

A = "resnet-seed0"


def test_both_views_name_columns_that_the_runs_have_and_filter_by_sweep(
    uri: str, tmp_path: Path, result: TrialResult
) -> None:
    write_trial(tmp_path / A, result, [8.0])
    runs = tracked.sender(uri, tmp_path)
    runs.carry(started(PARENT, {}) | {"varied": ["optim.lr"]})
    for fact in facts_of(lambda name: tmp_path / name, tmp_path, ["optim.lr"])(A):
        runs.carry(fact)
    found = tracked.runs(uri, tmp_path)
    run, client = found[A], MlflowClient(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    views = {
        name: json.loads(experiment.tags[f"{VIEW_TAG}{name}"])
        for name in (ALL, view_name(tmp_path.name, "sweep"))
    }
    own = views.pop(view_name(tmp_path.name, "sweep"))
    known = {f"metrics.`{key}`" for key in run.data.metrics} | {f"params.`{key}`" for key in run.data.params}
    for shared in (own, views[ALL]):
        assert set(shared["selectedColumns"]) <= known
        assert shared["orderByKey"] in shared["selectedColumns"]
        assert shared["orderByAsc"] is False
        for chart in shared["compareRunCharts"]:
            metrics = [*chart.get("selectedMetrics", []), *filter(None, [chart.get("metricKey")])]
            assert {f"metrics.`{key}`" for key in metrics} <= known, chart
            assert {f"params.`{key}`" for key in chart.get("selectedParams", [])} <= known, chart
            assert chart["metricSectionId"] in {each["uuid"] for each in shared["compareRunSections"]}
    assert "params.`optim.lr`" in own["selectedColumns"]
    assert "optim.lr" in own["compareRunCharts"][0]["selectedParams"]
    shown = client.search_runs([experiment.experiment_id], own["searchFilter"])
    assert {each.info.run_id for each in shown} == {each.info.run_id for each in found.values()}


def test_a_view_fits_into_a_tag_however_much_varies() -> None:
    assert len(view([f"evaluation.a_setting_with_a_long_name_{n}" for n in range(40)], "0" * 32)) < 5000


def test_no_metric_comes_before_the_test_scores_where_the_ui_compares_runs(
    uri: str, tmp_path: Path, result: TrialResult
) -> None:
    write_trial(tmp_path / A, result, [8.0])
    runs = tracked.sender(uri, tmp_path)
    for fact in facts_of(lambda name: tmp_path / name, tmp_path)(A):
        runs.carry(fact)
    assert min(tracked.runs(uri, tmp_path)[A].data.metrics).startswith("test/")


def test_an_address_names_mode_and_view() -> None:
    found = urlsplit(urlsplit(address("http://h:5/", "7", "a b")).fragment)
    assert found.path == "/experiments/7/runs"
    assert parse_qs(found.query) == {"workflowType": ["machine_learning"], "viewStateShareKey": ["a b"]}
    assert "viewStateShareKey" not in address("http://h:5", "7", None)
