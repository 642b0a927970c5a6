"""Table 1 of the report, and the list of backbones, as the main job prints them."""

import dataclasses

import pytest
from rich.console import Console

from epropnp.errors import UserError
from epropnp.evaluation.table import terminal_notes
from epropnp.evaluation.table_text import to_markdown
from epropnp.training.recipes import RECIPES
from sweeps import backbones
from sweeps.describe import COLUMNS, LEGEND, Description, describe, description_table, show_backbones
from tests.sweeps.cells import cells_of


@pytest.fixture(scope="module")
def rows() -> list[Description]:
    return describe([cell.config for cell in cells_of(RECIPES["paper"], seeds=(0, 1))])


@pytest.mark.slow
def test_table_1_of_the_report(rows: list[Description]) -> None:
    """Parameters and operations follow from the architectures; the seeds share one row."""
    assert [(row.architecture, row.head, row.channels) for row in rows] == [
        ("resnet34", "deconv x 256", "512@32"),
        ("swin_tiny_patch4_window7_224", "deconv x 256", "768@32"),
        ("convnext_tiny", "deconv x 256", "768@32"),
        ("hrnet_w32", "direct", "32@4"),
    ]
    assert [row.parameters for row in rows] == [27_189_319, 34_013_825, 34_313_063, 28_535_783]
    assert [row.gflops for row in rows] == pytest.approx([23.92, 29.12, 26.07, 20.38], abs=0.01)
    assert {row.resolution for row in rows} == {"256 -> 64"}
    assert [row.weights for row in rows] == ["tv_in1k", "ms_in1k", "fb_in1k", "ms_in1k"]
    assert {row.pretraining for row in rows} == {"in1k"}
    assert {row.schedule for row in rows} == {
        "160 epochs of 32, rmsprop, step from 0.0001, /10 after 50, 100, 150"
    }
    assert {row.loss for row in rows} == {"coord + 0.02 mc"}


def test_the_operations_of_the_head_are_those_of_its_convolutions(rows: list[Description]) -> None:
    """ResNet-34 is 3.6 G multiply-adds at 224 px; the head's 3x3 kernels are counted by hand."""
    maps = [8, 16, 32, 64]
    width = 256
    deconvolutions = sum(
        9 * before * width * side**2 for before, side in zip([512, 256, 256], maps[:3], strict=True)
    )
    convolutions = sum(2 * 9 * width**2 * side**2 for side in maps[1:])
    head = 2 * (deconvolutions + convolutions + 5 * width * 64**2) / 1e9
    resnet34 = 2 * 3.663 * (256 / 224) ** 2
    assert rows[0].gflops == pytest.approx(head + resnet34, rel=2e-3)


def test_describe_prints_the_table_and_trains_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = tmp_path_factory.mktemp("out") / "runs"
    arguments = ["--recipe", "quick", "--describe", "--backbones", "resnet10t", "--heads", "deconv", "fpn"]
    assert backbones.main([*arguments, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    for words in ("deconv x 64", "256@16", "64@4, 128@8, 256@16", "1.58 M", "128 -> 32", "8 epochs of 16"):
        assert words in printed
    assert not out.exists()


def test_small_recipes_and_changed_settings_are_described_as_they_would_be_trained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--describe", "--recipe", "official_v1b", "best", "--small", "--backbones", "resnet10t"]
    assert backbones.main([*arguments, "--set", "optim.batch_size=12"]) == 0
    printed = capsys.readouterr().out
    assert "recipes official_v1b best with optim.batch_size=12" in printed
    assert printed.count("128 -> 32") == 2
    assert printed.count("8 epochs of 12") == 2
    rows = [line.split()[:2] for line in printed.splitlines() if "resnet10t" in line]
    assert rows == [["official_v1b", "resnet10t"], ["best", "resnet10t"]]


def test_few_backbones_are_listed_with_strides_and_heads() -> None:
    console = Console(record=True, width=200)
    show_backbones("test_vit2", console)
    show_backbones("test_resnet", console)
    text = console.export_text()
    assert "64@16" in text
    assert "deconv, fpn, upsample" in text
    assert "32@2, 32@4, 48@8, 192@16, 96@32" in text
    assert "0.37 M" in text


def test_many_backbones_are_listed_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert backbones.main(["--list-backbones", "conv*"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "convnext_tiny" in lines
    assert all(line.startswith("conv") for line in lines[:-1])
    assert lines[-1].startswith(f"{len(lines) - 1} models;")


def test_a_pattern_without_a_match_is_an_error() -> None:
    with pytest.raises(UserError, match="no timm model matches 'resnet-34'"):
        show_backbones("resnet-34", Console())


MADE = Description(
    recipe="a",
    architecture="b",
    head="c",
    channels="d",
    parameters=1_234_567,
    gflops=8.765,
    resolution="e",
    weights="w",
    pretraining="p",
    schedule="f",
    loss="g",
)


def test_each_cell_shows_its_own_value() -> None:
    other = dataclasses.replace(MADE, recipe="h", weights="x", pretraining="q", schedule="i", loss="j")
    head, rule, *lines = to_markdown(description_table([MADE, other], "title")).splitlines()[2:]
    assert head == (
        "| recipe | architecture | head | channels | parameters | GFLOPs | resolution | weights "
        "| pretraining | schedule | loss |"
    )
    assert rule == "|---|---|---|---|---:|---:|---|---|---|---|---|"
    assert lines[0] == "| a | b | c | d | 1.23 M | 8.77 | e | w | p | f | g |"
    assert lines[1] == "| h | b | c | d | 1.23 M | 8.77 | e | x | q | i | j |"
    assert lines[2:] == ["", LEGEND]


def test_a_recipe_schedule_or_loss_that_all_share_is_said_once() -> None:
    table = description_table([MADE, dataclasses.replace(MADE, schedule="other", head="b")], "title")
    assert table.title == "title"
    assert list(table.notes) == ["recipe: a.", "loss: g.", LEGEND]
    gone = {column.title for column in COLUMNS} - {column.title for column in table.columns}
    assert gone == {"recipe", "loss"}
    assert terminal_notes(table, 100) == list(table.notes)
