"""What the version before stored is read in the terms of this one: its milestones were whole epochs."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from epropnp.errors import UserError
from epropnp.plain import from_dict, to_dict
from epropnp.training.checkpoint import Checkpoints
from epropnp.training.config import OptimConfig, TrialConfig, upgraded
from epropnp.training.recipes import RECIPES, small
from epropnp.training.record import ForeignError, config_note


def as_before(config: TrialConfig, milestones: list[int]) -> dict[str, Any]:
    """As the version before wrote a config down."""
    values = to_dict(config)
    values["optim"]["milestones"] = milestones
    return values


def of_length(epochs: int, name: str = "paper") -> TrialConfig:
    return RECIPES[name].trial("resnet34", "deconv", 0.02, 0, epochs=epochs)


@pytest.mark.parametrize(
    ("epochs", "milestones", "shares"),
    [
        (160, [50, 100, 150], (0.3125, 0.625, 0.9375)),
        (40, [12, 25, 37], (0.3, 0.625, 0.925)),
        (40, [50, 100, 150], (1.0, 1.0, 1.0)),  # none was ever reached
        (2, [1], (0.5,)),
        (4, [0, 1], (0.0, 0.25)),
        (0, [50], (0.0,)),
    ],
)
def test_whole_epochs_become_shares(epochs: int, milestones: list[int], shares: tuple[float, ...]) -> None:
    before = as_before(TrialConfig(optim=OptimConfig(epochs=epochs)), milestones)
    found = from_dict(TrialConfig, upgraded(before))
    assert found.optim.milestones == pytest.approx(shares)
    assert found.optim.milestone_epochs == tuple(min(epoch, epochs) for epoch in milestones)


def test_what_this_version_stores_stays_as_it_is() -> None:
    for milestones in ((), (1.0,), (0.0, 1.0), (0.3125, 0.625)):
        stored = to_dict(TrialConfig(optim=OptimConfig(milestones=milestones)))
        assert upgraded(stored) == upgraded(stored, to_dict(TrialConfig())) == stored


def test_a_recipes_trial_of_any_length_is_the_one_that_it_was() -> None:
    for epochs in range(1, 201):
        wanted = to_dict(of_length(epochs))
        before = as_before(of_length(epochs), [epochs * epoch // 160 for epoch in (50, 100, 150)])
        assert upgraded(before, wanted) == wanted
        wanted = to_dict(small(RECIPES["paper"]).trial("resnet10t", "deconv", 0.02, 0, epochs=epochs))
        before = wanted | {"optim": wanted["optim"] | {"milestones": [epochs * m // 8 for m in (2, 5, 7)]}}
        assert upgraded(before, wanted) == wanted


def test_milestones_that_mean_other_epochs_are_others() -> None:
    wanted = to_dict(of_length(40))
    found = upgraded(as_before(of_length(40), [12, 25, 38]), wanted)
    assert found["optim"]["milestones"] == [0.3, 0.625, 0.95] != wanted["optim"]["milestones"]


def test_of_a_schedule_without_milestones_any_are_the_same() -> None:
    config = TrialConfig(optim=OptimConfig(schedule="onecycle", epochs=3))
    assert upgraded(as_before(config, [50, 100, 150]), to_dict(config)) == to_dict(config)


@pytest.mark.parametrize("epochs", [160, 40, 7])
def test_an_older_checkpoint_is_gone_on_from(tmp_path: Path, epochs: int) -> None:
    config = of_length(epochs)
    before = as_before(config, [epochs * epoch // 160 for epoch in (50, 100, 150)])
    del before["data"]["workers"]  # which the header of that version left out
    Checkpoints(tmp_path, {"config": before, "dataset_id": "ab"}, 0, 300).save({"net": {"x": 1}})
    saved = Checkpoints(tmp_path, config_note(config, "ab"), 0, 300).load()
    assert saved is not None
    assert from_dict(TrialConfig, saved["config"]) == config
    assert saved["net"] == {"x": 1}
    other = config_note(of_length(epochs, "official_reg"), "ab")
    with pytest.raises(UserError, match=r"\(recipe paper, now official_reg; loss\.deriv_t"):
        Checkpoints(tmp_path, other, 0, 300).load()


def test_a_checkpoint_from_before_a_setting_was_added_is_gone_on_from(tmp_path: Path) -> None:
    """By the config alone, as the version before wrote it, and by what makes the trial the one that it is."""
    config = of_length(40)
    note = config_note(config, "ab")
    before = note | {"config": to_dict(config)}
    del before["config"]["optim"]["accumulate"], before["config"]["model"]["cell_anchor"]
    used = config_note(
        dataclasses.replace(config, optim=dataclasses.replace(config.optim, accumulate=2)), "ab"
    )
    for number, header in enumerate((before, {name: before[name] for name in ("config", "dataset_id")})):
        folder = tmp_path / str(number)
        Checkpoints(folder, header, 0, 300).save({"net": {"x": 1}})
        saved = Checkpoints(folder, note, 0, 300).load()
        assert saved is not None
        assert saved["net"] == {"x": 1}
        with pytest.raises(UserError, match=r"of another config \(optim\.accumulate 1, now 2\): use"):
            Checkpoints(folder, used, 0, 300).load()


@pytest.mark.parametrize("damage", [{}, {"config": 3}, {"config": {"colour": 1}}])
def test_a_checkpoint_whose_config_says_nothing_is_of_another_trial(
    damage: dict[str, Any], tmp_path: Path
) -> None:
    Checkpoints(tmp_path, damage | {"dataset_id": "ab"}, 0, 300).save({"net": {"x": 1}})
    with pytest.raises(ForeignError, match=r"checkpoint\.pt is of another config.*: use another folder"):
        Checkpoints(tmp_path, config_note(of_length(40), "ab"), 0, 300).load()
