"""Several poses of ambiguous correspondences: all are found, and their shares are those of the posterior."""

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from epropnp.pnp import EProPnP, Hypotheses, PnPConfig, pose
from epropnp.pnp.hypotheses import _repeated, find_hypotheses
from epropnp.pnp.rslm import Candidates
from epropnp.pnp.space import SixDoF
from tests.pnp.scenes import Scene, make_scene, plain_cost, problem_of

LAYER = EProPnP()


def found_in(scene: Scene, count: int = 4, layer: EProPnP = LAYER) -> Hypotheses:
    return layer.hypotheses(
        scene.correspondences,
        count=count,
        proposals=64,
        iterations=20,
        generator=torch.Generator().manual_seed(0),
    )


def plane(batch: int = 8) -> Scene:
    """A tilted plane of 6 cm, two metres away: its reflection fits almost as well."""
    generator = torch.Generator().manual_seed(3)
    scene = make_scene(batch, 40, noise_px=0.0)
    flat = 0.06 * (torch.rand(batch, 40, 3, generator=generator, dtype=torch.float64) - 0.5)
    flat[..., 2] = 0
    angle = math.radians(35)
    tilted = torch.tensor([0.0, 0.0, 2.0, math.cos(angle / 2), math.sin(angle / 2), 0, 0]).double()
    truth = tilted.expand(batch, 7)
    projected = pose.transform(truth, flat) @ scene.camera.K[0].T
    clean = projected[..., :2] / projected[..., 2:]
    noise = 0.5 * torch.randn(clean.shape, generator=generator, dtype=torch.float64)
    camera = dataclasses.replace(scene.camera, lower=clean.amin(1) - 60, upper=clean.amax(1) + 60)
    return Scene(flat, clean + noise, torch.full_like(clean, 2.0), camera, truth)


def angles_deg(poses: Tensor, truth: Tensor) -> Tensor:
    return torch.rad2deg(pose.rotation_angle(poses[..., 3:], truth[..., 3:]))


def test_clear_correspondences_make_one_pose_that_takes_all() -> None:
    scene = make_scene(6, 64)
    found = found_in(scene)
    straight = LAYER.solve(scene.correspondences, iterations=20, generator=torch.Generator().manual_seed(0))
    assert angles_deg(found.solution.pose[0], straight.pose).max() < 1e-3
    torch.testing.assert_close(found.solution.cost[0], straight.cost)
    torch.testing.assert_close(found.solution.covariance[0], straight.covariance)
    assert (found.probability[0] > 0.999).all()
    assert found.solution.valid[0].all()


def test_a_distant_plane_has_its_true_pose_among_two() -> None:
    scene = plane()
    found = found_in(scene, count=2)
    turned = angles_deg(found.solution.pose, scene.pose_gt)  # (2, B)
    assert turned.amin(0).max() < 12
    assert (found.probability[1] > 0.01).any()


@pytest.mark.slow
def test_shares_are_those_of_the_posterior() -> None:
    """Against importance samples: which hypothesis each sample is nearest to."""
    scene = plane(4)
    found = found_in(scene, count=2)
    layer = EProPnP(PnPConfig(amis_samples=20_000, amis_iterations=4))
    samples, log_weights = [], []
    for start in found.solution.pose:  # both modes are covered by proposals of their own
        drawn = layer.monte_carlo(
            scene.correspondences, init_pose=start, generator=torch.Generator().manual_seed(1)
        )
        samples.append(drawn.samples)
        log_weights.append(drawn.log_weights)
    for index, own in enumerate(samples):
        nearest = torch.stack([angles_deg(own, other) for other in found.solution.pose]).argmin(0)
        log_weights[index] = torch.where(nearest == index, log_weights[index], -torch.inf)
    mass = torch.stack([x.logsumexp(0) for x in log_weights])
    torch.testing.assert_close(found.probability, mass.softmax(0), atol=0.1, rtol=0)


def test_a_pose_like_one_that_was_dropped_stays() -> None:
    """At 0, 15 and 30 degrees: the second is like the first, the third only like the second."""
    half = torch.deg2rad(torch.tensor([0.0, 15.0, 30.0])) / 2
    zero = torch.zeros(3)
    poses = torch.stack((zero, zero, zero, half.cos(), half.sin(), zero, zero), -1)[:, None]
    assert _repeated(SixDoF(), poses).ravel().tolist() == [False, True, False]


def test_objects_without_a_pose_leave_the_others_alone() -> None:
    scene = make_scene(3, 64)
    broken = dataclasses.replace(scene, weights=scene.weights.clone())
    broken.weights[1] = torch.nan
    found, whole = found_in(broken), found_in(scene)
    assert not found.solution.valid[:, 1].any()
    assert (found.probability[:, 1] == 0).all()
    for name, values in vars(found.solution).items():
        torch.testing.assert_close(values[0, ::2], getattr(whole.solution, name)[0, ::2])


