"""Pictures with several objects are in one split; renderings do not validate where photographs can."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from epropnp.errors import UserError
from pipelines.building.sources import open_source
from pipelines.building.whole_pictures import split_whole
from pipelines.objects import ObjectInfo
from pipelines.readers.frames import Frame, RealFrames
from pipelines.rendering.seeds import cut_rng
from tests.pipelines.folders import bop_files, write_files

A, B, C = (ObjectInfo(object_id=i, name=f"obj_{i:06d}", diameter_m=0.1) for i in (1, 2, 3))
ROOT = Path("set")


def frames(pictures: Sequence[int], synthetic: bool = False) -> tuple[Frame, ...]:
    folder = "train_pbr" if synthetic else "train_real"
    return tuple(
        Frame(
            sample_id=f"{folder}/{i}",
            K=np.eye(3),
            T_cam_obj=np.eye(4),
            image_file=ROOT / folder / f"{i}.png",
            mask_file=None,
            synthetic=synthetic,
        )
        for i in pictures
    )


def given(
    train: Sequence[int],
    test: Sequence[int] = (),
    validation: Sequence[int] = (),
    rendered: Sequence[int] = (),
) -> RealFrames:
    return RealFrames(
        by_split={
            "train": frames(train) + frames(rendered, synthetic=True),
            "validation": frames(validation),
            "test": frames(test),
        },
        notes={},
    )


def numbers(found: RealFrames, split: str) -> set[int]:
    return {int(frame.image_file.stem) for frame in found.by_split[split] if not frame.synthetic}


@pytest.mark.parametrize("seed", range(10))
def test_objects_that_share_pictures_share_the_cut(seed: int) -> None:
    shown = {A: range(100), B: range(40, 140), C: range(50, 60)}
    found = split_whole({info: given(list(pictures)) for info, pictures in shown.items()}, seed, ROOT)
    training = set().union(*(numbers(one, "train") for one in found.values()))
    validating = set().union(*(numbers(one, "validation") for one in found.values()))
    assert not training & validating
    assert training | validating == set(range(140))
    for info, pictures in shown.items():
        assert numbers(found[info], "train") | numbers(found[info], "validation") == set(pictures)
        share = len(numbers(found[info], "validation")) / len(pictures)
        assert 0.14 < share < 0.31, (info.name, share)


def test_an_object_alone_in_its_pictures_is_cut_as_ever() -> None:
    found = split_whole({A: given(range(20)), B: given(range(20, 40))}, 5, ROOT)
    for info, first in ((A, 0), (B, 20)):
        expected = set((first + cut_rng(5, info.object_id).permutation(20)[:3]).tolist())
        assert numbers(found[info], "validation") == expected
        assert found[info].notes == {}


def test_pictures_that_test_one_object_train_no_other() -> None:
    found = split_whole({A: given(range(10), test=[]), B: given(range(20, 30), test=[0, 1, 40])}, 0, ROOT)
    assert numbers(found[A], "train") | numbers(found[A], "validation") == set(range(2, 10))
    assert numbers(found[B], "test") == {0, 1, 40}
    assert found[A].notes == {"train frames left out: the test split has their picture": 2}


def test_pictures_that_validate_one_object_train_no_other() -> None:
    sets = {A: given(range(10)), B: given(range(5, 15), validation=[0, 1])}
    found = split_whole(sets, 0, ROOT)
    assert numbers(found[B], "validation") == {0, 1}
    assert numbers(found[B], "train") == set(range(5, 15))  # comes with validation frames: not cut
    assert numbers(found[A], "validation") <= {2, 3, 4}
    assert found[A].notes == {"train frames left out: the validation split has their picture": 2}


def test_renderings_are_not_cut_and_do_not_validate_where_photographs_can() -> None:
    pbr = frames(range(30), synthetic=True)
    own = RealFrames(by_split={"train": frames(range(10)) + pbr, "validation": pbr[:4], "test": ()}, notes={})
    with_photographs = split_whole({A: own}, 0, ROOT)[A]
    assert len(with_photographs.by_split["validation"]) == 2
    assert not any(frame.synthetic for frame in with_photographs.by_split["validation"])
    assert with_photographs.notes == {
        "validation renderings not used: photographs validate": 4,
    }
    alone = RealFrames(by_split={"train": pbr[4:], "validation": pbr[:4], "test": ()}, notes={})
    assert split_whole({A: alone}, 0, ROOT)[A].by_split["validation"] == pbr[:4]
    trained = RealFrames(by_split={"train": pbr, "validation": (), "test": ()}, notes={})
    assert split_whole({A: trained}, 0, ROOT)[A].by_split == trained.by_split


def test_one_photograph_cannot_train_and_validate() -> None:
    with pytest.raises(UserError, match="only 1 training picture of obj_000001"):
        split_whole({A: given([0], rendered=range(5))}, 0, ROOT)


def test_a_source_splits_its_objects_together(tmp_path: Path) -> None:
    source = open_source(write_files(bop_files(), tmp_path), 0, 10)
    found = source.real_frames(list(source.objects().values()))
    cuts = [{frame.image_file for frame in one.by_split["validation"]} for one in found.values()]
    assert cuts[0] == cuts[1]
    assert len(cuts[0]) == 1


def test_renderings_of_a_folder_count_towards_those_asked_for(tmp_path: Path) -> None:
    files = {name.replace("train_real/", "train_pbr/"): content for name, content in bop_files().items()}
    root = write_files(files, tmp_path)
    source = open_source(root, 0, 3)
    info = source.objects()["obj_000007"]
    found = source.real_frames([info])[info.name]
    assert [frame.synthetic for frame in found.by_split["train"]] == [True] * 3
    assert found.by_split["validation"] == ()
    assert found.notes == {"renderings not used: more than asked for": 1}
    real = open_source(root, 0, 3, real_frames=["train_pbr"])
    assert len(real.real_frames([info])[info.name].by_split["validation"]) == 1
    prints = {s.fingerprint([info], s.real_frames([info])) for s in (source, real)}
    assert len(prints) == 2
