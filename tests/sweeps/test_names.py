"""Names of folders: whatever values hold, they are safe, bounded, and keep what is readable."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sweeps.folder import open_sweep
from sweeps.names import is_safe, safe_name
from tests.sweeps.cells import cells_of, tiny_recipe

ALPHABET = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
DATASET = "0123456789ab"


def assert_safe(name: str) -> None:
    assert set(name) <= ALPHABET
    assert name[0] not in "._-"
    assert 1 <= len(name) <= 100
    assert is_safe(name)


@given(st.text(max_size=300))
@example("")
@example("..")
@example("../../etc/passwd")
@example("-rf")
@example(".hidden")
@example("[bold]x[/]")
@example("modèle/ä\n")
@example("a" * 300)
def test_any_text_makes_a_safe_name(text: str) -> None:
    assert_safe(safe_name(text))
    ended = safe_name(text, "-abc123")
    assert_safe(ended)
    assert ended.endswith("-abc123")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("quick-resnet10t-deconv-mc0.5-seed0", "quick-resnet10t-deconv-mc0.5-seed0"),
        ("my_heads.Sharp", "my_heads.Sharp"),
        ("hf_hub:timm/resnet18", "hf_hub_timm_resnet18"),
        ("../x", "x"),
        ("--x [y]", "x_y_"),
        ("ö", "x"),
    ],
)
def test_what_is_readable_stays(text: str, name: str) -> None:
    assert safe_name(text) == name


@pytest.mark.parametrize("name", ["", ".a", "-a", "_a", "a/b", "a b", "é", "aé", "a\n", "a" * 101, ".."])
def test_unsafe(name: str) -> None:
    assert not is_safe(name)


@pytest.mark.parametrize("name", ["a", "0", "A-b_c.d", "a..b", "a" * 100])
def test_safe(name: str) -> None:
    assert is_safe(name)


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=150))
def test_a_trials_folder_has_a_safe_name_whatever_its_recipe_is_called(recipe: str) -> None:
    (cell, *_) = cells_of(tiny_recipe())
    odd = dataclasses.replace(cell, config=dataclasses.replace(cell.config, recipe=recipe))
    (trial,) = open_sweep(Path("nowhere")).planned([odd], DATASET)
    assert_safe(trial.name)
