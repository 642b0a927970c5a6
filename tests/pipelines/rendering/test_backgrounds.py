"""Backgrounds: from photographs or none, the same for the same seed."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from epropnp.errors import UserError
from pipelines.rendering.backgrounds import (
    choose_photographs,
    photograph_backgrounds,
    procedural_backgrounds,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "nested").mkdir()
    rng = np.random.default_rng(0)
    for name, size in (("a.jpg", (120, 300)), ("nested/b.PNG", (500, 400)), ("c.jpeg", (90, 90))):
        cv2.imwrite(str(tmp_path / name), rng.integers(0, 256, (*size, 3)).astype(np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_procedural_pictures_are_varied_and_repeatable() -> None:
    first = list(procedural_backgrounds(4, seed=1))
    again = list(procedural_backgrounds(4, seed=1))
    np.testing.assert_array_equal(first, again)
    for picture in first:
        assert picture.shape == (256, 256, 3)
        assert picture.dtype == np.uint8
        assert picture.std() > 10
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], next(procedural_backgrounds(1, seed=2)))


def test_every_photograph_comes_before_any_comes_again(folder: Path) -> None:
    chosen = choose_photographs(folder, 7, seed=0)
    assert len(chosen) == 7
    assert len(set(chosen[:3])) == 3
    assert chosen[:3] == chosen[3:6]


@pytest.mark.parametrize("given", ["", "VOCdevkit", "VOCdevkit/VOC2012", "VOCdevkit/VOC2012/JPEGImages"])
def test_of_pascal_voc_only_photographs_are_taken(tmp_path: Path, given: str) -> None:
    """Its folders of segmentation masks hold pictures, too."""
    year = tmp_path / "VOCdevkit" / "VOC2012"
    for name in ("JPEGImages/000027.jpg", "JPEGImages/000032.jpg", "SegmentationClass/000032.png"):
        (year / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(year / name), np.full((64, 64, 3), 9, np.uint8))
    chosen = choose_photographs(tmp_path / given, 8, seed=0)
    assert {file.name for file in chosen} == {"000027.jpg", "000032.jpg"}


def test_photograph_cuts_are_square_repeatable_and_differ(folder: Path) -> None:
    files = choose_photographs(folder, 6, seed=0)
    first, again = (list(photograph_backgrounds(files, seed=0)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert all(picture.shape == (256, 256, 3) for picture in first)
    assert not np.array_equal(first[0], first[3])  # the same photograph, another cut


def test_photographs_keep_their_colours(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "red.png"), np.full((50, 50, 3), (0, 0, 255), np.uint8))
    picture = next(photograph_backgrounds([tmp_path / "red.png"], seed=0))
    assert picture[0, 0].tolist() == [255, 0, 0]


def test_bad_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        choose_photographs(tmp_path / "nowhere", 1, seed=0)
    with pytest.raises(UserError, match="holds no photograph"):
        choose_photographs(tmp_path, 1, seed=0)
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    with pytest.raises(UserError, match=r"broken\.jpg"):
        list(photograph_backgrounds(choose_photographs(tmp_path, 1, seed=0), seed=0))
