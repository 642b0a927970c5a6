"""One domain for each value of an axis: what each holds, and which axes cannot be taken apart."""

import dataclasses
import re

import pytest

from epropnp.errors import UserError
from epropnp.training.recipes import Recipe
from sweeps.search.domain import Domain
from sweeps.search.parts import parts_of
from sweeps.space import Axis, Choice, Space
from tests.sweeps.cells import space
from tests.sweeps.search.domains import IDS, domain_of

RATES = "optim.lr=1e-5:1e-1:log"


def test_each_part_has_one_value_and_all_else(tiny: Recipe) -> None:
    """The backbones are those that the recipe compares by default."""
    domain = domain_of(space(tiny, seeds=(0, 7)), RATES, "model.head=deconv,direct")
    parts = parts_of(domain, "model.backbone")
    assert list(parts) == ["test_resnet", "test_convnext"]
    for name, part in parts.items():
        assert part.texts == {"model.head": ("deconv", "direct")}
        assert part.ranges == domain.ranges
        assert part.seeds == (0, 7)
        params: dict[str, int | float | str] = {"optim.lr": 0.001, "model.head": "direct"}
        cell = part.cell(params, 7)
        assert cell == domain.cell({"model.backbone": name, **params}, 7)
        assert [p.params_of(cell.config, "d", IDS) is not None for p in parts.values()].count(True) == 1


def test_recipes_and_cases_are_axes_too(tiny: Recipe) -> None:
    other = dataclasses.replace(tiny, name="other", base=dataclasses.replace(tiny.base, recipe="other"))
    cases = Axis(
        name="case",
        choices=(Choice(name="a", settings=("pnp.amis_samples=16",)), Choice(name="b", settings=())),
    )
    domain = Domain(Space(recipes=[tiny, other], axes=[cases]), [])
    by_recipe, by_case = parts_of(domain, "recipe"), parts_of(domain, "case")
    assert {cell.config.recipe for cell in by_recipe["other"].cells} == {"other"}
    assert {cell.case for cell in by_case["a"].cells} == {"a"}
    assert {len(part.cells) for part in (*by_recipe.values(), *by_case.values())} == {4}


@pytest.mark.parametrize(
    ("axis", "said"),
    [
        (
            "model.backbon",
            "--per: no axis 'model.backbon'; did you mean 'model.backbone'?; axes: model.backbone, data.",
        ),
        ("seed", "--per: no axis 'seed'; axes: model.backbone, data.points"),
        (
            "model.head",
            "--per: model.head has one value: give several, or another axis; axes: model.backbone",
        ),
        ("optim.lr", "--per: optim.lr is a range of numbers: list values of it (optim.lr=A,B); axes: model"),
    ],
)
def test_other_axes_are_refused_and_those_named_that_there_are(tiny: Recipe, axis: str, said: str) -> None:
    domain = domain_of(space(tiny, seeds=(0, 1)), RATES, "data.points=16,32")
    with pytest.raises(UserError, match=re.escape(said)):
        parts_of(domain, axis)


def test_without_anything_beside_the_axis_nothing_is_tuned(tiny: Recipe) -> None:
    with pytest.raises(
        UserError, match=r"--per: model.backbone is all that there is to choose: add --search"
    ):
        parts_of(domain_of(space(tiny)), "model.backbone")


def test_values_with_a_trial_in_common_are_refused(tiny: Recipe) -> None:
    domain = domain_of(space(tiny, heads=["study", "deconv"]), RATES)
    with pytest.raises(
        UserError, match=r"--per: model.head deconv makes a trial that study makes: leave one"
    ):
        parts_of(domain, "model.head")
