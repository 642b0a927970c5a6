"""Each flag sets its own field."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from epropnp.errors import UserError
from sweeps.backbones import DESCRIPTION, PROG, parse
from sweeps.flag_checks import check_flags
from sweeps.flags import SweepConfig

FLAGS: dict[str, tuple[list[str], dict[str, Any]]] = {  # words -> what differs in the fields of the flags
    "recipe": (["--recipe", "best", "quick"], {"recipe": ("best", "quick")}),
    "small": (["--small"], {"small": True}),
    "set": (
        ["--set", "optim.lr=1", "loss.coord=2", "--set", "data.points=9"],
        {"set": (("optim.lr=1", "loss.coord=2"), ("data.points=9",))},
    ),
    "vary": (
        ["--vary", "optim.lr", "1e-3", "3e-3", "--vary", "data.points", "9"],
        {"vary": (("optim.lr", "1e-3", "3e-3"), ("data.points", "9"))},
    ),
    "case": (
        ["--case", "a", "loss.mc=1", "loss.coord=0", "--case", "b"],
        {"case": (("a", "loss.mc=1", "loss.coord=0"), ("b",))},
    ),
    "search": (
        ["--search", "optim.lr=1:2", "model.head=a,b", "--search", "data.points=4:8"],
        {"search": (("optim.lr=1:2", "model.head=a,b"), ("data.points=4:8",))},
    ),
    "trials": (["--trials", "30"], {"trials": 30}),
    "sampler": (["--sampler", "nsga"], {"sampler": "nsga"}),
    "objectives": (["--objectives", "val/add_area,-gflops"], {"objectives": "val/add_area,-gflops"}),
    "objectives to be small": (["--objectives=-gflops,val/a"], {"objectives": "-gflops,val/a"}),
    "stop": (["--stop", "median"], {"stop": "median"}),
    "stop nothing": (["--stop", "none"], {"stop": "none"}),
    "race": (["--race"], {"race": True}),
    "max_seeds": (["--max-seeds", "4"], {"max_seeds": 4}),
    "per": (["--per", "model.backbone"], {"per": "model.backbone"}),
    "confirm": (["--confirm", "2"], {"confirm": 2}),
    "figures": (["--figures"], {"figures": True}),
    "no figures": (["--figures", "no"], {"figures": False}),
    "known": (["--known"], {"known": True}),
    "train all": (["--known", "no"], {"known": False}),
    "backbones": (["--backbones", "x", "y"], {"backbones": ("x", "y")}),
    "heads": (["--heads", "fpn", "direct"], {"heads": ("fpn", "direct")}),
    "loss_weights": (["--loss-weights", "0.5", "0"], {"loss_weights": (0.5, 0.0)}),
    "seeds": (["--seeds", "4", "2"], {"seeds": (4, 2)}),
    "epochs": (["--epochs", "7"], {"epochs": 7}),
    "pretrained": (["--pretrained"], {"pretrained": True}),
    "not pretrained": (["--pretrained", "no"], {"pretrained": False}),
    "objects": (["--objects", "ape", "can"], {"objects": ("ape", "can")}),
    "data": (["--data", "s3://bucket/lm"], {"data": "s3://bucket/lm"}),
    "backgrounds": (["--backgrounds", "."], {"backgrounds": Path()}),
    "datasets": (["--datasets", "d"], {"datasets": Path("d")}),
    "out": (["--out", "o"], {"out": Path("o")}),
    "name": (["--name", "n.1_x-y"], {"name": "n.1_x-y"}),
    "like": (["--like", "mine"], {"like": "mine"}),
    "resume": (["--resume"], {"resume": True}),
    "resume_or_start": (["--resume-or-start"], {"resume_or_start": True}),
    "trials_at_once": (["--trials-at-once", "3"], {"trials_at_once": 3}),
    "as memory allows": (["--trials-at-once", "auto"], {"trials_at_once": "auto"}),
    "retries": (["--retries", "0"], {"retries": 0}),
    "hours": (["--hours", "1.5"], {"hours": 1.5}),
    "resources": (["--resources", "gpu=1", "fast=0.5"], {"resources": ("gpu=1", "fast=0.5")}),
    "ray_address": (["--ray-address", "auto"], {"ray_address": "auto"}),
    "dry_run": (["--dry-run"], {"dry_run": True}),
    "check": (["--check"], {"check": True}),
    "no check": (["--check", "no"], {"check": False}),
    "margin": (["--margin", "2.5"], {"margin": 2.5}),
    "keep": (["--keep", "none"], {"keep": "none"}),
    "keep the best": (["--keep", "best"], {"keep": "best"}),
    "register": (["--register", "cats"], {"register": "cats"}),
    "describe": (["--describe"], {"describe": True}),
    "list_backbones": (["--list-backbones", "conv*"], {"list_backbones": "conv*"}),
    "list_settings": (["--list-settings", "optim.*"], {"list_settings": "optim.*"}),
    "list all settings": (["--list-settings"], {"list_settings": "*"}),
}


def test_every_flag_is_tried() -> None:
    tried = {field for _, changes in FLAGS.values() for field in changes}
    assert tried == {field.name for field in dataclasses.fields(SweepConfig)}


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_sets_its_own_field_and_no_other(flag: str) -> None:
    words, changes = FLAGS[flag]
    config = parse(SweepConfig, DESCRIPTION, words, PROG)
    check_flags(config)
    assert config == dataclasses.replace(SweepConfig(), **changes)


def test_without_flags_nothing_is_asked_for_but_places() -> None:
    config = SweepConfig()
    assert (config.out, config.datasets) == (Path("runs"), Path("data"))
    others = set(vars(config)) - {"out", "datasets"}
    assert {name for name in others if getattr(config, name) not in (None, (), False)} == set()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "--set optim.lr=1e-3 optim.lr=3e-3",
            "--set: optim.lr is given twice; a sweep compares them: --vary optim.lr 1e-3 3e-3",
        ),
        ("--set optim.lr=1e-3 --set optim.lr=3e-3", "--vary optim.lr 1e-3 3e-3"),
        ("--case a loss.mc=1 loss.mc=2", "--case a: loss.mc is given twice"),
        ("--vary optim.lr", "--vary optim.lr: give the values to compare"),
        ("--case loss.mc=1", "--case: begin with a name for loss.mc=1"),
        ("--trials-at-once 0", "--trials-at-once: 0 is not at least 1"),
        ("--trials-at-once many", "--trials-at-once"),
        ("--max-seeds 1", "--max-seeds: 1 is not at least 2"),
        ("--confirm 0", "--confirm: 0 is not at least 1"),
        ("--retries -1", "--retries: -1 is not at least 0"),
        ("--hours 0", "--hours: 0.0 is not a finite number above 0"),
        ("--hours inf", "--hours: inf is not"),
        ("--resources gpu", "--resources: gpu is no NAME=AMOUNT, such as gpu=1"),
        ("--resources gpu=no", "--resources: gpu=no is no"),
        ("--resources =1", "--resources: =1 is no"),
        ("--resources gpu=1 gpu=0", "--resources: gpu=0 is no"),
        ("--margin 0", "--margin: 0.0 is not a finite number above 0"),
        ("--margin nan", "--margin: nan is not"),
        ("--set loss.mc=1", "--set: loss.mc tells the trials of a sweep apart; use --loss-weights"),
    ],
)
def test_what_is_given_in_two_ways_or_by_halves_is_refused(words: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_flags(parse(SweepConfig, DESCRIPTION, words.split(), PROG))


@pytest.mark.parametrize("name", ["../x", "-x", ".x", "a/b", "[b]", "\u00e9t\u00e9", "a" * 101, ""])
def test_a_sweep_has_a_name_that_every_system_takes(name: str) -> None:
    with pytest.raises(
        UserError, match=r"^--name: '.*' may hold the letters A to Z .* at most 100 characters"
    ):
        check_flags(SweepConfig(name=name))


def test_a_sweep_of_before_is_gone_on_with_by_its_name() -> None:
    for name in ("\u00e9t\u00e9", "a" * 101):
        check_flags(SweepConfig(name=name, resume=True))
    with pytest.raises(UserError, match=r"^--name: "):
        check_flags(SweepConfig(name="../x", resume=True))


def test_the_same_value_twice_is_no_contradiction() -> None:
    check_flags(parse(SweepConfig, DESCRIPTION, ["--set", "optim.lr=1e-3", "optim.lr=1e-3"], PROG))


@pytest.mark.parametrize(
    "data",
    ["s3://AKIA1:hush@bucket/lm", "s3://bucket/lm?region=eu&secret_key=hush", "https://x/lm?token=hush"],
)
def test_keys_in_an_address_of_data_are_refused_and_not_repeated(data: str) -> None:
    with pytest.raises(UserError) as error:
        check_flags(SweepConfig(data=data))
    assert "hush" not in str(error.value)
    assert "AWS_SECRET_ACCESS_KEY" in str(error.value)
    assert "~/.aws/credentials" in str(error.value)
