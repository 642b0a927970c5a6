"""What flags, recipe and settings ask to be built, and where it lies; the builder is made up."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from epropnp.errors import UserError
from epropnp.training.recipes import RECIPES, Recipe
from pipelines.building.build import dataset_path
from pipelines.building.config import BuildConfig
from sweeps import datasets
from sweeps.datasets import build_config, built, check_not_built, completed, is_built, named, told_of
from sweeps.flags import SweepConfig
from sweeps.space import CASE, Axis, Cell, Choice, plan
from tests.sweeps.cells import cells_of, space


@pytest.fixture
def cells(tiny: Recipe) -> list[Cell]:
    """Of one network, on two numbers of renderings, with two seeds each."""
    return cells_of(tiny, Axis.of("build.train", [8, 16]), backbones=["test_resnet"], seeds=[0, 1])


@pytest.fixture
def config(tmp_path: Path) -> SweepConfig:
    """Flags that name a folder for datasets."""
    return SweepConfig(datasets=tmp_path / "sets")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a dataset says of itself, wherever it is opened."""
    said: dict[str, Any] = {
        "manifest": {},
        "objects": {1: SimpleNamespace(name="ape"), 6: SimpleNamespace(name="cat")},
    }
    monkeypatch.setattr("epropnp.data.reader.ArrowDataset", lambda place: SimpleNamespace(**said))
    return said


def test_a_dataset_is_built_as_the_recipe_says_and_from_what_the_flags_name(
    tiny: Recipe, tmp_path: Path
) -> None:
    counts = dataclasses.replace(tiny, train=8, validation=5, test=3)
    assert build_config(SweepConfig(), counts) == BuildConfig(objects=("ape",), train=8, validation=5, test=3)
    flags = SweepConfig(data=str(tmp_path / "lm"), backgrounds=tmp_path / "photos", objects=("cat", "can"))
    assert build_config(flags, counts) == BuildConfig(
        objects=("cat", "can"),
        source=tmp_path / "lm",
        backgrounds=tmp_path / "photos",
        train=1000,  # renderings beside real images
        validation=5,
        test=3,
    )


def test_settings_go_over_flags_and_recipe(tiny: Recipe, tmp_path: Path) -> None:
    flags = SweepConfig(data=str(tmp_path / "lm"), backgrounds=tmp_path / "photos")
    build = ("build.backgrounds=others", "build.occluders=none", "build.test=7", "build.train=9")
    found = build_config(flags, tiny, build)
    assert (found.backgrounds, found.occluders, found.test, found.train) == (Path("others"), (), 7, 9)
    assert (found.source, found.validation) == (tmp_path / "lm", tiny.validation)


def test_stand_ins_are_of_known_objects_and_folders_have_their_own(tiny: Recipe) -> None:
    with pytest.raises(UserError, match="caat"):
        build_config(SweepConfig(objects=("caat",)), tiny)
    assert build_config(SweepConfig(objects=("caat",), data="lm"), tiny).objects == ("caat",)


