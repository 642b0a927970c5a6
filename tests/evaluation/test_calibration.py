"""Calibration is found where it is, and over- and under-confidence where they are."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import chi2, f, multivariate_t

from epropnp.evaluation.calibration import (
    calibrate,
    covariance_level,
    local_coordinates,
    squared_distances,
    squared_mahalanobis,
)
from epropnp.evaluation.predictions import Posterior, Predictions
from epropnp.inference.temperature import Temperature, Temperatures
from epropnp.pnp import pose as pose_algebra
from tests.evaluation.known_errors import model, pose, predictions, turn

IMAGES = 2000
STD = np.array([0.002, 0.003, 0.02, 0.05, 0.04, 0.03])


def gaussian_predictions(inflation: float) -> Predictions:
    """True poses around the predicted ones; the standard deviations that are claimed are inflated."""
    rng = np.random.default_rng(0)
    mixing = np.linalg.qr(rng.normal(size=(IMAGES, 6, 6)))[0] * STD[:, None]  # rows scaled
    gaps = (mixing @ rng.normal(size=(IMAGES, 6, 1)))[..., 0]
    start = torch.randn(IMAGES, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    start[:, 3:] = torch.nn.functional.normalize(start[:, 3:], dim=-1)
    truth = pose_algebra.retract(start, torch.from_numpy(gaps))
    T_pred, T_true = (pose_algebra.to_matrix(p).numpy() for p in (start, truth))
    covariance = inflation**2 * mixing @ mixing.transpose(0, 2, 1)
    return dataclasses.replace(predictions(T_pred, T_true), covariance=covariance)


def test_local_coordinates_invert_the_retraction() -> None:
    start = torch.tensor([[0.1, 0.2, 0.9, 0.5, 0.5, -0.5, 0.5]], dtype=torch.float64).repeat(3, 1)
    step = torch.tensor([[0.01, -0.02, 0.03, 0.3, -0.2, 0.1], [0.0] * 6, [0, 0, 0, 3.0, 0, 0]]).double()
    moved = pose_algebra.retract(start, step)
    matrices = pose_algebra.to_matrix(start).numpy(), pose_algebra.to_matrix(moved).numpy()
    np.testing.assert_allclose(local_coordinates(*matrices), step, atol=1e-12)


def test_half_a_turn_is_infinitely_far() -> None:
    gap = local_coordinates(pose(), pose(turn("x", 180)))
    assert squared_mahalanobis(gap, np.eye(6)[None])[0] == np.inf


@pytest.mark.parametrize("inflation", [0.5, 1.0, 2.0])
def test_coverage_by_the_covariance(inflation: float) -> None:
    values = calibrate(gaussian_predictions(inflation), {6: model()}).image_values()
    found = [values[f"coverage_cov_{level}"].mean() for level in (50, 80, 95)]
    squared = chi2.ppf([0.5, 0.8, 0.95], 6)  # Mahalanobis distances
    np.testing.assert_allclose(found, 100 * chi2.cdf(inflation**2 * squared, 6), atol=3.5)
    assert "nll" not in values


def test_levels_of_a_t_distribution_are_those_of_its_covariance() -> None:
    x = multivariate_t(shape=np.eye(6), df=5).rvs(4000, random_state=0)
    level = covariance_level(np.square(x).sum(1) / (5 / 3), tail=0.2)  # covariance: df / (df - 2)
    for p in (0.5, 0.8, 0.95):
        assert (level <= p).mean() == pytest.approx(p, abs=0.025)


def test_squared_distances_of_valid_poses() -> None:
    made = gaussian_predictions(1.0)
    made.valid[:500] = False
    found = squared_distances(made, {6: model()})
    assert len(found) == IMAGES - 500
    assert found.mean() == pytest.approx(6, rel=0.05)


def test_errors_and_standard_deviations_have_the_units_they_say() -> None:
    found = calibrate(gaussian_predictions(1.0), {6: model()})
    np.testing.assert_allclose(found.translation_std_m, np.linalg.norm(STD[:3]), rtol=1e-9)
    np.testing.assert_allclose(found.rotation_std_deg, np.degrees(np.linalg.norm(STD[3:])), rtol=1e-9)
    assert np.sqrt(np.square(found.translation_error_m).mean()) == pytest.approx(
        np.linalg.norm(STD[:3]), rel=0.05
    )
    rms = np.sqrt(np.square(found.rotation_error_deg).mean())
    assert rms == pytest.approx(np.degrees(np.linalg.norm(STD[3:])), rel=0.05)


def test_coverage_and_likelihood_by_samples() -> None:
    made = predictions(np.concatenate([pose()] * 4), np.concatenate([pose()] * 4))
    posterior = Posterior(
        log_evidence=np.full(4, -3.0),
        effective_samples=np.full(4, 100.0),
        cost_true=np.array([1.0, 2.0, 3.0, 4.0]),
        credible_level=np.array([0.1, 0.5, 0.7, 0.96]),
    )
    values = calibrate(dataclasses.replace(made, posterior=posterior), {6: model()}).image_values()
    assert [values[f"coverage_{level}"].mean() for level in (50, 80, 95)] == [50, 75, 75]
    assert values["nll"].tolist() == [-2, -1, 0, 1]


def test_a_symmetric_object_is_compared_with_its_closest_truth() -> None:
    turned = np.stack([np.eye(4), pose(turn("z", 180), (0, 0, 0))[0]])
    symmetric = dataclasses.replace(model("glue", True), symmetries=turned)
    made = predictions(pose(turn("z", 179)), pose())
    assert calibrate(made, {6: symmetric}).rotation_error_deg[0] == pytest.approx(1, abs=1e-9)
    assert calibrate(made, {6: model()}).rotation_error_deg[0] == pytest.approx(179, abs=1e-9)


def test_images_without_a_pose_are_left_out_and_counted() -> None:
    made = predictions(
        np.concatenate([pose(), np.full((1, 4, 4), np.nan), pose()]), np.concatenate([pose()] * 3)
    )
    made = dataclasses.replace(made, valid=np.array([False, True, True]))
    found = calibrate(made, {6: model()})
    assert (found.left_out, len(found.object_id), len(found.level_covariance)) == (2, 1, 1)


def test_a_singular_covariance_is_infinitely_far_from_all_but_itself() -> None:
    covariance = np.stack([np.eye(6), np.zeros((6, 6)), np.diag([1.0, 1, 1, 1, 1, 0])])
    distance = squared_mahalanobis(np.ones((3, 6)), covariance)
    assert distance.tolist() == [6, np.inf, np.inf]


def test_every_field_is_that_of_the_images_that_are_kept() -> None:
    """Six images in turns without a valid pose, without a finite covariance, and sound."""
    n, kept = 6, [2, 5]
    T_pred = np.concatenate([pose(turn("x", 1 + i), (0, 0.001 * (i + 1), 1)) for i in range(n)])
    made = predictions(T_pred, np.concatenate([pose()] * n))
    covariance = np.stack([np.diag([1, 2, 3, 4, 5, 6.0]) * 1e-6 * (i + 1) for i in range(n)])
    covariance[1::3, 0, 1] = np.nan
    numbers = np.arange(n, dtype=float)
    posterior = Posterior(
        log_evidence=-10 * numbers,
        effective_samples=numbers,
        cost_true=numbers,
        credible_level=0.1 + 0.15 * numbers,
    )
    made = dataclasses.replace(
        made,
        covariance=covariance,
        valid=np.arange(n) % 3 > 0,
        posterior=posterior,
        object_id=np.array([6, 7] * 3),
        temperatures=Temperatures(posterior=Temperature(tail=0.4), covariance=Temperature(tail=0.25)),
    )
    found = calibrate(made, {6: model(), 7: model("cup")})
    assert found.left_out == 4
    assert found.object_id.tolist() == [6, 7]
    np.testing.assert_allclose(found.translation_error_m, [0.003, 0.006])
    np.testing.assert_allclose(found.rotation_error_deg, [3, 6])
    np.testing.assert_allclose(found.translation_std_m, np.sqrt([18e-6, 36e-6]))
    np.testing.assert_allclose(found.rotation_std_deg, np.degrees(np.sqrt([45e-6, 90e-6])))
    assert found.negative_log_likelihood is not None
    assert found.negative_log_likelihood.tolist() == [-18, -45]
    assert found.level_sampled is not None
    np.testing.assert_allclose(found.level_sampled, [0.4, 0.85])
    gaps = [[0, -0.001 * (i + 1), 0, -2 * np.tan(np.radians(1 + i) / 2), 0, 0] for i in kept]
    squared = [(np.square(gap) / np.diag(covariance[i])).sum() for gap, i in zip(gaps, kept, strict=True)]
    np.testing.assert_allclose(squared_distances(made, {6: model(), 7: model("cup")}), squared)
    # tail 1/4: four degrees of freedom, of which a t distribution's covariance is twice its scale
    expected = f.cdf(np.array(squared) / 6 * 2, 6, 4)
    np.testing.assert_allclose(found.level_covariance, expected)


def test_the_gap_is_in_the_axes_of_the_camera_as_the_covariance_is() -> None:
    """An object that lies on its side and errs about the camera's z axis, where alone it may err."""
    T_pred = pose(turn("x", 90))
    T_true = T_pred.copy()
    T_true[0, :3, :3] = turn("z", 5) @ T_pred[0, :3, :3]
    covariance = np.diag([1e-8, 1e-8, 1e-8, 1e-8, 1e-8, 1e-2])[None]
    made = dataclasses.replace(predictions(T_pred, T_true), covariance=covariance)
    expected = (2 * np.tan(np.radians(2.5))) ** 2 / 1e-2
    assert squared_distances(made, {6: model()})[0] == pytest.approx(expected)


