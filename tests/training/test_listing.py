"""The list of settings: values, ranges and meaning, of all or of those that match a wildcard."""

import pytest

from epropnp import train
from epropnp.errors import UserError
from epropnp.settings import settings_of
from epropnp.training.config import TrialConfig
from epropnp.training.listing import matching, settings_table
from epropnp.training.recipes import RECIPES
from sweeps import backbones


def cells(printed: str) -> dict[str, list[str]]:
    """The cells of each line by its setting; they stand two spaces or more apart."""
    rows = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in printed.splitlines()]
    return {row[0]: row[1:] for row in rows if row and "─" not in row[0]}


@pytest.mark.parametrize(
    ("pattern", "keys"),
    [
        ("seed", ["seed"]),
        ("optim.l*", ["optim.lr"]),
        ("evaluation.detector", ["evaluation.detector.scale", "evaluation.detector.shift"]),
        ("*batch_size", ["optim.batch_size", "evaluation.batch_size"]),
        ("evaluation.detector.*", ["evaluation.detector.scale", "evaluation.detector.shift"]),
        ("*", [setting.key for setting in settings_of(TrialConfig)]),
    ],
)
def test_wildcards_choose(pattern: str, keys: list[str]) -> None:
    assert [setting.key for setting in matching(pattern)] == keys


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("optm.*", "no setting matches 'optm.*'; did you mean 'optim.*'?"),
        ("data.augmen.*", "no setting matches 'data.augmen.*'; did you mean 'data.augment.*'?"),
        ("lr", "no setting matches 'lr'; did you mean 'optim.lr'?"),
        ("optim.epoch", "no setting matches 'optim.epoch'; did you mean 'optim.epochs'?"),
        ("*zzz", "no setting matches '*zzz'; '*' lists all"),
    ],
)
def test_nothing_that_matches_names_the_nearest(pattern: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        matching(pattern)
    assert str(error.value) == f"--list-settings: {message}"


def test_every_config_has_a_column() -> None:
    configs = {"one": TrialConfig(), "two": RECIPES["best"].first}
    table = settings_table(configs, "optim.*")
    assert [column.title for column in table.columns] == ["setting", "one", "two", "range", "help"]
    rows = {key: row for key, *row in table.rows}
    assert rows["optim.lr"] == ["0.0001", "0.0015", "at least 0", "Peak learning rate."]
    assert rows["optim.ema"][:3] == ["none", "0.998", "from 0 to below 1, or none"]
    assert rows["optim.milestones"][0] == "0.3125,0.625,0.9375"


def test_a_training_lists_what_it_would_train_with(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--recipe", "best", "--small", "--set", "optim.lr=0.25", "--list-settings", "optim.*"]
    assert train.main(words) == 0
    rows = cells(capsys.readouterr().out)
    assert rows["setting"][0] == "best"
    assert (rows["optim.lr"][0], rows["optim.epochs"][0]) == ("0.25", "8")
    assert train.main(["--list-settings"]) == 0
    assert cells(capsys.readouterr().out).keys() >= {setting.key for setting in settings_of(TrialConfig)}


def test_a_sweep_lists_its_recipes_or_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert backbones.main(["--recipe", "quick", "paper", "--list-settings", "*.backbone"]) == 0
    assert cells(capsys.readouterr().out)["model.backbone"][:2] == ["resnet10t", "resnet34.tv_in1k"]
    assert backbones.main(["--list-settings", "optim.lr", "--set", "optim.weight_decay=1"]) == 0
    rows = cells(capsys.readouterr().out)
    assert rows == {
        "setting": ["default", "range", "help"],
        "optim.lr": ["0.0001", "at least 0", "Peak learning rate."],
    }


def test_a_sweep_lists_settings_of_its_data(capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "--recipe",
        "quick",
        "--objects",
        "cat",
        "ape",
        "--set",
        "build.train=7",
        "--list-settings",
        "build",
    ]
    assert backbones.main(words) == 0
    rows = cells(capsys.readouterr().out)
    assert rows["build.train"] == ["7", "at least 0", "Renderings per object for training."]
    assert rows["build.occluders"][0] == "cat,ape"
    assert rows["build.test"][0] == "300"
    assert rows["build.views"][:2] == ["none", "sphere, hemisphere, or none"]
    assert not {"build.objects", "build.source", "optim.lr"} & rows.keys()
    assert train.main(["--list-settings", "build"]) == 2  # a training has one dataset


@pytest.mark.parametrize("main", [train.main, backbones.main])
def test_a_pattern_that_matches_nothing_is_one_line(main: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(main)
    assert main(["--list-settings", "optm.*"]) == 2
    assert capsys.readouterr().err.startswith("error: --list-settings: no setting matches 'optm.*'; did you")
