"""Densities integrate to one, have the peaks that are known, and stand where directions do."""

import numpy as np
import pytest

from epropnp.visualization.density import (
    SphereDensity,
    effective_samples,
    highest_density_level,
    map_angles,
    plane_density,
    sphere_density,
    sphere_width_deg,
    thinned,
    weighted_quantile,
)

RNG = np.random.default_rng(0)
EQUAL = np.full(2000, 1 / 2000)


def peaks(density: SphereDensity) -> np.ndarray:
    """Unit vectors (n, 3) of cells that none of the eight around exceeds and half the highest does not."""
    values = np.pad(density.values, ((1, 1), (0, 0)), mode="edge")
    around = [np.roll(values, (i, j), (0, 1))[1:-1] for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    found = (density.values >= np.max(around, axis=0)) & (density.values > density.values.max() / 2)
    return density.directions()[found]


def test_a_normal_distribution_s_density_in_a_plane() -> None:
    """Kernels widen it by Scott's factor, 2000^(-1/3) = 0.08 of the variance, and by 1.2 cells of 72."""
    spread = np.array([[4.0, 1.5], [1.5, 1.0]])
    points = RNG.multivariate_normal([1.0, -2.0], spread, 2000)
    reach = np.array([10.0, 6.0])
    density = plane_density(points, EQUAL, (-reach, reach))
    assert density.values.sum() * density.cell == pytest.approx(1, abs=1e-3)
    widened = 1.08 * spread + np.diag((1.2 * 2 * reach / 72) ** 2)
    expected = 1 / (2 * np.pi * np.sqrt(np.linalg.det(widened)))
    assert density.values.max() == pytest.approx(expected, rel=0.07)
    row, column = np.unravel_index(density.values.argmax(), density.values.shape)
    np.testing.assert_allclose([density.x[column], density.y[row]], [1, -2], atol=0.6)


def test_mass_outside_of_the_plane_is_missing_inside() -> None:
    points = np.concatenate([RNG.normal(size=(1000, 2)), RNG.normal(size=(1000, 2)) + 50])
    weights = np.repeat([0.3, 0.7], 1000) / 1000
    far = plane_density(points, weights, (np.full(2, -200.0), np.full(2, 250.0)))
    assert far.values.sum() * far.cell == pytest.approx(1, abs=1e-3)
    near = plane_density(points[:1000], weights[:1000], (np.full(2, -5.0), np.full(2, 5.0)))
    assert near.values.sum() * near.cell == pytest.approx(0.3, abs=1e-2)


def test_one_sample_is_no_needle_that_falls_between_cells() -> None:
    density = plane_density(np.array([[0.1, 0.2]]), np.ones(1), (np.full(2, -1.0), np.full(2, 1.0)))
    assert density.values.sum() * density.cell == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("width", [2.5, 15])
@pytest.mark.parametrize("direction", [(0, 0, -1), (0, 1, 0), (0.6, 0, 0.8), (0, 0, 1)])
def test_a_density_on_the_sphere_integrates_to_one_and_peaks_at_its_direction(
    direction: tuple[float, float, float], width: float
) -> None:
    towards = np.array([direction], float)
    density = sphere_density(towards, np.ones(1), width)
    assert (density.values * density.cell).sum() == pytest.approx(1, abs=0.03)
    assert density.cell.sum() * density.values.shape[1] == pytest.approx(4 * np.pi)
    best = density.directions()[np.unravel_index(density.values.argmax(), density.values.shape)]
    assert np.degrees(np.arccos(best @ towards[0])) < 2
    near = density.directions() @ towards[0] > np.cos(np.radians(width * np.sqrt(-2 * np.log(0.05))))
    assert (density.values * density.cell)[near].sum() == pytest.approx(0.95, abs=0.05)


def test_an_ambiguous_direction_has_two_peaks() -> None:
    """Half a turn about the viewing axis: an axis that points right also points left."""
    one = np.array([1, 0.3, -0.3]) + 0.05 * RNG.normal(size=(1000, 3))
    both = np.concatenate([one, one * [-1, -1, 1]])
    density = sphere_density(both / np.linalg.norm(both, axis=1, keepdims=True), EQUAL, 6.0)
    found = peaks(density)
    assert len(found) == 2
    middle = np.array([1, 0.3, -0.3]) / np.sqrt(1.18)
    assert sorted(np.round(found[:, 0]).tolist()) == [-1, 1]
    for sign in (-1, 1):
        nearest = (found @ (middle * [sign, sign, 1])).max()
        assert np.degrees(np.arccos(nearest)) < 5
    left = density.directions()[..., 0] < 0
    assert (density.values * density.cell)[left].sum() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("direction", "degrees"),
    [((0, 0, -2), (0, 0)), ((1, 0, 0), (90, 0)), ((-1, 0, 0), (-90, 0)), ((0, -1, -1), (0, 45))],
)
def test_the_map_shows_directions_as_the_picture_does(
    direction: tuple[float, ...], degrees: tuple[float, float]
) -> None:
    np.testing.assert_allclose(np.degrees(map_angles(np.array(direction, float))), degrees, atol=1e-9)


def test_the_map_s_cells_lie_at_their_own_angles() -> None:
    density = sphere_density(np.array([[0.0, 0, 1]]), np.ones(1), 10)
    longitude, latitude = map_angles(density.directions())
    np.testing.assert_allclose(longitude, np.broadcast_to(density.longitude, longitude.shape), atol=1e-9)
    np.testing.assert_allclose(
        latitude, np.broadcast_to(density.latitude[:, None], latitude.shape), atol=1e-9
    )


def test_the_smallest_region_of_a_share() -> None:
    values = np.array([[4.0, 1], [2, 3]])
    assert highest_density_level(values, 0.1, 0.4) == 4
    assert highest_density_level(values, 0.1, 0.65) == 3
    assert highest_density_level(values, np.array([[0.1], [1.0]]), 0.6) == 3
    assert highest_density_level(values, 0.1, 1.0) == 1


def test_quantiles_count_weights() -> None:
    values, weights = np.array([3.0, 1, 2]), np.array([0.1, 0.6, 0.3])
    assert [weighted_quantile(values, weights, level) for level in (0.5, 0.7, 0.95, 1)] == [1, 2, 3, 3]


def test_kernels_follow_the_nearest_mode() -> None:
    """A quarter of the samples within 20 degrees, 64 of them effective: half of that."""
    angle = np.concatenate([np.full(32, 20.0), np.full(32, 170.0)])
    assert sphere_width_deg(angle, np.full(64, 1 / 64)) == pytest.approx(10)
    assert sphere_width_deg(angle / 100, np.full(64, 1 / 64)) == 2.5
    assert sphere_width_deg(np.full(64, 90.0), np.full(64, 1 / 64)) == 15


def test_few_samples_stand_for_many() -> None:
    weights = RNG.random(5000) ** 4
    weights /= weights.sum()
    kept, share = thinned(weights, 500)
    assert len(kept) <= 500
    assert share.sum() == pytest.approx(1)
    values = np.sin(np.arange(5000) / 800)
    assert share @ values[kept] == pytest.approx(weights @ values, abs=0.01)
    assert 0.3 < effective_samples(share) / min(500, effective_samples(weights)) < 1.1
    few = np.array([0.5, 0, 0.25, 0.25])
    np.testing.assert_array_equal(thinned(few, 3)[0], [0, 2, 3])
    np.testing.assert_array_equal(thinned(few, 3)[1], [0.5, 0.25, 0.25])
    assert effective_samples(few) == pytest.approx(1 / 0.375)
