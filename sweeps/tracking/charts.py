"""What the chart view of MLflow's list of runs shows at first: test scores, then how trainings went."""

from collections.abc import Sequence
from typing import Any

from sweeps.tracking.run_pictures import KEY

SCORES = ("test/add_0.10d", "test/add_area", "test/5deg5cm")  # the first one decides
CURVES = ("val/add_0.10d", "train/loss")
MOST = 100  # runs in a chart: as many as the UI loads at a time
TESTED, TRAINED = "scores", "training"


def charts(settings: Sequence[str]) -> dict[str, Any]:
    """Part of a view, in the words of MLflow's UI: its charts, in two sections.

    Args:
        settings: params that are the axes of parallel coordinates, before the first score.
    """
    parallel = _chart("settings", "PARALLEL", TESTED)
    parallel |= {"selectedParams": [*settings], "selectedMetrics": [SCORES[0]], "showAllRuns": True}
    bars = [_chart(key, "BAR", TESTED) | {"metricKey": key, "displayName": key} for key in SCORES]
    lines = [_chart(key, "LINE", TRAINED) | _line(key) for key in CURVES]
    pictures = _chart("pictures", "IMAGE", TRAINED) | {"imageKeys": [KEY], "step": 0}
    return {
        "compareRunCharts": [parallel, *bars, *lines, pictures],
        "compareRunSections": [_section(TESTED, "Test scores"), _section(TRAINED, "Training")],
        "isAccordionReordered": True,  # else sections go by the alphabet
    }


def _chart(name: str, kind: str, section: str) -> dict[str, Any]:
    own = {"uuid": name, "type": kind, "metricSectionId": section, "runsCountToCompare": MOST}
    return own | {"deleted": False, "isGenerated": False}


def _line(metric: str) -> dict[str, Any]:
    """Of one metric against epochs."""
    scales = {"xAxisKey": "step", "xAxisScaleType": "linear", "scaleType": "linear", "lineSmoothness": 0}
    limits = {"range": dict.fromkeys(("xMin", "xMax", "yMin", "yMax"))}
    return {"metricKey": metric, "selectedMetricKeys": [metric], "displayName": metric} | scales | limits


def _section(name: str, title: str) -> dict[str, Any]:
    own = {"uuid": name, "name": title, "display": True, "isReordered": True}
    return own | {"deleted": False, "isGenerated": False}
