"""The figures of a sweep: from its rows, its answer and what images scored to what can be drawn.

Settings have the same colours in all of them, by their rank in `SELECTION`. A figure that would show nothing,
such as the heads of a sweep with one head, is not among them.
"""

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from epropnp.evaluation.by_object import images_by_object
from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.metrics import Array
from epropnp.visualization.accuracy import accuracy_curve, draw_accuracy
from epropnp.visualization.canvas import save_figure
from epropnp.visualization.comparison import draw_comparison
from epropnp.visualization.conditions import Condition, distance_m, draw_conditions, elevation_deg
from epropnp.visualization.cost import Cost, draw_cost
from epropnp.visualization.coverage import draw_coverage
from epropnp.visualization.curves import Curves, draw_curves
from epropnp.visualization.flips import draw_flips
from epropnp.visualization.heat_map import draw_objects
from epropnp.visualization.interaction import Point, draw_interaction, draw_loss_weight
from epropnp.visualization.palette import Palette
from sweeps.results.columns import Row
from sweeps.results.summary import SELECTION, Summary
from sweeps.results.tables import ADD
from sweeps.results.tested import ImageScores
from sweeps.search.search import setting_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = "figures"  # of a sweep
HIDDEN, WHOLE = 0.1, 95.0  # objects are hidden now and then if so many images show less of them, in percent
CAPTIONS: Mapping[str, str] = {
    "differences": "Settings by score, and how far each is behind the best: the verdicts of the summary.",
    "accuracy": "Accuracy on the test split against the error that is allowed; bands reach from the worst "
    "seed to the best.",
    "objects": "Which setting is good at which object: mean over seeds.",
    "cost": "Accuracy against milliseconds per image and parameters; no setting beats those of the Pareto "
    "front in both.",
    "curves": "Training loss and validation accuracy by epoch; bands reach from the lowest "
    "seed to the highest. Dashed: trials that were stopped, up to where they got.",
    "interaction": "Heads by backbone, of settings that share all else with the best; lines that cross or "
    "part are interaction. Bars: 95 % intervals over images and seeds.",
    "loss-weight": "Accuracy against the weight of the Monte Carlo loss; lines share all else. Bars: 95 % "
    "intervals over images and seeds.",
    "flips": "Images that one setting gets right in most seeds and the best in none, and the reverse.",
    "distance": "Median error against the distance of the object, the elevation of the camera above its x-y "
    "plane and, where it is known, the visible fraction; bins of equally many images.",
    "calibration": "Whether credible regions hold as many truths as they promise, by setting; 0 is "
    "calibrated.",
}
Draw = Callable[[], "Figure"]


def figures(
    summary: Summary,
    images: Mapping[str, ImageScores],
    stopped: Sequence[Row] = (),
    visible: Callable[[], Mapping[str, float]] = dict,
) -> Mapping[str, Draw]:
    """By key of `CAPTIONS`, what draws the figures that have something to show.

    Args:
        summary: of the trials that are compared.
        images: by name of a trial, what it did on each image.
        stopped: rows of trials that were stopped, whose curves are drawn up to where they got.
        visible: finds out, by sample id, the fraction of the object that is visible, 0 to 1.
    """
    comparison = summary.ranked[SELECTION]
    ranked = [setting.name for setting in comparison.settings]
    palette = Palette(ranked)
    tested = {name: [images[row.name] for row in summary.settings[name]] for name in ranked}
    first = tested[ranked[0]][0]
    means = {setting.name: setting.mean for setting in comparison.settings}
    found: dict[str, Draw | None] = {
        "differences": partial(draw_comparison, comparison, SELECTION, palette),
        "accuracy": _accuracy(tested, first.object_id, palette),
        "objects": _objects(tested, first, palette),
        "cost": _cost(summary, means, palette),
        "curves": _curves(summary, stopped, palette),
        "interaction": _interaction(summary, means, ranked[0]),
        "loss-weight": _loss_weight(summary, means, palette),
        "flips": _flips(summary, len(first.object_id), palette),
        "distance": _distance(tested, first, palette, visible),
        "calibration": _calibration(tested, palette),
    }
    return {key: draw for key, draw in found.items() if draw is not None}


def save(draw: Draw, file: Path) -> None:
    """Draw a figure into a PNG file and a PDF beside it. UserError where they cannot be written."""
    save_figure(draw(), [file, file.with_suffix(".pdf")])


def _errors_d(tested: Mapping[str, Sequence[ImageScores]]) -> dict[str, Array]:
    """ADD(-S) errors in diameters of the trials of each setting, (S, n)."""
    return {
        name: np.stack([own.errors.add_m / own.errors.diameter_m for own in group])
        for name, group in tested.items()
    }


def _accuracy(tested: Mapping[str, Sequence[ImageScores]], object_id: Array, palette: Palette) -> Draw:
    def draw() -> "Figure":
        errors = _errors_d(tested)
        return draw_accuracy({n: accuracy_curve(each, object_id) for n, each in errors.items()}, palette)

    return draw


def _objects(
    tested: Mapping[str, Sequence[ImageScores]], first: ImageScores, palette: Palette
) -> Draw | None:
    groups = images_by_object(first.object_id)
    if len(groups) < 2:
        return None
    names = [first.names[int(first.object_id[group[0]])] for group in groups]
    values = {}
    for name, trials in tested.items():
        mean = np.mean([own.values[ADD] for own in trials], axis=0)  # (n,)
        values[name] = np.array([mean[group].mean() for group in groups])
    return partial(draw_objects, values, names, SELECTION, palette)


def _cost(summary: Summary, means: Mapping[str, Estimate], palette: Palette) -> Draw | None:
    costs = [*_latencies(summary), _parameters(summary)]
    shown = [cost for cost in costs if len(cost.values) > 1]
    scores = {name: mean.value for name, mean in means.items()}
    return partial(draw_cost, scores, shown, SELECTION, palette) if shown else None


