"""Correspondences that determine no pose: flagged, finite where possible, and harmless to the others."""

from collections.abc import Callable

import pytest
import torch

from epropnp.pnp import EProPnP, PnPConfig, pose
from tests.pnp.scenes import Scene, make_scene

LAYER = EProPnP()


def collinear(scene: Scene) -> None:
    along = torch.linspace(-0.05, 0.05, scene.points_obj.shape[1], dtype=scene.points_obj.dtype)
    scene.points_obj[1] = along[:, None] * torch.tensor([0.25, -0.5, 1.0])


def one_point(scene: Scene) -> None:
    scene.points_obj[1] = scene.points_obj[1, :1].clone()


def weightless(scene: Scene) -> None:
    scene.weights[1] = 0


def behind(scene: Scene) -> None:
    scene.pose_gt[1, 2] = -1.0


def nan_point(scene: Scene) -> None:
    scene.points_obj[1, 3, 2] = torch.nan


def infinite_weight(scene: Scene) -> None:
    scene.weights[1, 0] = torch.inf


DEFECTS = [collinear, one_point, weightless, behind, nan_point, infinite_weight]


@pytest.mark.parametrize("defect", DEFECTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bad_object_is_flagged_and_the_others_are_untouched(
    defect: Callable[[Scene], None], dtype: torch.dtype
) -> None:
    keep = torch.tensor([0, 2, 3])

    def run(scene: Scene) -> tuple[torch.Tensor, ...]:
        leaves, generator = scene.leaves(), torch.Generator().manual_seed(0)
        start = pose.retract(scene.pose_gt, torch.full((4, 6), 1e-3, dtype=dtype))
        solved = LAYER.solve(scene.correspondences, init_pose=start, proposals=0, iterations=10)
        result = LAYER.monte_carlo(leaves.correspondences, init_pose=start, generator=generator)
        (gradient,) = torch.autograd.grad(result.log_evidence[keep].sum(), leaves.weights)
        return solved.valid, solved.pose[keep], result.log_evidence[keep], result.ess[keep], gradient[keep]

    good, bad = make_scene(4, 24, dtype=dtype), make_scene(4, 24, dtype=dtype)
    defect(bad)
    expected, found = run(good), run(bad)
    assert expected[0].tolist() == [True, True, True, True]
    assert found[0].tolist() == [True, False, True, True]
    for a, b in zip(found[1:], expected[1:], strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_few_points_do_not_raise_and_four_are_enough(count: int) -> None:
    scene = make_scene(3, 8, noise_px=0.0, dtype=torch.float32).each(lambda x: x[:, :count])
    result = LAYER.monte_carlo(scene.correspondences, init_pose=scene.pose_gt)
    assert result.solution.valid.tolist() == [count >= 4] * 3
    assert result.samples.shape == (512, 3, 7)
    assert torch.isfinite(result.log_evidence).all()


def test_empty_batch() -> None:
    none = make_scene(1, 8).objects(slice(0)).leaves()
    given = none.correspondences
    result = LAYER.monte_carlo(given, init_pose=none.pose_gt)
    result.log_evidence.sum().backward()
    assert result.log_evidence.shape == (0,)
    assert result.samples.shape == (512, 0, 7)
    assert LAYER.solve(given, fast=True).pose.shape == (0, 7)
    assert LAYER.cost(given, none.pose_gt).shape == (0,)


@pytest.mark.parametrize("config", [PnPConfig(), PnPConfig(dof=4)])
def test_sound_objects_are_never_flagged(config: PnPConfig) -> None:
    """Far away, planar, few points or slight weights: hard, but determined."""
    layer = EProPnP(config)
    for seed in range(6):
        scene = make_scene(8, 12, seed=seed, weight=1e-3, dtype=torch.float32)
        scene.points_obj[:4, :, 2] = 0
        scene.pose_gt[:, 2] += 2
        start = scene.pose_gt if config.dof == 6 else scene.pose_gt[:, :4]
        found = layer.solve(scene.correspondences, init_pose=start, proposals=0, iterations=0)
        assert found.valid.all()
