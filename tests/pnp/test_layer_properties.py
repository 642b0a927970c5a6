"""What must hold for any correspondences: symmetries of the cost, of the solution and of the posterior."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from epropnp.pnp import Camera, EProPnP, PnPConfig, pose
from tests.pnp.scenes import Scene, make_scene, perturbed

LAYER = EProPnP()
seeds = st.integers(0, 2**31 - 1)
fixed = settings(derandomize=True, deadline=None, max_examples=15)


def motion(seed: int) -> torch.Tensor:
    """A rigid motion (7,) of up to a metre and any rotation."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(7, generator=generator, dtype=torch.float64)
    return torch.cat((values[:3].tanh(), torch.nn.functional.normalize(values[3:], dim=0)))


def compose(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Poses (..., 7) of `first (second X)`."""
    return pose.from_matrix(pose.to_matrix(first) @ pose.to_matrix(second))


def with_points(scene: Scene, points_obj: torch.Tensor) -> Scene:
    return Scene(points_obj, scene.points_img, scene.weights, scene.camera, scene.pose_gt)


def solve(scene: Scene, start: torch.Tensor) -> torch.Tensor:
    found = LAYER.solve(scene.correspondences, init_pose=start, proposals=0, iterations=30)
    return pose.to_matrix(found.pose)


@fixed
@given(seeds, seeds)
def test_cost_and_solution_follow_the_object_frame(seed: int, moved_by: int) -> None:
    scene, change = make_scene(2, 20, seed=seed, outliers=0.1), motion(moved_by)
    # X = change X': the same object in a frame that lies elsewhere
    inverse = pose.from_matrix(torch.linalg.inv(pose.to_matrix(change)))
    other = with_points(scene, pose.transform(inverse, scene.points_obj))
    poses = perturbed(scene, 3, seed=seed)
    same = LAYER.cost(other.correspondences, compose(poses, change))
    torch.testing.assert_close(same, LAYER.cost(scene.correspondences, poses), atol=1e-8, rtol=1e-9)
    found = solve(other, compose(scene.pose_gt, change))
    expected = solve(scene, scene.pose_gt) @ pose.to_matrix(change)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@fixed
@given(seeds, st.floats(-3.1, 3.1))
def test_cost_and_solution_follow_a_turn_of_the_camera(seed: int, angle: float) -> None:
    """A camera that turns about its axis sees turned image points; K takes the turn up, too."""
    scene = make_scene(2, 20, seed=seed)
    half = torch.tensor(angle / 2, dtype=torch.float64)
    roll = torch.stack((half * 0, half * 0, half * 0, half.cos(), half * 0, half * 0, half.sin()))
    # R_K^-1: the new camera frame is turned, its calibration turns back, so that the pixels stay.
    K = scene.camera.K @ pose.to_matrix(roll)[:3, :3].mT
    camera = Camera(K, scene.camera.lower, scene.camera.upper)
    other = Scene(scene.points_obj, scene.points_img, scene.weights, camera, compose(roll, scene.pose_gt))
    poses = perturbed(scene, 3, seed=seed)
    same = LAYER.cost(other.correspondences, compose(roll, poses))
    torch.testing.assert_close(same, LAYER.cost(scene.correspondences, poses), atol=1e-8, rtol=1e-9)
    found, expected = solve(other, other.pose_gt), pose.to_matrix(roll) @ solve(scene, scene.pose_gt)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@fixed
@given(seeds)
def test_order_of_points_is_irrelevant(seed: int) -> None:
    scene = make_scene(3, 24, seed=seed, outliers=0.2)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(seed))
    shuffled = scene.each(lambda x: x[:, order])
    poses = perturbed(scene, 4, seed=seed)
    cost, same = (LAYER.cost(s.correspondences, poses) for s in (scene, shuffled))
    torch.testing.assert_close(same, cost, atol=1e-9, rtol=1e-11)
    torch.testing.assert_close(solve(shuffled, scene.pose_gt), solve(scene, scene.pose_gt), atol=1e-7, rtol=0)


@fixed
@given(seeds, st.floats(0.05, 20))
def test_weights_scale_the_cost_and_not_the_solution(seed: int, factor: float) -> None:
    """The adaptive threshold follows the weights: the cost is multiplied by the square of the factor."""
    scene = make_scene(2, 24, seed=seed, outliers=0.2)
    scaled = Scene(scene.points_obj, scene.points_img, factor * scene.weights, scene.camera, scene.pose_gt)
    poses = perturbed(scene, 4, seed=seed)
    cost, other = (LAYER.cost(s.correspondences, poses) for s in (scene, scaled))
    torch.testing.assert_close(other, factor**2 * cost, atol=0, rtol=1e-9)
    torch.testing.assert_close(solve(scaled, scene.pose_gt), solve(scene, scene.pose_gt), atol=1e-5, rtol=0)


@fixed
@given(seeds)
def test_antipodal_quaternions_are_one_pose(seed: int) -> None:
    scene = make_scene(2, 24, seed=seed)
    poses = perturbed(scene, 4, seed=seed)
    flip = torch.tensor([1.0, 1, 1, -1, -1, -1, -1])
    cost, same = (LAYER.cost(scene.correspondences, p) for p in (poses, flip * poses))
    assert torch.equal(same, cost)
    assert torch.equal(solve(scene, flip * scene.pose_gt), solve(scene, scene.pose_gt))


@fixed
@given(seeds)
def test_log_evidence_does_not_depend_on_the_origin_of_the_object(seed: int) -> None:
    """With the same random numbers a centred layer draws the same samples, wherever the origin lies."""
    scene = make_scene(2, 32, seed=seed)
    shift = torch.randn(3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    moved = with_points(scene, scene.points_obj + shift)
    origin = torch.cat((-shift, torch.tensor([1.0, 0, 0, 0], dtype=torch.float64)))
    layer = EProPnP(PnPConfig(amis_samples=16))

    def run(case: Scene, start: torch.Tensor) -> torch.Tensor:
        generator = torch.Generator().manual_seed(1)
        result = layer.monte_carlo(case.correspondences, init_pose=start, generator=generator)
        return result.log_evidence

    expected = run(scene, scene.pose_gt)
    found = run(moved, compose(scene.pose_gt, origin))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