def test_each_setting_is_built_once_after_all_of_them_were_found_sound(
    cells: list[Cell], config: SweepConfig, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []

    def build(plan: Any, workers: int | None, progress: bool, ray_address: str | None) -> Path:
        made.append(plan)
        return tmp_path / f"made{plan.config.train}"

    monkeypatch.setattr("pipelines.building.build.build_planned", build)
    found = built(config, tiny, cells)
    assert next(found) == (("build.train=8",), str(tmp_path / "made8"))
    assert [plan.config.train for plan in made] == [8]  # one after the other
    assert list(found) == [(("build.train=16",), str(tmp_path / "made16"))]
    assert [(plan.config, plan.root) for plan in made] == [
        (build_config(config, tiny, (f"build.train={count}",)), tmp_path / "sets") for count in (8, 16)
    ]
    bad = dataclasses.replace(cells[0], build=("build.occluders=dukc",))
    made.clear()
    with pytest.raises(UserError, match="dukc"):
        list(built(config, tiny, [*cells, bad]))
    assert made == []


def test_what_is_only_named_lies_where_the_builder_would_put_it(
    cells: list[Cell], config: SweepConfig, tiny: Recipe, tmp_path: Path
) -> None:
    found = named(config, tiny, cells)
    assert list(found) == [("build.train=8",), ("build.train=16",)]
    own = BuildConfig(objects=("ape",), train=16, validation=tiny.validation, test=tiny.test)
    assert found["build.train=16",] == str(dataset_path(own, tmp_path / "sets"))
    assert found["build.train=8",] == named(config, tiny, cells_of(tiny))[()]  # the recipe has 8
    assert len(set(found.values())) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_built_dataset_is_taken_as_it_is(
    tiny: Recipe, tmp_path: Path, opened: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lm").mkdir()
    assert not is_built("lm")
    assert not is_built(None)
    (tmp_path / "lm" / "manifest.json").touch()
    assert is_built("lm")
    cells = cells_of(tiny)
    for flags, place in (
        (SweepConfig(data="lm"), str(tmp_path / "lm")),
        (SweepConfig(data="s3://bucket/lm", objects=("cat", "ape")), "s3://bucket/lm"),
    ):
        assert named(flags, tiny, cells) == dict(built(flags, tiny, cells)) == {(): place}
    wrong = SweepConfig(data="lm", objects=("cat", "can"))
    with pytest.raises(UserError, match="holds ape, cat; leave --objects out"):
        named(wrong, tiny, cells)
    with pytest.raises(UserError, match="holds ape, cat; leave --objects out"):
        list(built(wrong, tiny, cells))


def test_settings_of_what_is_built_already_are_refused(
    cells: list[Cell], tiny: Recipe, tmp_path: Path
) -> None:
    given = SweepConfig(data="s3://bucket/lm")
    with pytest.raises(UserError, match=r"s3://bucket/lm is built already, and build\.train=8 cannot change"):
        check_not_built(given, cells)
    check_not_built(given, cells_of(tiny))
    check_not_built(SweepConfig(data=str(tmp_path)), cells)


def test_what_only_some_cells_name_is_told_of_all_if_it_can_be(tiny: Recipe) -> None:
    rows = Axis(
        name=CASE,
        choices=tuple(
            Choice(name=name, settings=settings)
            for name, settings in (
                ("own", ()),
                ("many", ("build.train=50",)),
                ("near", ("build.distance=0.2,0.4", "build.train=8")),
                ("same", ("build.train=8",)),
            )
        ),
    )
    found = plan(space(tiny, rows, backbones=["test_resnet"]))
    told = completed(found, build_config(SweepConfig(), tiny))
    assert [(cell.case, cell.build) for cell in told.cells] == [
        ("own", ("build.train=8",)),
        ("many", ("build.train=50",)),
        ("near", ("build.distance=0.2,0.4", "build.train=8")),
    ]
    assert told.merged == ["build.train=8 is what trials have without settings of the data"]
    plain = plan(space(tiny))
    assert completed(plain, build_config(SweepConfig(), tiny)) == plain


def test_only_what_is_doubtful_is_told(opened: dict[str, Any]) -> None:
    assert told_of("anywhere") == []  # of an older version
    opened["manifest"] = {
        "geometry": {"ape": ["median IoU 0.99", "WARNING: no masks"], "cat": ["WARNING: large"]},
        "symmetries": {"ape": "2 turns", "egg": "WARNING: no group"},
    }
    doubtful = ["ape: WARNING: no masks", "cat: WARNING: large", "egg: WARNING: no group"]
    assert told_of("anywhere") == doubtful
    # of pictures one wants to know what was found, and what was not
    opened["manifest"] |= {
        "config": {"source": "lm"},
        "splits": {"train": {"rows": 177}, "test": {"rows": 501}},
        "notes": {"cat": {"test pictures not on disk": 501}},
    }
    assert told_of("anywhere") == [
        "images: 177 of train, 501 of test",
        "cat: 501 test pictures not on disk",
        "ape: median IoU 0.99",
        *doubtful[:2],
        "ape: 2 turns",
        doubtful[2],
    ]


def test_what_can_be_set_of_the_data_is_listed_as_a_trial_would_have_it() -> None:
    recipe = RECIPES["quick"]
    flags = SweepConfig(set=(("build.train=7", "optim.lr=0.5"),), objects=("cat", "ape"))
    found = datasets.with_data(recipe.first, flags, recipe)
    assert (found.build.train, found.build.test, found.build.occluders) == (7, 300, ("cat", "ape"))
    assert (found.optim.lr, found.model) == (0.5, recipe.first.model)
    bare = datasets.with_data(recipe.first, SweepConfig())
    assert (bare.build.train, bare.build.test, bare.build.occluders) == (1000, 200, ())