def test_the_closest_truth_is_that_in_rotation_and_brings_its_translation() -> None:
    """The symmetry turns about an axis beside the origin: the turned truth lies elsewhere."""
    S = pose(turn("z", 180), (0.02, 0, 0))[0]
    symmetric = dataclasses.replace(model("glue", True), symmetries=np.stack([np.eye(4), S]))
    T_true = pose(turn("x", 30))
    made = predictions(T_true @ S, T_true)
    found = calibrate(made, {6: symmetric})
    assert found.translation_error_m[0] == pytest.approx(0, abs=1e-12)
    assert found.rotation_error_deg[0] == pytest.approx(0, abs=1e-6)
    assert squared_distances(made, {6: symmetric})[0] == pytest.approx(0, abs=1e-9)


def test_a_truth_on_the_boundary_of_a_region_is_inside() -> None:
    made = predictions(np.concatenate([pose()] * 4), np.concatenate([pose()] * 4))
    zeros = {field.name: np.zeros(4) for field in dataclasses.fields(Posterior)}
    level = np.array([0.5, 0.8, 0.95, 0.9500001])
    posterior = Posterior(**zeros | {"credible_level": level})
    values = calibrate(dataclasses.replace(made, posterior=posterior), {6: model()}).image_values()
    assert [values[f"coverage_{p}"].sum() / 100 for p in (50, 80, 95)] == [1, 2, 3]
    assert values["coverage_cov_50"].tolist() == [100] * 4  # no error at all: in every region