def _latencies(summary: Summary) -> list[Cost]:
    """Of one image at a time, where most settings were measured: machines cannot be compared."""
    known = {
        name: row.latency
        for name, group in summary.settings.items()
        for row in group
        if row.latency is not None and 1 in row.latency.batches
    }
    places = Counter((latency.host, latency.place) for latency in known.values())
    if not places:
        return []
    (chosen, count), *_ = places.most_common(1)
    values = {}
    for name, latency in known.items():
        if (latency.host, latency.place) == chosen:
            cost = latency.batches[1]
            values[name] = cost.network_ms + cost.layer_ms
    lacking = len(summary.settings) - count
    left_out = f"; not measured there: {lacking}" if lacking else ""
    return [Cost(title=f"network and poses, ms per image alone, on {chosen[1]}{left_out}", values=values)]


def _parameters(summary: Summary) -> Cost:
    values = {
        name: group[0].result.parameters / 1e6 for name, group in summary.settings.items() if group[0].result
    }
    return Cost(title="parameters, millions", values={n: value for n, value in values.items() if value > 0})


def _curves(summary: Summary, stopped: Sequence[Row], palette: Palette) -> Draw | None:
    settings, names = {}, {}
    for name, group in summary.settings.items():
        names[setting_of(group[0].config, group[0].dataset_id)] = name
        results = [row.result for row in group if row.result is not None and row.result.val_add]
        if results:
            settings[name] = [Curves(loss=each.train_loss, accuracy=each.val_add) for each in results]
    ended = [
        (names.get(setting_of(row.config, row.dataset_id), ""), _so_far(row))
        for row in stopped
        if row.history
    ]
    return partial(draw_curves, settings, palette, ended) if settings else None


def _so_far(row: Row) -> Curves:
    return Curves(
        loss=[epoch.get("train/loss", math.nan) for epoch in row.history[1:]],
        accuracy=[epoch.get(f"val/{ADD}", math.nan) for epoch in row.history],
    )


def _interaction(summary: Summary, means: Mapping[str, Estimate], best: str) -> Draw | None:
    """Of the settings that share with the best one all but backbone and head."""
    alike = _apart(summary.settings[best][0])
    cells = {}
    for name, group in summary.settings.items():
        model = group[0].config.model
        if _apart(group[0]) == alike:
            cells[model.backbone, model.head] = means[name]
    backbones, heads = ({key[i] for key in cells} for i in range(2))
    if len(backbones) < 2 or len(heads) < 2:
        return None
    left_out = len(summary.settings) - len(cells)
    shared = f"{left_out} settings that differ in more from the best are not shown." if left_out else ""
    return partial(draw_interaction, cells, SELECTION, shared, ("backbone", "head"))


def _apart(row: Row) -> object:
    """What a setting is apart from backbone and head."""
    config, dataset_id = setting_of(row.config, row.dataset_id)
    model = dataclasses.replace(config.model, backbone="", head="deconv")
    return dataclasses.replace(config, model=model), dataset_id


def _loss_weight(summary: Summary, means: Mapping[str, Estimate], palette: Palette) -> Draw | None:
    """Lines of the settings that share all but the weight, if there are any; the best first."""
    lines: dict[object, list[str]] = {}
    for name in palette.ranked:
        config, dataset_id = setting_of(
            summary.settings[name][0].config, summary.settings[name][0].dataset_id
        )
        loss = dataclasses.replace(config.loss, mc=0.0)
        lines.setdefault((dataclasses.replace(config, loss=loss), dataset_id), []).append(name)
    weights = {name: group[0].config.loss.mc for name, group in summary.settings.items()}
    points = {
        _without_weight(names[0]): [Point(setting=n, x=weights[n], score=means[n]) for n in names]
        for names in lines.values()
        if len(names) > 1
    }
    return partial(draw_loss_weight, points, SELECTION, palette) if points else None


def _without_weight(label: str) -> str:
    """What a line is called: the label of one of its settings, but for the weight."""
    words = label.split(" ")
    if "weight" in words[1:]:
        at = words.index("weight")
        words = [*words[: at - 1], *words[at + 2 :]]
    return " ".join(words) or "all settings"


def _flips(summary: Summary, images: int, palette: Palette) -> Draw | None:
    settings = summary.ranked[SELECTION].settings
    counts = {setting.name: setting.flips for setting in settings if setting.flips is not None}
    return partial(draw_flips, counts, settings[0].name, images, palette) if counts else None


def _distance(
    tested: Mapping[str, Sequence[ImageScores]],
    first: ImageScores,
    palette: Palette,
    visible: Callable[[], Mapping[str, float]],
) -> Draw:
    def draw() -> "Figure":
        conditions = [
            Condition(word="distance", title="distance of the object, m", values=distance_m(first.T_true)),
            Condition(
                word="view", title="elevation of the camera, degrees", values=elevation_deg(first.T_true)
            ),
        ]
        known = visible()
        shares = np.array([100 * known.get(name, np.nan) for name in first.sample_id])
        if np.quantile(shares, HIDDEN) < WHOLE:  # NaN is not
            conditions.append(
                Condition(word="visible part", title="visible part of the object, %", values=shares)
            )
        return draw_conditions(_errors_d(tested), conditions, palette)

    return draw


def _calibration(tested: Mapping[str, Sequence[ImageScores]], palette: Palette) -> Draw | None:
    curves = {}
    for name, group in tested.items():
        known = [own.coverage for own in group if own.coverage is not None]
        if known:
            curves[name] = np.stack(known)
    return partial(draw_coverage, curves, palette, len(tested) - len(curves)) if curves else None
