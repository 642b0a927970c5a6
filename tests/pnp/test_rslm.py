"""Random-sample starts: which points, how many steps, and the lowest cost over all points wins."""

import numpy as np
import pytest
import torch

from epropnp.pnp import PnPConfig, pose, rslm
from epropnp.pnp.lm import LMResult, levenberg_marquardt
from epropnp.pnp.problem import Problem
from epropnp.pnp.rslm import candidate_poses, centre_based_poses, random_sample_lm
from tests.pnp.scenes import TURNED_K, make_scene, plain_cost, problem_of

DELTA = torch.full((3,), 2.0).double()
CONFIG = PnPConfig(rslm_points=9, rslm_iterations=2, lm_iterations=7)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_each_proposal_is_refined_on_a_subset_and_judged_by_all_points(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene, calls = make_scene(3, 40), []

    def spy(problem: Problem, start: torch.Tensor, iterations: int, config: PnPConfig) -> LMResult:
        calls.append((tuple(problem.points_obj.shape), tuple(start.shape), iterations))
        return levenberg_marquardt(problem, start, iterations, config)

    monkeypatch.setattr(rslm, "levenberg_marquardt", spy)
    competitor = pose.retract(scene.pose_gt, torch.full((3, 6), 0.01).double())
    found = candidate_poses(problem_of(scene, DELTA), 5, CONFIG, competitor, generator())
    assert calls == [((5, 3, 3, 9), (5, 3, 7), 2)]
    assert torch.equal(found.pose[0], competitor)
    torch.testing.assert_close(found.cost, plain_cost(found.pose, scene, DELTA))


@pytest.mark.parametrize("near", [True, False])
def test_the_lowest_cost_over_all_points_wins(near: bool) -> None:
    """A near competitor wins for every object, one of them that is far or no pose at all for none."""
    scene = make_scene(3, 40)
    gap = 1e-4 if near else 2.0
    competitor = pose.retract(scene.pose_gt, torch.full((3, 6), gap).double())
    competitor[2] = torch.nan if not near else competitor[2]
    problem = problem_of(scene, DELTA)
    won = random_sample_lm(problem, 6, CONFIG, competitor, generator())
    every = candidate_poses(problem, 6, CONFIG, competitor, generator()).pose
    cost = plain_cost(every, scene, DELTA).nan_to_num(torch.inf)
    for b in range(3):
        assert torch.equal(won[b], every[int(cost[:, b].argmin()), b])
        assert torch.equal(won[b], competitor[b]) == near


def test_a_subset_holds_the_same_points_in_all_three_columns() -> None:
    scene = make_scene(3, 10)
    problem = problem_of(scene, DELTA)
    index = torch.tensor([[[7, 2], [0, 9], [4, 4]], [[1, 3], [8, 5], [6, 2]]])  # (P, B, 2)
    found = problem.select(index)
    for p in range(2):
        for b in range(3):
            for n in range(2):
                chosen = int(index[p, b, n])
                assert torch.equal(found.points_obj[p, b, :, n], scene.points_obj[b, chosen])
                assert torch.equal(found.points_img[p, b, :, n], scene.points_img[b, chosen])
                assert torch.equal(found.weights[p, b, :, n], scene.weights[b, chosen])


def test_starts_put_the_weighted_centre_where_the_image_has_it() -> None:
    """Depth: the spread of the object by 2/3 over the spread of the rays, both weighted."""
    scene = make_scene(3, 30, K=TURNED_K, noise_px=5.0)
    start = centre_based_poses(problem_of(scene, DELTA), 4, generator())
    for b in range(3):
        share = scene.weights[b].numpy().mean(1)
        share /= share.sum()
        pixels = np.concatenate([scene.points_img[b].numpy(), np.ones((30, 1))], axis=1)
        rays = (pixels @ np.linalg.inv(np.array(TURNED_K)).T)[:, :2]
        obj = scene.points_obj[b].numpy()
        ray, centre = share @ rays, share @ obj
        total = share @ np.square(obj - centre).sum(1), share @ np.square(rays - ray).sum(1)
        depth = np.sqrt(2 / 3 * total[0] / total[1])
        expected = torch.tensor([[depth * ray[0], depth * ray[1], depth]]).expand(4, 3)
        found = pose.transform(start[:, b], torch.from_numpy(centre).expand(4, 1, 3))[:, 0]
        torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-9)
