"""The figure of a posterior: what each panel shows, in which unit, and what its title says."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.spatial.transform import Rotation

from epropnp.errors import UserError
from epropnp.visualization import posterior
from epropnp.visualization.density import SphereDensity
from epropnp.visualization.posterior import PosteriorPicture, posterior_figure, save_posterior
from tests.evaluation.known_errors import pose
from tests.inference.test_outline import TURNS, ball
from tests.pictures import picture_in
from tests.visualization.test_density import peaks

T = pose(TURNS[1], (0.01, -0.02, 0.5))[0]
K_CROP = np.array([[300.0, 0, 60], [0, 300, 50], [0, 0, 1]])
STD = np.array([0.002, 0.001, 0.01, 0.02, 0.03, 0.02])  # m and rad
BALL = replace(ball(2000, 0.04), bounds_min=np.array([-0.04, -0.05, -0.06]), bounds_max=np.full(3, 0.04))
HALF_TURN = np.diag([-1.0, -1, 1, 1])  # about the object's z


def samples(count: int = 600) -> np.ndarray:
    """Poses (count, 4, 4) around T."""
    local = np.random.default_rng(0).normal(size=(count, 6)) * STD
    moved = np.tile(T, (count, 1, 1))
    moved[:, :3, 3] += local[:, :3]
    moved[:, :3, :3] = Rotation.from_rotvec(local[:, 3:]).as_matrix() @ T[:3, :3]
    return moved


def picture(**changed: Any) -> PosteriorPicture:
    rng = np.random.default_rng(1)
    made = PosteriorPicture(
        crop=np.full((100, 120, 3), 90, np.uint8),
        K_crop=K_CROP,
        coords=rng.normal(size=(3, 16, 16)) * 0.02,
        weights=np.stack([np.full((16, 16), 3.0), np.full((16, 16), 4.0)]),
        samples=samples(),
        sample_weights=np.full(600, 1 / 600),
        T_cam_obj=T,
        covariance=np.diag(STD**2),
        log_evidence=-12.34,
        model=BALL,
    )
    return replace(made, **changed)


def panel(figure: Figure, title: str) -> Axes:
    return next(axes for axes in figure.axes if axes.get_title().startswith(title))


@pytest.fixture(scope="module")
def figure() -> Figure:
    return posterior_figure(picture())


def test_the_title_tells_radii_evidence_and_effective_samples() -> None:
    """Weights of 3 to 1 on two groups: 600 (3 + 1)^2 / (2 (9 + 1)) = 480 effective samples."""
    given = picture(sample_weights=np.repeat([3, 1], 300) / 1200)
    text = given.title()
    assert text.startswith("cat:")
    assert "log-evidence -12.3" in text
    assert "480 effective of 600 samples" in text
    shift, turn = given.radii()
    assert f"{shift:.0f} mm and {turn:.2g}°" in text
    assert posterior_figure(given).texts[0].get_text() == text


def test_radii_hold_95_percent_of_the_weight() -> None:
    moved = np.tile(T, (100, 1, 1))
    moved[:, 0, 3] += np.arange(100) / 1000
    angle = np.radians(np.arange(100))
    moved[:, :3, :3] = Rotation.from_rotvec(angle[:, None] * [0, 0, 1]).as_matrix() @ T[:3, :3]
    given = picture(samples=moved, sample_weights=np.full(100, 0.01))
    np.testing.assert_allclose(given.radii(), [94, 94])
    np.testing.assert_allclose(given.radii(0.495), [49, 49])


def test_quaternions_are_poses_too() -> None:
    x, y, z, w = Rotation.from_matrix(T[:3, :3]).as_quat()
    given = picture(samples=np.array([[*T[:3, 3], w, x, y, z]]), sample_weights=np.ones(1))
    np.testing.assert_allclose(given.T_samples[0], T, atol=1e-12)
    np.testing.assert_allclose(given.shift_mm, 0, atol=1e-9)
    np.testing.assert_allclose(given.turn_deg, 0, atol=1e-5)


def test_the_crop_shows_the_outline_and_axes_at_their_pixels(figure: Figure) -> None:
    axes = panel(figure, "outline")
    line = np.asarray(axes.lines[0].get_xydata())
    centre = T[:3, 3] / T[2, 3]
    radius = 300 * 0.04 / np.sqrt((T[:3, 3] ** 2).sum() - 0.04**2)
    off = np.linalg.norm(line - (K_CROP @ centre)[:2], axis=1) - radius
    assert np.abs(off).max() < 1
    for axis, name in enumerate("xyz"):
        tip = T[:3, 3] + T[:3, axis] * 0.1 / 3  # a third of the diameter
        pixel = (K_CROP @ tip)[:2] / tip[2]
        (shown,) = [text for text in axes.texts if text.get_text() == name]
        np.testing.assert_allclose(shown.xy, pixel)  # type: ignore[attr-defined]


def test_maps_are_in_millimetres_and_both_weights_count(figure: Figure) -> None:
    """Root mean square of 3 and 4."""
    weights = np.asarray(panel(figure, "weights").images[0].get_array())
    np.testing.assert_allclose(weights, np.sqrt(12.5))
    for axis, name in enumerate("xyz"):
        shown = panel(figure, f"object coordinate {name}").images[0]
        np.testing.assert_allclose(np.asarray(shown.get_array()), 1000 * picture().coords[axis])
        low, high = picture().model.bounds_min[axis], picture().model.bounds_max[axis]
        assert shown.get_clim() == (1000 * low, 1000 * high)


def test_coordinates_are_faint_where_nothing_trusts_them() -> None:
    weights = np.ones((2, 16, 16))
    weights[:, :8] = 1e-4
    alpha = panel(posterior_figure(picture(weights=weights)), "object coordinate y").images[0].get_alpha()
    assert np.asarray(alpha)[:8].max() < 0.2
    assert np.asarray(alpha)[8:].min() == 1


@pytest.mark.parametrize(
    ("number", "chosen", "unit"), [(0, (3, 4), "°"), (1, (0, 1), "mm"), (2, (0, 2), "mm")]
)
def test_ellipses_are_one_standard_deviation_of_the_covariance(
    number: int, chosen: tuple[int, int], unit: str, figure: Figure
) -> None:
    axes = [axes for axes in figure.axes if "from the pose" in axes.get_title()][number]
    assert axes.get_xlabel().endswith(unit)
    assert axes.get_ylabel().endswith(unit)
    scale = 1000 if unit == "mm" else np.degrees(1)
    ellipse = np.asarray(axes.lines[0].get_xydata())
    np.testing.assert_allclose(np.abs(ellipse).max(0), scale * STD[list(chosen)], rtol=1e-3)
    values = np.asarray(axes.collections[0].get_array())
    x, y = (np.abs(limits[1]) for limits in (axes.get_xlim(), axes.get_ylim()))
    assert values.sum() * 4 * x * y / values.size == pytest.approx(1, abs=0.06)


def test_down_is_down_and_away_is_up(figure: Figure) -> None:
    across, along = (axes for axes in figure.axes if axes.get_title().startswith("translation"))
    assert across.get_ylim()[0] > across.get_ylim()[1]
    assert along.get_ylim()[0] < along.get_ylim()[1]


def densities(given: PosteriorPicture, monkeypatch: pytest.MonkeyPatch) -> tuple[Figure, list[SphereDensity]]:
    """The figure, and what its sphere shows of the object's axes."""
    found: list[SphereDensity] = []
    kept: Callable[..., SphereDensity] = posterior.sphere_density
    monkeypatch.setattr(posterior, "sphere_density", lambda *args: found.append(kept(*args)) or found[-1])
    return posterior_figure(given), found


