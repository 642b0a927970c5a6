"""What the solvers see of a user's correspondences: dtype, centre, bounds and the edges of the clamps."""

import pytest
import torch

from epropnp.pnp import Camera, Correspondences, EProPnP, PnPConfig
from epropnp.pnp.problem import Problem, adaptive_delta, cleaned, weighted_centre, widened
from epropnp.pnp.space import SixDoF
from tests.pnp.scenes import Scene, make_scene

EYE = torch.eye(3).double()[None]
FRONT = torch.tensor([[0.0, 0, 0, 1, 0, 0, 0]]).double()  # object frame = camera frame


def pixels(lower: tuple[float, float], upper: tuple[float, float], z_min: float = 0.01) -> Camera:
    """Focal length 1 px, principal point 0: u = X / Z."""
    return Camera(EYE, torch.tensor([lower]).double(), torch.tensor([upper]).double(), z_min)


def seen_at(point_img: tuple[float, float], points_obj: torch.Tensor, camera: Camera) -> Correspondences:
    """One point (1, 1, 3) of weight 1."""
    points_img = torch.tensor([[point_img]]).double()
    weights = torch.ones_like(points_img)
    return Correspondences(points_obj=points_obj, points_img=points_img, weights=weights, camera=camera)


def test_the_centre_is_weighted_and_padding_has_no_part_in_it() -> None:
    points_obj = torch.tensor([[[1.0, 0, 0], [0, 3, 0], [0, 0, 9], [torch.nan, 1, 1]]])
    weights = torch.tensor([[[0.0, 2], [3, 3], [5, 7], [100, 100]]])  # means 1, 3, 6
    mask = torch.tensor([[True, True, True, False]])
    camera = Camera(torch.eye(3)[None], torch.zeros(1, 2), torch.ones(1, 2))
    points_img = torch.zeros(1, 4, 2)
    given = cleaned(
        Correspondences(
            points_obj=points_obj, points_img=points_img, weights=weights, camera=camera, mask=mask
        )
    )
    centre = weighted_centre(given)
    torch.testing.assert_close(centre, torch.tensor([[0.1, 0.9, 5.4]]))
    seen = Problem.of(given, torch.ones(1), SixDoF(), centre).points_obj[0, :, 0]
    torch.testing.assert_close(seen, torch.tensor([0.9, -0.9, -5.4]))


def test_the_adaptive_threshold_leaves_padding_out() -> None:
    img = torch.tensor([[[0.0, 0.0], [2.0, 0.0], [4.0, 6.0], [0.0, 0.0]]])  # variances 4 and 12 of three
    weights = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [0.0, 0.0]]])
    mask = torch.tensor([[True, True, True, False]])
    assert adaptive_delta(img, weights, mask, 0.3).item() == pytest.approx(0.3 * 3.5 * 4)
    assert adaptive_delta(img[:, :1], weights[:, :1], None, 0.3).item() == pytest.approx(0, abs=1e-15)


def test_all_is_calculated_in_the_widest_dtype_and_at_least_in_single_precision() -> None:
    half, single, double = (torch.ones(1, dtype=d) for d in (torch.float16, torch.float32, torch.float64))
    assert {x.dtype for x in widened(half, half)} == {torch.float32}
    assert {x.dtype for x in widened(half, double, single)} == {torch.float64}


def test_the_depth_clamp_of_the_user_is_used() -> None:
    """At half a metre a point of 0.1 m is seen as at 2 m: u = 0.05, and the error 0.15 - 0.05."""
    point = torch.tensor([[[0.1, 0, 0.5]]]).double()
    given = seen_at((0.15, 0), point, pixels((-9, -9), (9, 9), z_min=2.0))
    cost = EProPnP(PnPConfig(kernel="none")).cost(given, FRONT)
    assert cost.item() == pytest.approx(0.5 * 0.1**2)


@pytest.mark.parametrize(
    ("point", "slopes"),
    [
        ((1.0, 0.5, 1.0), (0, 1)),  # on the upper edge in x
        ((-1.0, 0.5, 1.0), (0, 1)),  # on the lower one
        ((0.5, 2.0, 1.0), (1, 0)),
        ((0.5, -2.0, 1.0), (1, 0)),
        ((0.5, 0.5, 0.25), (0, 0)),  # at the least depth: 2, 2 would be outside in x, too
        ((0.125, 0.125, 0.25), (0, 0)),  # at the least depth, inside of the box
        ((0.125, 0.125, 0.5), (2, 2)),
    ],
)
def test_on_the_edge_of_a_clamp_there_is_no_slope(
    point: tuple[float, float, float], slopes: tuple[float, float]
) -> None:
    """The same in the solver's equations and in the samples' cost: with zeros for u, d cost / du = u."""
    camera = pixels((-1, -2), (1, 2), z_min=0.25)
    points_obj = torch.tensor([[point]], dtype=torch.float64, requires_grad=True)
    given = seen_at((0, 0), points_obj, camera)
    layer = EProPnP(PnPConfig(kernel="none", centred=False, lm_epsilon=1.0))
    (gradient,) = torch.autograd.grad(layer.cost(given, FRONT).sum(), points_obj)
    u = torch.tensor(point[:2]).double() / max(point[2], 0.25)
    expected = torch.tensor(slopes).double() * u.clamp(-camera.upper[0].abs(), camera.upper[0])
    torch.testing.assert_close(gradient[0, 0, :2], expected)
    moved = layer.gauss_newton_step(given, FRONT)[0, :2]
    assert (moved != 0).tolist() == [slope != 0 for slope in slopes]


@pytest.mark.parametrize("side", range(4))
def test_every_side_of_the_box_clamps_by_itself(side: int) -> None:
    """A point that lies 5 px beyond one side is seen on it; the other axis is free."""
    lower, upper = [-1.0, -2.0], [3.0, 4.0]
    axis, bound = side % 2, (lower, upper)[side // 2]
    sign = -1 if side < 2 else 1
    point = [0.5, 0.25, 1.0]
    point[axis] = bound[axis] + 5 * sign
    expected = [0.5, 0.25]
    expected[axis] = bound[axis]
    camera = pixels((lower[0], lower[1]), (upper[0], upper[1]))
    given = seen_at((0, 0), torch.tensor([[point]]).double(), camera)
    layer = EProPnP(PnPConfig(kernel="none"))
    cost = layer.cost(given, FRONT)
    assert cost.item() == pytest.approx(0.5 * (expected[0] ** 2 + expected[1] ** 2))
    solved = layer.solve(given, init_pose=FRONT, proposals=0, iterations=0)
    assert solved.cost.item() == pytest.approx(cost.item())


def test_half_precision_inputs_give_single_precision_poses() -> None:
    scene = make_scene(2, 20, dtype=torch.float32)
    obj, img, weights = scene.tensors
    given = Scene(obj.half(), img, weights.half(), scene.camera, scene.pose_gt).correspondences
    assert EProPnP().solve(given, init_pose=scene.pose_gt).pose.dtype == torch.float32
