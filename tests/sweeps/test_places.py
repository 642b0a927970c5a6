"""The datasets of cells: one for all or one for each setting, and one test."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from epropnp.errors import UserError
from epropnp.training.config import TrialConfig
from sweeps.places import by_build, check_one_test
from sweeps.space import Cell

FEW, MANY = ("build.train=5",), ("build.train=50",)


def cell(*build: str) -> Cell:
    return Cell(config=TrialConfig(), build=build)


def datasets(tests: dict[tuple[str, ...], str]) -> Any:
    """Made up, by their settings; all that is asked of them is their test."""
    return {build: SimpleNamespace(test_id=test) for build, test in tests.items()}


def test_one_place_is_that_of_all_cells_without_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    alone: dict[tuple[str, ...], str] = {(): "data/a"}
    for given in ("data/a", Path("data/a"), alone):
        assert by_build(given, [cell(), cell()]) == {(): str(tmp_path / "data" / "a")}
    assert by_build("s3://bucket/a", [cell()]) == {(): "s3://bucket/a"}
    with pytest.raises(UserError, match=r"no dataset is given for trials with build\.train=5$"):
        by_build("data/a", [cell(), cell(*FEW)])


def test_several_places_are_those_of_the_settings_that_there_are(tmp_path: Path) -> None:
    given: dict[tuple[str, ...], Path | str] = {
        FEW: tmp_path / "few",
        MANY: "s3://bucket/many",
        (): tmp_path / "other",
    }
    cells = [cell(*MANY), cell(*FEW), cell(*MANY)]
    assert list(by_build(given, cells).items()) == [(MANY, "s3://bucket/many"), (FEW, str(tmp_path / "few"))]
    del given[()]
    with pytest.raises(UserError, match="no dataset is given for trials with no settings of data"):
        by_build(given, [cell()])


def test_datasets_of_one_test_may_be_compared() -> None:
    check_one_test(datasets({(): "t"}))
    check_one_test(datasets({FEW: "t", MANY: "t", (): "t"}))
    check_one_test({})


@pytest.mark.parametrize(
    ("tests", "names"),
    [
        ({FEW: "t", MANY: "u"}, "build.train"),
        ({(): "t", FEW: "u"}, "build.train"),
        (
            {  # a grid: the first settings leave the test alone
                (f"build.distance={far}", f"build.train={count}"): far for far in "12" for count in "56"
            },
            "build.distance",
        ),
        (
            {  # either may have done it
                ("build.distance=1", "build.views=sphere"): "t",
                ("build.distance=2", "build.views=hemisphere"): "u",
            },
            "build.distance and build.views",
        ),
        (
            {  # each did
                ("build.distance=1",): "t",
                ("build.distance=2",): "u",
                ("build.distance=1", "build.views=sphere"): "v",
            },
            "build.distance and build.views",
        ),
    ],
)
def test_the_settings_that_changed_the_test_are_named(tests: dict[tuple[str, ...], str], names: str) -> None:
    with pytest.raises(UserError) as error:
        check_one_test(datasets(tests))
    assert str(error.value).startswith(f"{names} changed which images are tested")