def test_an_ambiguous_posterior_shows_both_poses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under half a turn about z the axes x and y point two ways, z one way."""
    both = np.concatenate([samples(), samples() @ HALF_TURN])
    weights = np.repeat([0.6, 0.4], 600) / 600
    figure, found = densities(picture(samples=both, sample_weights=weights), monkeypatch)
    for axis, (density, modes) in enumerate(zip(found, (2, 2, 1), strict=True)):
        assert (density.values * density.cell).sum() == pytest.approx(1, abs=0.01)
        shown = peaks(density)
        assert len(shown) == modes
        for sign in (1, -1)[:modes]:
            assert np.degrees(np.arccos((shown @ (sign * T[:3, axis])).max())) < 5
    turned = panel(figure, "rotation")
    assert [text.get_text() for text in turned.texts] == ["60 % of the mass"]
    assert figure.texts[0].get_text().split("and ")[1].startswith("18")  # degrees


@pytest.mark.parametrize("name", ["T_cam_obj", "covariance", "samples"])
def test_without_a_pose_there_is_no_figure(name: str) -> None:
    broken = np.full_like(getattr(picture(), name), np.nan)
    with pytest.raises(UserError, match="cat has no pose in this crop"):
        posterior_figure(picture(**{name: broken}))


@pytest.mark.slow
def test_far_off_samples_and_a_flat_covariance_are_drawn_too(tmp_path: Path) -> None:
    away = samples()
    away[:, 2, 3] += 100
    away[:, :3, :3] = away[:, :3, :3] @ HALF_TURN[:3, :3]
    for changed in ({"samples": away}, {"samples": np.tile(T, (600, 1, 1)), "covariance": np.zeros((6, 6))}):
        save_posterior(picture(**changed), tmp_path / "p.png")


@pytest.mark.slow
def test_the_file_is_a_picture_that_can_be_read_at_1200_px(tmp_path: Path) -> None:
    save_posterior(picture(), tmp_path / "p.png")
    drawn = picture_in(tmp_path / "p.png")
    assert drawn.shape[1] >= 1200
    assert cv2.cvtColor(drawn, cv2.COLOR_BGR2GRAY).std() > 10
    with pytest.raises(UserError, match="cannot write"):
        save_posterior(picture(), tmp_path / "missing" / "p.png")
