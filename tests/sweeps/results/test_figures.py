"""The figures of a sweep: which there are, and that their numbers are those of the trials."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epropnp.inference.latency import Cost, Latency
from epropnp.visualization.palette import COLOURS, GREY
from sweeps.results.columns import Row
from sweeps.results.figures import CAPTIONS, figures, save
from sweeps.results.summary import RANKED, Summary, summarise
from sweeps.results.tables import SCORES
from sweeps.results.tested import ImageScores
from tests.pictures import picture_in
from tests.sweeps.results.counted import counted

Make = Callable[..., Row]
IMAGES = 40
OBJECT_ID = np.repeat([1, 2], IMAGES // 2)


def trial(error_d: float, spread: float) -> ImageScores:
    """Errors from 0 to twice a mean for the first object, `spread` times as large for the second."""
    errors_d = np.linspace(0, 2 * error_d, IMAGES) * np.where(OBJECT_ID == 1, 1, spread)
    hits = 100.0 * (errors_d < 0.1)
    found = counted([str(i) for i in range(IMAGES)], OBJECT_ID, {SCORES[title]: hits for title in RANKED})
    errors = dataclasses.replace(
        found.errors, object_id=OBJECT_ID, add_m=0.2 * errors_d, diameter_m=np.full(IMAGES, 0.2)
    )
    T_true = found.T_true.copy()
    T_true[:, 2, 3] = 1 + np.arange(IMAGES) / IMAGES
    return dataclasses.replace(found, errors=errors, T_true=T_true)


def sweep(
    make: Make,
    backbones: int,
    seeds: int,
    heads: Sequence[str] = ("deconv",),
    weights: Sequence[float] = (0.5,),
) -> tuple[list[Row], Summary, dict[str, ImageScores]]:
    """Rows of made-up backbones, the first the best; `heads` and `weights` as further axes."""
    rows, images = [], {}
    for k in range(backbones):
        for j, head in enumerate(heads):
            for weight in weights:
                for seed in range(seeds):
                    row = make(backbone=f"net{k}", seed=seed)
                    config = dataclasses.replace(
                        row.config,
                        model=dataclasses.replace(row.config.model, head=head),
                        loss=dataclasses.replace(row.config.loss, mc=weight),
                    )
                    name = f"net{k}-{head}-{weight}-{seed}"
                    rows.append(dataclasses.replace(row, name=name, config=config))
                    images[name] = trial(0.05 + 0.01 * k + 0.003 * j + 0.001 * seed, 1.5)
    return rows, summarise(rows, images), images


def drawn(*arguments: Any, **more: Any) -> tuple[Summary, dict[str, ImageScores]]:
    """The same, without the rows."""
    return sweep(*arguments, **more)[1:]


def test_there_is_no_figure_of_what_does_not_vary(made_row: Make) -> None:
    plain = figures(*drawn(made_row, 2, 1))
    assert plain.keys() == {"differences", "accuracy", "objects", "cost", "curves", "flips", "distance"}
    crossed = figures(*drawn(made_row, 2, 1, heads=["deconv", "fpn"], weights=[0.0, 0.5]))
    assert crossed.keys() - plain.keys() == {"interaction", "loss-weight"}
    assert crossed.keys() <= CAPTIONS.keys()


def test_accuracies_are_those_of_the_trials_and_colours_those_of_the_rank(made_row: Make) -> None:
    _, summary, images = sweep(made_row, 9, 2)
    axes = figures(summary, images)["accuracy"]().axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    for k in range(9):
        own = [images[f"net{k}-deconv-0.5-{seed}"].errors for seed in range(2)]
        below = [np.mean(each.add_m < 0.05 * each.diameter_m) for each in own]  # objects of equal size
        assert np.asarray(lines[f"net{k}"].get_ydata())[50] == pytest.approx(100 * np.mean(below))
        assert lines[f"net{k}"].get_color() == ([*COLOURS, GREY, GREY])[k]


def test_a_setting_has_one_colour_in_all_figures(made_row: Make) -> None:
    found = figures(*drawn(made_row, 3, 1))
    for key in ("accuracy", "cost", "distance"):
        for axes in found[key]().axes:
            own = {str(line.get_label()): line.get_color() for line in axes.lines}
            assert [own[f"net{k}"] for k in range(3)] == list(COLOURS[:3]), key


def test_costs_are_of_one_machine(made_row: Make) -> None:
    rows, _, images = sweep(made_row, 4, 1)
    for k, host in enumerate(("a", "a", "a", "b")):
        cost = {1: Cost(network_ms=10.0 + k, layer_ms=5)}
        latency = Latency(
            batches=cost, device="cpu", precision="float32", threads=2, torch="2", host=host, measured=""
        )
        rows[k] = dataclasses.replace(rows[k], latency=latency)
    axes, parameters = figures(summarise(rows, images), images)["cost"]().axes
    points = {str(line.get_label()): np.asarray(line.get_xdata()).tolist() for line in axes.lines}
    assert [points.get(f"net{k}") for k in range(4)] == [[15], [16], [17], None]
    assert "not measured there: 1" in axes.get_xlabel()
    assert parameters.get_xlabel() == "parameters, millions"


def test_a_visible_fraction_of_every_image_is_a_panel_more(made_row: Make) -> None:
    _, summary, images = sweep(made_row, 2, 1)
    assert len(figures(summary, images)["distance"]().axes) == 2
    visible = {str(i): i / IMAGES for i in range(IMAGES)}
    assert len(figures(summary, images, visible=lambda: visible)["distance"]().axes) == 3
    del visible["0"]  # of an image it is not known
    assert len(figures(summary, images, visible=lambda: visible)["distance"]().axes) == 2
    whole = {str(i): 1 - (i % 20 == 0) for i in range(IMAGES)}  # few are hidden
    assert len(figures(summary, images, visible=lambda: whole)["distance"]().axes) == 2


def test_stopped_trials_are_drawn_as_far_as_they_got_in_their_setting_s_colour(made_row: Make) -> None:
    rows, summary, images = sweep(made_row, 2, 1)
    history = [{"val/add_0.10d": 0.5}, {"train/loss": 3.5, "val/add_0.10d": 4.5}]
    other = dataclasses.replace(rows[1].config, seed=7)
    alien = dataclasses.replace(
        rows[1].config, recipe="another", optim=dataclasses.replace(other.optim, lr=9.0)
    )
    stopped = [
        dataclasses.replace(rows[1], status="stopped", config=config, result=None, history=history)
        for config in (other, alien)
    ]
    loss, accuracy = figures(summary, images, stopped)["curves"]().axes
    for axes, epochs, values in ((loss, [1], [3.5]), (accuracy, [0, 1], [0.5, 4.5])):
        dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
        assert [line.get_color() for line in dashed] == [COLOURS[1], GREY]
        for line in dashed:
            assert np.asarray(line.get_xdata()).tolist() == epochs
            assert np.asarray(line.get_ydata()).tolist() == values
            assert (line.get_marker(), line.get_markevery()) == ("x", [len(values) - 1])
    texts = " ".join(text.get_text() for text in accuracy.figure.texts)
    assert "2 trials that were stopped" in texts.replace("\n", " ")


def test_a_figure_becomes_two_files(made_row: Make, tmp_path: Path) -> None:
    save(figures(*drawn(made_row, 2, 1))["flips"], tmp_path / "figures" / "flips.png")
    assert picture_in(tmp_path / "figures" / "flips.png").shape[1] == 1001
    assert (tmp_path / "figures" / "flips.pdf").is_file()
