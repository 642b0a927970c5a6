"""Initial poses by EPnP: from the confident points, NaN where there is none."""

from typing import Any

import cv2
import numpy as np
import pytest
import torch

from epropnp.inference.epnp import epnp_poses
from epropnp.pnp import pose


def test_confident_points_decide() -> None:
    torch.manual_seed(0)
    truth = torch.tensor([[0.05, -0.02, 0.7, 0.5, 0.5, -0.5, 0.5], [0, 0, 1, 0.6, 0, 0.8, 0]])
    points_obj = 0.1 * torch.rand(2, 200, 3) - 0.05
    K = torch.tensor([[570.0, 0, 320], [0, 570, 240], [0, 0, 1]]).expand(2, 3, 3)
    rays = pose.transform(truth, points_obj) @ K.mT
    points_img = rays[..., :2] / rays[..., 2:]
    points_img[:, 40:] += 50 * torch.randn(2, 160, 2)  # the unconfident ones are wrong
    weights = torch.full((2, 200, 2), 0.1)
    weights[:, :40] = 1
    found = epnp_poses(points_obj, points_img, weights, K)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found[:, :3], truth[:, :3], atol=2e-4, rtol=0)
    assert pose.rotation_angle(found[:, 3:], truth[:, 3:]).max() < 2e-3
    # Fewer than EPnP needs; and points that are all NaN.
    assert epnp_poses(points_obj[:, :2], points_img[:, :2], weights[:, :2], K).isnan().all()
    broken = epnp_poses(points_obj * torch.nan, points_img, weights, K)
    assert not torch.isfinite(broken).all()


@pytest.mark.parametrize(("points", "used"), [(4096, 819), (200, 40), (29, 6), (12, 6), (5, 5)])
def test_the_most_confident_fifth_is_used_and_six_at_least(
    points: int, used: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Confidence is the mean of both axes: here x and y alone would choose others."""
    given: list[np.ndarray] = []

    def spy(points_obj: np.ndarray, points_img: np.ndarray, *_: Any, **__: Any) -> tuple[bool, None, None]:
        given.append(np.concatenate([points_obj, points_img], 1))
        return False, None, None

    monkeypatch.setattr(cv2, "solvePnP", spy)
    generator = torch.Generator().manual_seed(0)
    confidence = torch.randperm(points, generator=generator).double() / points
    tilt = 10 * torch.rand(points, generator=generator, dtype=torch.float64)
    weights = torch.stack((confidence + tilt, confidence - tilt), -1)[None]
    number = torch.arange(points).double()
    columns = number + 1e4 * torch.arange(5).double()[:, None]  # every number occurs once
    found = epnp_poses(columns[:3].mT[None], columns[3:].mT[None], weights, torch.eye(3).double()[None])
    assert found.isnan().all()  # none was found
    best = np.sort(np.argsort(confidence.numpy())[-used:])
    (seen,) = given
    np.testing.assert_array_equal(np.sort(seen[:, 0]), best)
    np.testing.assert_array_equal(seen, seen[:, :1] + 1e4 * np.arange(5))
