"""The picture of calibration: which numbers stand in which panel, in which unit."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from epropnp.evaluation.calibration import Calibration
from epropnp.visualization.calibration import coverage_curve, save_calibration

RNG = np.random.default_rng(0)
MADE = Calibration(
    object_id=np.zeros(25, int),
    level_sampled=RNG.random(25) ** 2,
    level_covariance=RNG.random(25) ** 0.5,
    negative_log_likelihood=None,
    translation_error_m=RNG.random(25),
    translation_std_m=1 + RNG.random(25),
    rotation_error_deg=10 + RNG.random(25),
    rotation_std_deg=20 + RNG.random(25),
    left_out=3,
)


@pytest.fixture
def panels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Axes]:
    shown: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: shown.append(figure))
    save_calibration(MADE, tmp_path / "c.png")
    return shown[0].axes


def test_both_curves_are_named_for_what_they_show(panels: list[Axes]) -> None:
    lines = {line.get_label(): line for line in panels[0].lines}
    for label, level in (
        ("posterior samples", MADE.level_sampled),
        ("covariance alone", MADE.level_covariance),
    ):
        assert level is not None
        inside = [100 * np.mean(level <= percent / 100) for percent in range(101)]
        np.testing.assert_allclose(np.asarray(lines[label].get_xdata()), range(101))
        np.testing.assert_allclose(np.asarray(lines[label].get_ydata()), inside)
    assert panels[0].get_title() == "25 images, 3 without a pose left out"


def test_the_band_is_what_chance_leaves_of_so_few_images(panels: list[Axes]) -> None:
    """1.96 standard deviations of a share of 25 images: 19.6 % at the middle, nothing at the ends."""
    (band,) = panels[0].collections
    edge = np.asarray(band.get_paths()[0].vertices)
    middle = edge[np.isclose(edge[:, 0], 50), 1]
    assert (middle.min(), middle.max()) == (pytest.approx(50 - 19.6), pytest.approx(50 + 19.6))
    np.testing.assert_allclose(edge[np.isclose(edge[:, 0], 100), 1], 100)


@pytest.mark.parametrize(("panel", "name", "unit"), [(1, "translation", "mm"), (2, "rotation", "deg")])
def test_errors_stand_over_their_standard_deviations(
    panel: int, name: str, unit: str, panels: list[Axes]
) -> None:
    axes, factor = panels[panel], 1000 if unit == "mm" else 1
    suffix = "m" if unit == "mm" else "deg"
    std, error = (factor * getattr(MADE, f"{name}_{kind}_{suffix}") for kind in ("std", "error"))
    np.testing.assert_allclose(np.asarray(axes.lines[0].get_xdata()), std)
    np.testing.assert_allclose(np.asarray(axes.lines[0].get_ydata()), error)
    assert axes.get_title() == name
    assert (axes.get_xlabel(), axes.get_ylabel()) == (
        f"predicted standard deviation, {unit}",
        f"error, {unit}",
    )
    ends = axes.lines[1]
    x, y = np.asarray(ends.get_xdata()), np.asarray(ends.get_ydata())
    np.testing.assert_allclose(x, y)  # error = standard deviation
    assert axes.get_xlim()[0] < std.min() < std.max() < axes.get_xlim()[1]


def test_of_no_images_none_are_inside() -> None:
    assert (coverage_curve(np.zeros(0)) == 0).all()


def test_colours_are_those_that_the_colour_blind_tell_apart_and_ticks_are_plain(panels: list[Axes]) -> None:
    colours = [to_hex(line.get_color()).upper() for line in panels[0].lines]
    assert colours == ["#333333", "#0072B2", "#D55E00"]  # Okabe and Ito's blue and vermilion
    for panel in panels[1:]:
        assert [to_hex(line.get_color()).upper() for line in panel.lines] == ["#D55E00", "#333333"]
        texts = [label.get_text() for label in panel.get_xticklabels() + panel.get_yticklabels()]
        assert not any("10^" in text or "e" in text for text in texts)
    figure = panels[0].figure
    assert isinstance(figure, Figure)
    assert figure.get_suptitle().startswith("Calibration: ")
