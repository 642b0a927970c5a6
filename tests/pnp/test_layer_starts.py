"""How many random starts and steps the layer takes where it is not told."""

import pytest
import torch

from epropnp.pnp import EProPnP, PnPConfig
from tests.pnp.scenes import make_scene


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("competing", "proposals"), [(False, 64), (True, 3)])
def test_without_a_pose_64_starts_are_tried_and_beside_one_as_many_as_configured(
    competing: bool, proposals: int
) -> None:
    scene, layer = make_scene(3, 40, outliers=0.3), EProPnP(PnPConfig(rslm_proposals=3, lm_iterations=2))
    start = scene.pose_gt if competing else None
    by_default = layer.solve(scene.correspondences, init_pose=start, generator=seeded())
    asked = layer.solve(
        scene.correspondences, init_pose=start, proposals=proposals, iterations=2, generator=seeded()
    )
    assert torch.equal(by_default.pose, asked.pose)
    fewer = layer.solve(
        scene.correspondences, init_pose=start, proposals=proposals - 1, iterations=2, generator=seeded()
    )
    further = layer.solve(scene.correspondences, init_pose=start, iterations=1, generator=seeded())
    assert competing or not torch.equal(by_default.pose, fewer.pose)
    assert not torch.equal(by_default.pose, further.pose)


def test_hypotheses_are_at_most_as_many_as_the_starts() -> None:
    scene, layer = make_scene(2, 40), EProPnP()
    assert len(layer.hypotheses(scene.correspondences, count=64, generator=seeded()).log_mass) == 64
    with pytest.raises(ValueError, match="65 of 64 proposals"):
        layer.hypotheses(scene.correspondences, count=65)
