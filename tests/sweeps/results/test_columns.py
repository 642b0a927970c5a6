"""The columns and names that tell settings apart: whatever varies, and nothing that follows from it."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from epropnp.evaluation.table import cell_text
from epropnp.training.overrides import override
from sweeps.results import columns as module
from sweeps.results.columns import SETTINGS, Row, setting_columns
from sweeps.results.summary import summarise
from sweeps.results.tables import SCORES
from tests.sweeps.results.counted import counted

Make = Callable[..., Row]
USUAL = [column.title for column in SETTINGS]


@pytest.fixture
def row(made_row: Make) -> Callable[..., Row]:
    """A finished trial with these settings."""
    first = made_row()

    def make(*settings: str, case: str | None = None) -> Row:
        config = override(first.config, settings)
        return dataclasses.replace(first, name="+".join(settings) or "plain", config=config, case=case)

    return make


def cells(rows: list[Row], *titles: str) -> list[tuple[str, ...]]:
    columns = {column.title: column for column in setting_columns(rows)}
    return [tuple(cell_text(columns[t], columns[t].value(row)) for t in titles) for row in rows]


def labels(rows: list[Row]) -> list[str]:
    """The names of the settings in the summary, in the order of the rows."""
    scores = {key: np.linspace(0, 100, 4) for key in SCORES.values()}
    images = counted(list("abcd"), np.ones(4, np.int16), scores)
    return list(summarise(rows, {each.name: images for each in rows}).settings)


def test_nothing_else_stands_where_nothing_else_varies(row: Callable[..., Row]) -> None:
    rows = [row(), row("seed=3"), row("data.workers=2"), row("loss.mc=0.5"), row("model.backbone=test_vit")]
    assert [column.title for column in setting_columns(rows)] == USUAL


def test_whatever_varies_has_a_column(row: Callable[..., Row]) -> None:
    rows = [row("optim.lr=1e-3"), row("optim.lr=3e-3"), row("optim.lr=3e-3", "model.weight_norm=v1b")]
    assert [column.title for column in setting_columns(rows)] == [*USUAL, "model.weight_norm", "optim.lr"]
    assert cells(rows, "optim.lr", "model.weight_norm") == [
        ("0.001", "v2"),
        ("0.003", "v2"),
        ("0.003", "v1b"),
    ]
    assert labels(rows[:2]) == ["optim.lr 0.001", "optim.lr 0.003"]


def test_what_follows_from_recipe_or_case_is_told_by_them(row: Callable[..., Row]) -> None:
    recipes = [row("recipe=a", "optim.lr=1e-3"), row("recipe=b", "optim.lr=3e-3")]
    assert [column.title for column in setting_columns(recipes)] == USUAL
    assert labels(recipes) == ["a", "b"]
    cases = [row("optim.lr=1e-3", case="slow"), row("optim.lr=3e-3", "data.points=64", case="fast")]
    assert [column.title for column in setting_columns(cases)] == [*USUAL, "case"]
    assert cells(cases, "case") == [("slow",), ("fast",)]
    assert labels(cases) == ["slow", "fast"]
    assert [column.title for column in setting_columns([*cases, row("data.points=64", case="slow")])] == [
        *USUAL,
        "case",
        "optim.lr",
        "data.points",
    ]


def test_settings_of_the_data_have_columns_where_they_vary(row: Callable[..., Row]) -> None:
    def on(*build: str, case: str | None = None) -> Row:
        own = dataclasses.replace(row(case=case), build=build, dataset_id=" ".join(build))
        return dataclasses.replace(own, name=" ".join(build))

    far = "build.distance=1.0,2.0"
    rows = [on(far, "build.train=5"), on(far, "build.train=50"), on(far)]
    assert [column.title for column in setting_columns(rows)] == [*USUAL, "build.train"]
    assert cells(rows, "build.train") == [("5",), ("50",), ("-",)]
    assert labels(rows[:2]) == ["build.train 5", "build.train 50"]
    assert list(module.labels(rows).values()) == ["build.train 5", "build.train 50", "build.train -"]
    both = [on("build.occluders=none", case="clean"), on("build.occluders=cat,ape", case="crowd")]
    assert [column.title for column in setting_columns(both)] == [*USUAL, "case"]
    assert labels(both) == ["clean", "crowd"]


def test_values_that_would_read_alike_are_written_in_full(row: Callable[..., Row]) -> None:
    rows = [row("loss.mc=0.02"), row("loss.mc=0.0200000001")]
    assert cells(rows, "loss weight") == [("0.02",), ("0.0200000001",)]
    assert labels(rows) == ["loss weight 0.02", "loss weight 0.0200000001"]
    assert cells(rows[:1], "loss weight") == [("0.02",)]


def test_labels_say_what_tells_trials_apart_and_no_more(row: Callable[..., Row]) -> None:
    def told(*rows: Row) -> list[str]:
        return list(module.labels(rows).values())

    assert told(row()) == ["test_resnet"]
    assert told(row("seed=0"), row("seed=3")) == ["seed 0", "seed 3"]
    slow, fast = row("optim.lr=1e-3", "loss.mc=1", case="a"), row("optim.lr=3e-3", "loss.mc=2", case="b")
    assert told(slow, fast) == ["a", "b"]
    both = [
        row(f"optim.lr={lr}", f"loss.mc={weight}", f"seed={seed}", case=case)
        for lr in (1e-3, 3e-3)
        for weight, case in ((1, "a"), (2, "b"))
        for seed in (0, 1)
    ]
    assert told(*both)[:3] == [
        "a optim.lr 0.001 seed 0",
        "a optim.lr 0.001 seed 1",
        "b optim.lr 0.001 seed 0",
    ]
    assert len(set(told(*both))) == 8
    assert told(row("model.backbone=test_vit"), row()) == ["test_vit", "test_resnet"]
    twins = [dataclasses.replace(row(), name=name) for name in ("one", "two")]
    assert told(*twins) == ["test_resnet one", "test_resnet two"]


def test_what_rows_have_in_common_is_told_by_titles_and_values(row: Callable[..., Row]) -> None:
    usual = ["recipe tiny", "backbone test_resnet", "head deconv", "loss weight 0.02"]
    assert module.alike([row("seed=0"), row("seed=3")]) == usual
    vit = row("model.backbone=test_vit", "loss.mc=1")
    assert module.alike([row(), vit]) == ["recipe tiny", "head deconv", "seed 0"]
