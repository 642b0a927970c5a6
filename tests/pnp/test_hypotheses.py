"""Several poses of ambiguous correspondences: all are found, and their shares are those of the posterior."""

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from epropnp.pnp import EProPnP, Hypotheses, PnPConfig, pose
from epropnp.pnp.hypotheses import _repeated
from epropnp.pnp.space import SixDoF
from tests.pnp.scenes import Scene, make_scene

LAYER = EProPnP()


def found_in(scene: Scene, count: int = 4, layer: EProPnP = LAYER) -> Hypotheses:
    return layer.hypotheses(
        *scene.correspondences,
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
    straight = LAYER.solve(*scene.correspondences, iterations=20, generator=torch.Generator().manual_seed(0))
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


def test_shares_are_those_of_the_posterior() -> None:
    """Against importance samples: which hypothesis each sample is nearest to."""
    scene = plane(4)
    found = found_in(scene, count=2)
    layer = EProPnP(PnPConfig(amis_samples=20_000, amis_iterations=4))
    samples, log_weights = [], []
    for start in found.solution.pose:  # both modes are covered by proposals of their own
        drawn = layer.monte_carlo(
            *scene.correspondences, pose_init=start, generator=torch.Generator().manual_seed(1)
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
