"""Stochastic depth and Swin's windows: as asked for, or refused."""

import pytest
import torch
from timm.layers import DropPath

from epropnp.errors import UserError
from epropnp.models.backbones import Backbone
from epropnp.training.recipes import RECIPES, study_drop_path

SWIN = "swin_tiny_patch4_window7_224"


def build(name: str, **settings: object) -> Backbone:
    with torch.device("meta"):
        return Backbone(name, strides=[32], input_px=256, **settings)  # type: ignore[arg-type]


def rates(net: Backbone) -> list[float]:
    return [module.drop_prob for module in net.modules() if isinstance(module, DropPath)]


@pytest.mark.parametrize(("name", "blocks"), [(SWIN, 12), ("convnext_tiny", 18), ("resnet34", 16)])
def test_stochastic_depth_grows_from_nothing_to_what_is_asked_for(name: str, blocks: int) -> None:
    found = rates(build(name, drop_path=0.3))
    assert len(found) >= blocks - 1
    assert found == sorted(found)
    assert found[-1] == pytest.approx(0.3)
    assert found[0] == pytest.approx(0.3 / (blocks - 1))
    assert not any(rates(build(name, drop_path=0.0)))


def test_without_a_word_it_is_timms() -> None:
    assert rates(build(SWIN))[-1] == pytest.approx(0.1)
    assert rates(build("convnext_tiny")) == []


def test_a_network_without_it_says_so() -> None:
    with pytest.raises(UserError, match="'hrnet_w32' has no stochastic depth"):
        build("hrnet_w32", drop_path=0.1)
    assert rates(build("hrnet_w32", drop_path=0.0)) == []


@pytest.mark.parametrize("side", [7, 8])
def test_windows_of_swin(side: int) -> None:
    net = build(SWIN, swin_window=side)
    tables = [p for name, p in net.named_parameters() if name.endswith("relative_position_bias_table")]
    assert {len(table) for table in tables} == {(2 * side - 1) ** 2}
    with pytest.raises(UserError, match="and not for 'convnext_tiny'; leave it out"):
        build("convnext_tiny", swin_window=side)


def test_the_studys_depth_is_the_papers_unless_it_is_set() -> None:
    paper = RECIPES["paper"]
    found = {name: paper.trial(name, "deconv", 0.02, 0).model.drop_path for name in paper.backbones}
    assert list(found.values()) == [0.0, 0.1, 0.1, 0.0]
    assert RECIPES["best"].trial("convnext_tiny.fb_in1k", "deconv", 0.2, 0).model.drop_path is None
    assert study_drop_path("convnext_tiny.fb_in1k") == 0.1
