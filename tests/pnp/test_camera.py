"""Projection, its Jacobian and its clamps."""

import pytest
import torch

from epropnp.pnp import Camera
from epropnp.pnp.camera import project
from tests.pnp.scenes import LINEMOD_K, TURNED_K


def camera(K: tuple[tuple[float, ...], ...] = LINEMOD_K, batch: int = 1) -> Camera:
    lower = torch.tensor([[0.0, 0.0]], dtype=torch.float64).expand(batch, 2)
    upper = torch.tensor([[640.0, 480.0]], dtype=torch.float64).expand(batch, 2)
    return Camera(torch.tensor(K, dtype=torch.float64).expand(batch, 3, 3), lower, upper)


def column(*point: float) -> torch.Tensor:
    return torch.tensor(point, dtype=torch.float64).reshape(1, 3, 1)


@pytest.mark.parametrize("K", [LINEMOD_K, TURNED_K])
def test_projection_is_K_times_point_over_depth(K: tuple[tuple[float, ...], ...]) -> None:
    point = column(0.05, -0.03, 0.9)
    expected = torch.tensor(K, dtype=torch.float64) @ point[0, :, 0]
    found = project(point, camera(K)).points_img[0, :, 0]
    torch.testing.assert_close(found, expected[:2] / expected[2], atol=1e-11, rtol=0)


@pytest.mark.parametrize("K", [LINEMOD_K, TURNED_K])
def test_analytic_jacobian_is_that_of_autograd(K: tuple[tuple[float, ...], ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    offset = torch.tensor([-0.5, -0.5, 0.0])[:, None]
    points = torch.rand(2, 3, 40, generator=generator, dtype=torch.float64) + offset  # some are clamped

    def project_one(point: torch.Tensor) -> torch.Tensor:
        return project(point.reshape(1, 3, 1), camera(K)).points_img.reshape(2)

    found = project(points, camera(K, 2)).jacobian  # (2, 3, 2, 40)
    for index in range(40):
        expected = torch.autograd.functional.jacobian(project_one, points[0, :, index])  # (2, 3)
        torch.testing.assert_close(found[0, :, :, index].mT, expected, atol=1e-8, rtol=1e-12)
    clamped = (found == 0).all(dim=1)
    assert 0.05 < clamped.double().mean() < 0.95


def test_one_axis_outside_the_box_stops_that_axis_only() -> None:
    result = project(column(1.0, 0.0, 1.0), camera())  # 325 + 572 > 640
    assert result.points_img[0, 0, 0] == 640
    assert (result.jacobian[0, :, 0] == 0).all()
    assert result.jacobian[0, 1, 1, 0] == LINEMOD_K[1][1]


@pytest.mark.parametrize("depth", [0.005, 0.0, -0.9])
def test_point_behind_the_depth_clamp_has_no_derivative(depth: float) -> None:
    result = project(column(0.0001, 0.0, depth), camera())
    expected = LINEMOD_K[0][2] + LINEMOD_K[0][0] * 0.0001 / 0.01
    assert result.points_img[0, 0, 0].item() == pytest.approx(expected, abs=1e-9)
    assert (result.jacobian == 0).all()


def test_wrong_shape_names_expected_and_actual() -> None:
    with pytest.raises(ValueError, match=r"Camera.lower: expected shape \(1, 2\), got \(2,\)"):
        Camera(torch.eye(3)[None], torch.zeros(2), torch.ones(1, 2))
