"""Settings of the data: which may differ, how they are written, and what they change."""

import dataclasses
from pathlib import Path

import pytest

from epropnp.errors import UserError
from pipelines.building.config import BuildConfig
from sweeps import build_settings
from sweeps.build_settings import changed, check_common, check_varied, stated, taken_apart

EXAMPLES = {  # of each setting that a trial may have of its own
    "build.train": "500",
    "build.occluders": "cat,ape",
    "build.backgrounds": "photos",
    "build.background_count": "9",
    "build.camera": "camera.json",
    "build.distance": "0.5,1",
    "build.views": "hemisphere",
    "build.accept_geometry": "yes",
}
FIXED = ("validation", "test", "seed", "mesh_resolution", "mesh_unit", "splits", "real_frames", "detections")
BY_FLAG = ("objects", "source")


def test_every_field_of_a_build_may_differ_is_fixed_or_has_a_flag() -> None:
    names = {field.name for field in dataclasses.fields(BuildConfig)}
    varied = {key.removeprefix("build.") for key in EXAMPLES}
    assert names == varied | {*FIXED} | {*BY_FLAG}
    assert set(build_settings.VARIED) == set(EXAMPLES)
    listed = {setting.key for setting in build_settings.LISTED}
    assert {key for key in listed if key.startswith("build.")} == {
        f"build.{name}" for name in varied | {*FIXED}
    }
    assert {"optim.lr", "seed"} < listed


@pytest.mark.parametrize(("key", "text"), EXAMPLES.items())
def test_what_concerns_training_images_and_views_may_differ(key: str, text: str) -> None:
    check_common([f"{key}={text}"])
    check_varied([f"{key}={text}", "optim.lr=1"])


@pytest.mark.parametrize("name", FIXED)
def test_what_decides_the_test_is_the_same_for_all(name: str) -> None:
    text = {"mesh_unit": "m", "splits": "lists", "real_frames": "a,b"}.get(name, "24")
    check_common([f"build.{name}={text}"])
    with pytest.raises(UserError, match=rf"build\.{name} decides what is tested.*by --set$"):
        check_varied(["optim.lr=1", f"build.{name}={text}"])


@pytest.mark.parametrize(("name", "flag"), [("objects", "--objects"), ("source", "--data")])
def test_what_has_a_flag_is_given_by_it(name: str, flag: str) -> None:
    with pytest.raises(UserError, match=rf"build\.{name} has a flag of its own: use {flag}$"):
        check_common([f"build.{name}=x"])
    with pytest.raises(UserError, match=rf"build\.{name} decides what is tested.*by {flag}$"):
        check_varied([f"build.{name}=x"])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("build.trian=1", "unknown setting 'build.trian'; did you mean 'build.train'?"),
        ("optim.lrr=1", "unknown setting 'optim.lrr'; did you mean 'optim.lr'?"),
        ("train=1", "unknown setting 'train'; did you mean 'build.train'?"),
        ("build.train=1.5", "config.build.train: '1.5' is not a whole number"),
        ("build.background_count=0", "build.background_count: 0 is not at least 1"),
        ("build.views=cube", "config.build.views: 'cube' is not one of sphere, hemisphere"),
        ("build.distance=1", "config.build.distance: ['1'] does not have 2 values"),
        ("build.accept_geometry=maybe", "config.build.accept_geometry: 'maybe' is not true or false"),
    ],
)
def test_what_does_not_fit_is_refused(setting: str, message: str) -> None:
    for check in (check_common, check_varied):
        with pytest.raises(UserError) as error:
            check([setting])
        assert str(error.value) == message


def test_settings_of_the_data_are_sorted_and_written_in_one_way() -> None:
    given = ["build.train= 0500", "optim.lr=1", "build.occluders=", "build.train=7", "build.distance=.5, 1"]
    assert taken_apart(given) == (
        ["optim.lr=1"],
        ("build.distance=0.5,1.0", "build.occluders=none", "build.train=7"),
    )
    assert taken_apart(["build.occluders=None", "build.camera=none"])[1] == (
        "build.camera=none",
        "build.occluders=none",
    )
    assert taken_apart([]) == ([], ())


def test_a_build_is_changed_by_them() -> None:
    before = BuildConfig(objects=("cat",), train=3, distance=(1.0, 2.0))
    _, build = taken_apart(f"{key}={text}" for key, text in EXAMPLES.items())
    assert changed(before, build) == BuildConfig(
        objects=("cat",),
        train=500,
        occluders=("cat", "ape"),
        backgrounds=Path("photos"),
        background_count=9,
        camera=Path("camera.json"),
        distance=(0.5, 1.0),
        views="hemisphere",
        accept_geometry=True,
    )
    assert changed(before, ("build.distance=none", "build.occluders=none")) == BuildConfig(
        objects=("cat",), train=3, occluders=()
    )
    assert changed(before, ()) == before


def test_a_build_says_what_would_have_to_be_given() -> None:
    found = stated(BuildConfig(objects=("cat", "ape"), train=3, occluders=(), distance=(0.5, 1)))
    assert found["build.objects"] == "cat,ape"
    assert (found["build.train"], found["build.occluders"], found["build.distance"]) == ("3", "none", "0.5,1")
    assert not {"build.camera", "build.views", "build.backgrounds", "build.source"} & set(found)
