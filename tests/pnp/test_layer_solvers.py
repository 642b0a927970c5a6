"""Levenberg-Marquardt, Gauss-Newton and the random-sample start against scipy, OpenCV and known poses."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from epropnp.pnp import Camera, EProPnP, PnPConfig, pose
from epropnp.pnp.rslm import centre_based_poses, sample_points
from tests.pnp.scenes import TURNED_K, Scene, make_scene, perturbed, problem_of

LAYER = EProPnP()


def scipy_cost(scene: Scene, index: int, delta: float) -> float:
    """Lowest robust cost near the true pose, by an independent solver and an independent residual."""
    obj, img, weights = (x[index].numpy() for x in (scene.points_obj, scene.points_img, scene.weights))
    K, truth = scene.camera.K[index].numpy(), scene.pose_gt[index]
    rotation = cv2.Rodrigues(pose.quat_to_rotmat(truth[3:]).numpy())[0].ravel()

    def norms(parameters: np.ndarray) -> np.ndarray:
        cam = obj @ cv2.Rodrigues(parameters[3:])[0].T + parameters[:3]
        image = (cam / cam[:, 2:]) @ K.T
        return np.linalg.norm(weights * (image[:, :2] - img), axis=1)

    start = np.concatenate((truth[:3].numpy(), rotation))
    # scipy's huber of z = (s / delta)^2, times delta^2 / 2, is our kernel of the norm s.
    result = least_squares(norms, start, loss="huber", f_scale=delta, xtol=1e-15, ftol=1e-15, gtol=1e-12)
    return float(result.cost)


@pytest.mark.parametrize("outliers", [0.0, 0.2])
def test_lm_reaches_the_minimum_that_scipy_finds(outliers: float) -> None:
    scene = make_scene(6, 60, outliers=outliers, K=TURNED_K)
    delta = LAYER.delta(scene.correspondences)
    start = perturbed(scene, 1, scale=0.03)[0]
    found = LAYER.solve(scene.correspondences, delta=delta, init_pose=start, proposals=0, iterations=60)
    for index in range(6):
        expected = scipy_cost(scene, index, delta[index].item())
        assert found.cost[index].item() == pytest.approx(expected, rel=1e-6)
    assert (found.accepted > 0).all()


def test_training_iterations_get_within_a_thousandth_of_the_minimum() -> None:
    scene = make_scene(32, 128)
    start = perturbed(scene, 1, scale=0.03)[0]
    short = LAYER.solve(scene.correspondences, init_pose=start, proposals=0)
    long = LAYER.solve(scene.correspondences, init_pose=start, proposals=0, iterations=60)
    assert (short.cost <= long.cost * 1.001).all()


@pytest.mark.parametrize("fast", [False, True])
def test_clean_data_gives_the_pose_of_opencv(fast: bool) -> None:
    scene = make_scene(5, 30, noise_px=0.0)
    start = perturbed(scene, 1, scale=0.02)[0]
    found = LAYER.solve(scene.correspondences, init_pose=start, proposals=0, iterations=30, fast=fast)
    for index in range(5):
        obj, img, K = (x[index].numpy() for x in (scene.points_obj, scene.points_img, scene.camera.K))
        _, rvec, tvec = cv2.solvePnP(obj, img, K, None, flags=cv2.SOLVEPNP_SQPNP)
        rvec, tvec = cv2.solvePnPRefineLM(obj, img, K, None, rvec, tvec)
        rotmat = pose.quat_to_rotmat(found.pose[index, 3:]).numpy()
        np.testing.assert_allclose(found.pose[index, :3].numpy(), tvec.ravel(), atol=1e-6)
        np.testing.assert_allclose(rotmat, cv2.Rodrigues(rvec)[0], atol=1e-6)
    torch.testing.assert_close(found.pose[:, :3], scene.pose_gt[:, :3], atol=1e-7, rtol=0)


def test_covariance_is_the_spread_of_repeated_measurements() -> None:
    repeats, weight = 4000, 1.0
    scene = make_scene(1, 60, noise_px=0.0)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(repeats, 60, 2, generator=generator, dtype=torch.float64) / weight
    K, lower, upper = (
        x.expand(repeats, *x.shape[1:]) for x in (scene.camera.K, scene.camera.lower, scene.camera.upper)
    )
    many = Scene(
        scene.points_obj.expand(repeats, -1, -1),
        scene.points_img + noise,
        torch.full((repeats, 60, 2), weight, dtype=torch.float64),
        Camera(K, lower, upper),
        scene.pose_gt.expand(repeats, 7),
    )
    layer = EProPnP(PnPConfig(kernel="none"))  # least squares with known noise
    found = layer.solve(many.correspondences, init_pose=many.pose_gt, proposals=0, iterations=10)
    relative = pose.quat_multiply(found.pose[:, 3:], pose.quat_conjugate(many.pose_gt[:, 3:]))
    translation = found.pose[:, :3] - many.pose_gt[:, :3]
    local = torch.cat((translation, 2 * relative[:, 1:] / relative[:, :1]), dim=-1)  # (repeats, 6)
    exact = layer.solve(scene.correspondences, init_pose=scene.pose_gt, proposals=0)
    weighted = replace(scene.correspondences, weights=many.weights[:1])
    predicted = layer.solve(weighted, init_pose=exact.pose, proposals=0).covariance[0]
    # In the frame where the predicted covariance is the unit matrix, the empirical one is, too: its
    # standard error is (2 / 4000)^1/2 = 0.022 on the diagonal.
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(predicted), local.mT, upper=False)
    torch.testing.assert_close(white @ white.mT / repeats, torch.eye(6).double(), atol=0.1, rtol=0)


@pytest.mark.parametrize(("noise_px", "outliers"), [(0.0, 0.0), (2.0, 0.0), (2.0, 0.2)])
def test_blind_start_finds_the_pose(noise_px: float, outliers: float) -> None:
    scene = make_scene(200, 64, noise_px=noise_px, outliers=outliers, seed=3, dtype=torch.float32)
    generator = torch.Generator().manual_seed(0)
    found = LAYER.solve(scene.correspondences, proposals=64, iterations=10, generator=generator)
    best = LAYER.solve(scene.correspondences, init_pose=scene.pose_gt, proposals=0, iterations=10)
    # The pose is found when its cost is that of the minimum next to the truth, or lower.
    success = (found.cost <= best.cost * 1.01 + 1e-3).double().mean().item()
    assert success >= 0.95, f"found in {100 * success:.1f} % of 200 problems"


def test_competing_initial_pose_wins_when_it_is_best() -> None:
    scene = make_scene(8, 64, noise_px=0.0, dtype=torch.float32)
    generator = torch.Generator().manual_seed(0)
    found = LAYER.solve(scene.correspondences, init_pose=scene.pose_gt, generator=generator)
    assert (pose.rotation_angle(found.pose[:, 3:], scene.pose_gt[:, 3:]) < 1e-4).all()


@pytest.mark.parametrize("length", [1e-3, 0.5, 0.999, -2.0, 100.0])
def test_a_start_quaternion_may_have_any_length(length: float) -> None:
    scene = make_scene(4, 32)
    start = perturbed(scene, 1, scale=0.03)[0]
    scaled = torch.cat((start[:, :3], length * start[:, 3:]), dim=-1)

    def run(init_pose: torch.Tensor) -> list[torch.Tensor]:
        given, random = scene.correspondences, torch.Generator().manual_seed(0)
        short = LAYER.solve(given, init_pose=init_pose, proposals=0, iterations=0)
        solved = LAYER.solve(given, init_pose=init_pose, proposals=0)
        sampled = LAYER.monte_carlo(given, init_pose=init_pose, generator=random)
        stepped = LAYER.gauss_newton_step(given, init_pose)
        poses = (short.pose, solved.pose, sampled.solution.pose, stepped)
        return [*map(pose.to_matrix, poses), short.cost, sampled.log_evidence]

    for found, expected in zip(run(scaled), run(start), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_a_unit_quaternion_is_taken_bit_for_bit_and_one_of_zero_is_no_rotation() -> None:
    scene = make_scene(200, 8, dtype=torch.float32)
    start = scene.pose_gt.clone()
    assert torch.equal(LAYER.space.normalised(start), start)
    start[1, 3:] = 0
    found = LAYER.solve(scene.correspondences, init_pose=start, proposals=0)
    assert found.valid.tolist() == [index != 1 for index in range(200)]


def test_subsets_follow_the_weights_without_repetition() -> None:
    scene = make_scene(1, 40)
    weights = torch.zeros(1, 40, 2, dtype=torch.float64)
    weights[:, :20] = 1.0
    weights[:, 0] = 3.0
    scene = Scene(scene.points_obj, scene.points_img, weights, scene.camera, scene.pose_gt)
    problem = problem_of(scene, torch.ones(1, dtype=torch.float64))
    generator = torch.Generator().manual_seed(0)
    index = sample_points(problem, 500, 16, generator)  # (500, 1, 16)
    assert index.shape == (500, 1, 16)
    assert index.max() < 20
    assert all(len(set(row.tolist())) == 16 for row in index[:, 0])
    first = sample_points(problem, 4000, 1, generator)
    assert (first == 0).double().mean().item() == pytest.approx(3 / 22, abs=0.02)


def test_centre_based_start_has_the_right_centre_and_distance() -> None:
    scene = make_scene(8, 400, noise_px=0.0, K=TURNED_K)
    generator = torch.Generator().manual_seed(0)
    start = centre_based_poses(problem_of(scene, torch.ones(8)), 200, generator)
    centre = pose.transform(start, scene.points_obj).mean(-2)  # (200, 8, 3)
    truth = pose.transform(scene.pose_gt, scene.points_obj).mean(-2)
    assert ((centre - truth).norm(dim=-1) / truth.norm(dim=-1) < 0.15).all()
    mean_outer = (start[..., 3:, None] * start[..., None, 3:]).mean(
        (0, 1)
    )  # uniform: a quarter of the unit matrix
    torch.testing.assert_close(mean_outer, torch.eye(4).double() / 4, atol=0.03, rtol=0)


def test_fewer_points_than_a_subset() -> None:
    scene = make_scene(4, 8, noise_px=0.0)
    found = LAYER.solve(scene.correspondences, generator=torch.Generator().manual_seed(0), iterations=20)
    assert (found.cost < 1e-8).all()


@pytest.mark.parametrize("fast", [False, True])
def test_object_of_nan_leaves_the_others_untouched(fast: bool) -> None:
    scene = make_scene(4, 32, dtype=torch.float32)

    def run(points_img: torch.Tensor) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        given = replace(scene.correspondences, points_img=points_img)
        return LAYER.solve(given, generator=generator, fast=fast).pose

    broken = scene.points_img.clone()
    broken[1, 5] = torch.nan
    expected, found = run(scene.points_img), run(broken)
    keep = torch.tensor([0, 2, 3])
    assert torch.equal(found[keep], expected[keep])


def test_without_any_start_the_error_says_what_to_give() -> None:
    scene = make_scene(1, 8)
    with pytest.raises(ValueError, match="init_pose or at least one proposal"):
        LAYER.solve(scene.correspondences, proposals=0)
