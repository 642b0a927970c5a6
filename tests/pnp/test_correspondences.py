"""The layer's argument: what is refused, when, and where it may be made."""

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from epropnp.pnp import Camera, Correspondences, EProPnP, PnPConfig
from tests.gpu.waiting import NoWaiting
from tests.pnp.scenes import make_scene, perturbed

SHAPES = {"points_obj": (2, 8, 3), "points_img": (2, 8, 2), "weights": (2, 8, 2), "mask": (2, 8)}


def made(**shapes: tuple[int, ...]) -> Correspondences:
    """Of two objects with eight points, but for tensors of other shapes."""
    tensors = {name: torch.ones(shape) for name, shape in (SHAPES | shapes).items() if name != "K"}
    box = torch.zeros(shapes.get("K", (2, 3, 3))[0], 2)
    return Correspondences(camera=Camera(torch.ones(shapes.get("K", (2, 3, 3))), box, box), **tensors)


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("points_obj", (8, 3), "(B, N, 3)"),
        ("points_obj", (2, 8, 2), "(2, 8, 3)"),
        ("points_img", (2, 8, 3), "(2, 8, 2)"),
        ("points_img", (2, 7, 2), "(2, 8, 2)"),
        ("weights", (2, 8), "(2, 8, 2)"),
        ("weights", (1, 8, 2), "(2, 8, 2)"),  # nothing is broadcast
        ("mask", (2, 8, 1), "(2, 8)"),
        ("K", (1, 3, 3), "(2, 3, 3)"),
    ],
)
def test_a_wrong_shape_names_expected_and_actual(name: str, shape: tuple[int, ...], expected: str) -> None:
    with pytest.raises(ValueError) as error:
        made(**{name: shape})
    called = {"K": "camera.K"}.get(name, name)
    assert str(error.value) == f"{called}: expected shape {expected}, got {shape}"


def test_they_are_named_unchangeable_and_checked_again_when_a_part_is_replaced() -> None:
    given = made()
    with pytest.raises(TypeError, match="positional"):
        Correspondences(given.points_obj, given.points_img, given.weights, given.camera)  # type: ignore[call-arg]
    with pytest.raises(dataclasses.FrozenInstanceError):
        given.mask = None  # type: ignore[misc]
    with pytest.raises(ValueError, match="weights: expected shape"):
        dataclasses.replace(given, weights=given.weights[:, :4])
    assert dataclasses.replace(given, mask=None).points_obj is given.points_obj


def test_making_them_reads_no_value() -> None:
    """Values may be anything, and no operation runs on a device at all."""
    given = made()
    nothing = torch.full_like(given.points_obj, torch.nan)
    with NoWaiting("cpu") as guard:
        dataclasses.replace(given, points_obj=nothing)
    assert guard.seen == 0


SCENE = make_scene(2, 16, dtype=torch.float32)
START = perturbed(SCENE, 1, scale=0.01)[0]


def step(points_obj: Tensor) -> Tensor:
    """Made of a tensor that is not there yet."""
    given = dataclasses.replace(SCENE.correspondences, points_obj=points_obj)
    return EProPnP().gauss_newton_step(given, START)


def test_functional_gradients_go_through_them() -> None:
    leaf = SCENE.points_obj.clone().requires_grad_()
    (expected,) = torch.autograd.grad(step(leaf).sum(), leaf)
    found = torch.func.grad(lambda points_obj: step(points_obj).sum())(SCENE.points_obj)
    torch.testing.assert_close(found, expected)
    several = torch.stack((SCENE.points_obj, 1.01 * SCENE.points_obj))
    torch.testing.assert_close(torch.func.vmap(step)(several), torch.stack([step(x) for x in several]))


LAYER = EProPnP(PnPConfig(lm_iterations=1, rslm_proposals=0, amis_iterations=1, amis_samples=8))


def solved(given: Correspondences) -> Tensor:
    return LAYER.solve(given, init_pose=START).pose


def evidence(given: Correspondences) -> Tensor:
    return LAYER.monte_carlo(given, init_pose=START).log_evidence


@pytest.mark.slow
@pytest.mark.parametrize("function", [solved, evidence])
def test_a_compiled_function_takes_them_and_has_no_break(
    function: Callable[[Correspondences], Tensor],
) -> None:
    masked = dataclasses.replace(SCENE.correspondences, mask=torch.arange(16).expand(2, 16) < 12)
    torch.compiler.reset()
    with torch.random.fork_rng():
        for given in (SCENE.correspondences, masked):
            torch.manual_seed(0)
            expected = function(given)
            torch.manual_seed(0)
            found = torch.compile(function, fullgraph=True, backend="eager")(given)
            torch.testing.assert_close(found, expected)
