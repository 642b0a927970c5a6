"""Names of backbones with and without hub prefixes and tags, and what a tag says of the data."""

from typing import Any

import pytest
import timm

from epropnp.errors import UserError
from epropnp.models.backbones import Backbone, check_backbone, list_backbones, weight_tags, weights_tag
from epropnp.models.config import ModelConfig
from epropnp.models.names import architecture, plain_name, pretraining_data, tag_of
from epropnp.training.recipes import RECIPES, study_head


@pytest.mark.parametrize(
    "name",
    [
        "resnet34.tv_in1k",
        "timm/resnet34.tv_in1k",
        "hf_hub:timm/resnet34.tv_in1k",
        "hf-hub:timm/resnet34.tv_in1k",
    ],
)
def test_one_network_has_one_name(name: str) -> None:
    assert plain_name(name) == "resnet34.tv_in1k"
    assert ModelConfig(backbone=name) == ModelConfig(backbone="resnet34.tv_in1k")
    check_backbone(plain_name(name))


def test_architecture_and_tag() -> None:
    assert (architecture("hrnet_w32.ms_in1k"), tag_of("hrnet_w32.ms_in1k")) == ("hrnet_w32", "ms_in1k")
    assert (architecture("hrnet_w32"), tag_of("hrnet_w32")) == ("hrnet_w32", "")
    assert study_head("hrnet_w32.ms_in1k") == "direct"


@pytest.mark.parametrize(
    ("tag", "data"),
    [
        ("tv_in1k", "in1k"),
        ("ms_in1k", "in1k"),
        ("in12k_ft_in1k", "in12k + in1k"),
        ("fb_in22k_ft_in1k_384", "in22k + in1k"),
        ("laion2b_ft_in12k_in1k", "laion2b + in12k + in1k"),
        ("lvd142m", "lvd142m"),
        ("augreg_in21k", "in21k"),
        ("unheard_of", "unheard_of"),
    ],
)
def test_the_data_of_a_tag(tag: str, data: str) -> None:
    assert pretraining_data(tag) == data


def test_most_tags_of_timm_name_their_data() -> None:
    tags = [tag_of(name) for name in timm.list_pretrained() if tag_of(name)]
    assert sum("in1k" in tag.split("_") for tag in tags) > 700
    for tag in tags:
        assert ("in1k" in pretraining_data(tag)) == ("in1k" in tag)


def test_a_bare_name_stands_for_timms_choice() -> None:
    known: Any = timm.get_pretrained_cfg("resnet34")
    assert weights_tag("resnet34") == known.tag
    assert weights_tag("resnet34.tv_in1k") == "tv_in1k"
    assert weights_tag("swin_nano_patch4_window8") == ""
    assert weight_tags("resnet34")[0] == weights_tag("resnet34")
    assert {"tv_in1k", "a1_in1k", "gluon_in1k"} <= set(weight_tags("resnet34.a1_in1k"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet43.tv_in1k", "unknown backbone 'resnet43.tv_in1k'; did you mean 'resnet34'"),
        ("resnet34.tv_in2k", "backbone 'resnet34' has no weights 'tv_in2k'; did you mean 'tv_in1k'"),
        ("swin_nano_patch4_window8.ms_in1k", "it has none"),
    ],
)
def test_a_name_that_is_none_names_the_nearest(name: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        check_backbone(name)
    assert words in str(caught.value)


def test_the_tag_changes_weights_and_statistics_and_not_the_network() -> None:
    bare, tagged = (Backbone(name, strides=[32], input_px=64) for name in ("resnet34", "resnet34.tv_in1k"))
    assert [p.shape for p in bare.parameters()] == [p.shape for p in tagged.parameters()]


def test_wildcards_with_a_dot_list_tags() -> None:
    assert "resnet34.tv_in1k" in list_backbones("resnet34.*")
    assert list_backbones("hf_hub:timm/resnet34.tv*") == ["resnet34.tv_in1k"]
    assert all("." not in name for name in list_backbones("resnet34*"))


def test_published_recipes_start_from_imagenet_1k_alone() -> None:
    assert RECIPES["paper"].backbones == (
        "resnet34.tv_in1k",
        "swin_tiny_patch4_window7_224.ms_in1k",
        "convnext_tiny.fb_in1k",
        "hrnet_w32.ms_in1k",
    )
    for name in ("paper", "best", "official_v1b", "official_reg", "official_v2"):
        for backbone in RECIPES[name].backbones:
            check_backbone(backbone)
            assert pretraining_data(weights_tag(backbone)) == "in1k"
