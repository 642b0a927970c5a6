"""Random numbers of their own for each object, or the same ones for all."""

import math
from collections.abc import Callable

import pytest
import torch

from epropnp.pnp import EProPnP, PnPConfig, draws
from epropnp.pnp.draws import Randomness, SameDraws
from tests.pnp.scenes import make_scene

Draw = Callable[[int, int, torch.Tensor, Randomness], torch.Tensor]


@pytest.mark.parametrize("draw", [draws.uniform, draws.normal])
def test_all_objects_get_the_same_numbers_however_many_they_are(draw: Draw) -> None:
    many, one = (draw(50, 7, torch.zeros(objects, 2), SameDraws(3)) for objects in (4, 1))
    assert many.shape == (50, 4, 7)
    assert torch.equal(many, one.expand_as(many))
    assert len(one.unique()) == 350  # samples and dimensions differ
    other = draw(50, 7, torch.zeros(1, 2), SameDraws(4))
    assert not torch.equal(one, other)


def test_numbers_follow_their_distribution_and_go_on_from_call_to_call() -> None:
    same = SameDraws(0)
    first, second = (draws.uniform(1000, 5, torch.zeros(2, 1).double(), same)[:, 0] for _ in range(2))
    assert not torch.equal(first, second)
    values = torch.cat((first, second)).flatten()
    assert values.mean().item() == pytest.approx(0.5, abs=0.01)
    assert values.var().item() == pytest.approx(1 / 12, rel=0.03)
    values = draws.normal(2000, 5, torch.zeros(2, 1).double(), same)[:, 0].flatten()
    assert values.mean().item() == pytest.approx(0, abs=0.04)
    assert values.std().item() == pytest.approx(1, rel=0.03)
    assert (values.abs() < 1).double().mean().item() == pytest.approx(math.erf(math.sqrt(0.5)), abs=0.02)


@pytest.mark.parametrize("draw", [draws.uniform, draws.normal])
def test_a_generator_gives_each_object_its_own(draw: Draw) -> None:
    drawn = draw(50, 7, torch.zeros(4, 2), torch.Generator().manual_seed(0))
    assert len(drawn.unique()) == drawn.numel()


@pytest.mark.parametrize("dof", [6, 4])
def test_what_the_layer_says_of_an_object_depends_on_no_other(dof: int) -> None:
    """Alone, and in another order among others: poses, hypotheses, samples, evidence."""
    scene = make_scene(6, 40, noise_px=2.0)
    layer, order = EProPnP(PnPConfig(dof=dof, amis_samples=16)), [4, 1, 5]  # type: ignore[arg-type]

    def said(objects: list[int]) -> list[torch.Tensor]:
        given = scene.objects(objects).correspondences
        solution = layer.solve(given, proposals=5, iterations=1, generator=SameDraws(7))
        several = layer.hypotheses(given, count=2, proposals=5, iterations=1, generator=SameDraws(7))
        found = layer.monte_carlo(given, generator=SameDraws(7))
        return [
            *(solution.pose, solution.cost, several.solution.pose[0], several.solution.pose[1]),
            *(found.log_evidence, *found.samples),
        ]

    together = said(order)
    for place, index in enumerate(order):
        for alone, among in zip(said([index]), together, strict=True):
            torch.testing.assert_close(alone[0], among[place], rtol=1e-6, atol=1e-9)