def test_four_degrees_of_freedom() -> None:
    scene = make_scene(4, 64)
    layer = EProPnP(PnPConfig(dof=4))
    found = found_in(scene, count=3, layer=layer)
    assert found.solution.pose.shape == (3, 4, 4)


@pytest.mark.parametrize("count", [0, 65])
def test_a_count_that_does_not_fit_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="of 64 proposals"):
        found_in(make_scene(2, 30), count=count)


def turned(scene: Scene, angle_deg: float, shift_m: float = 0.0) -> Tensor:
    """The true poses (B, 7), turned about the camera's x axis and moved away."""
    half = math.radians(angle_deg) / 2
    quat = torch.tensor([math.cos(half), math.sin(half), 0, 0], dtype=torch.float64)
    moved = scene.pose_gt.clone()
    moved[:, 3:] = pose.quat_multiply(quat.expand_as(moved[:, 3:]), moved[:, 3:])
    moved[:, 2] += shift_m
    return moved


def judged(scene: Scene, poses: Tensor, count: int) -> Hypotheses:
    """Hypotheses that are not refined, from given starts (P, B, 7), without a kernel."""
    delta = torch.full(scene.pose_gt.shape[:1], torch.inf).double()
    problem = problem_of(scene, delta)
    starts = Candidates(poses, plain_cost(poses, scene, delta))
    return find_hypotheses(problem, starts, count, 0, PnPConfig(lm_epsilon=1e-12))


def test_a_wide_mode_of_higher_cost_comes_before_a_sharp_one() -> None:
    """The order is that of exp(-cost) sqrt(det covariance), of each object by itself."""
    scene = make_scene(2, 20, weight=0.004)
    wide = dataclasses.replace(scene.camera, lower=torch.full((2, 2), -1e5), upper=torch.full((2, 2), 1e5))
    scene = dataclasses.replace(scene, camera=wide)
    scene.weights[1] *= 250  # there, cost decides
    poses = torch.stack((turned(scene, 0), turned(scene, 60, shift_m=3.0)))
    found = judged(scene, poses, 2)
    cost = plain_cost(poses, scene, torch.full((2,), torch.inf).double())
    assert (cost[0] < cost[1]).all()
    torch.testing.assert_close(found.solution.pose[:, 0], poses[:, 0].flip(0))  # the costlier one first
    torch.testing.assert_close(found.solution.pose[:, 1], poses[:, 1])
    mass = 0.5 * torch.logdet(found.solution.covariance) - found.solution.cost
    torch.testing.assert_close(found.log_mass, mass, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(found.solution.cost[:, 0], cost[:, 0].flip(0))
    share = torch.exp(mass - mass.amax(0))
    torch.testing.assert_close(found.probability, share / share.sum(0), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("angle_deg", "different"), [(19.8, False), (20.2, True)])
def test_poses_that_turn_by_less_than_twenty_degrees_are_one(angle_deg: float, different: bool) -> None:
    """As starts and as results; without another pose the second one is invalid and has no mass."""
    scene = make_scene(2, 20)
    found = judged(scene, torch.stack((turned(scene, angle_deg), turned(scene, 0))), 2)
    torch.testing.assert_close(found.solution.pose[0], scene.pose_gt)
    assert found.solution.valid[1].tolist() == [different] * 2
    assert found.log_mass[1].isfinite().tolist() == [different] * 2
    torch.testing.assert_close(found.probability.sum(0), torch.ones(2).double())


def test_starts_are_taken_by_cost_and_each_differs_from_all_before() -> None:
    """At 0, 10, 30, 35 and 60 degrees, of rising cost: 0, 30 and 60 are refined."""
    scene = make_scene(1, 20)
    angles = [0, 10, 30, 35, 60]
    poses = torch.stack([turned(scene, angle) for angle in angles])[[3, 1, 4, 0, 2]]
    delta = torch.full((1,), torch.inf).double()
    starts = Candidates(poses, torch.tensor([[35.0], [10], [60], [0], [30]]).double())
    config = PnPConfig(lm_epsilon=1e-12)
    found = find_hypotheses(problem_of(scene, delta), starts, 3, 0, config).solution.pose
    assert sorted(angles_deg(found, scene.pose_gt).round().ravel().tolist()) == [0, 30, 60]


def test_the_better_of_two_equal_results_stays() -> None:
    """Both starts fall into the one minimum, the second not all the way."""
    scene = make_scene(1, 40)
    delta = torch.full((1,), torch.inf).double()
    poses = torch.stack((turned(scene, 0), turned(scene, 25)))
    starts = Candidates(poses, torch.tensor([[1.0], [0.0]]).double())  # the farther one is taken first
    found = find_hypotheses(problem_of(scene, delta), starts, 2, 2, PnPConfig())
    assert found.solution.valid.ravel().tolist() == [True, False]
    assert found.probability.ravel().tolist() == [1, 0]
    both = plain_cost(found.solution.pose, scene, delta)
    assert both[0] <= both[1]
