"""Names with and without zeros, endings in small and capital letters, and which of several is taken."""

from pathlib import Path

import pytest

from pipelines.readers.file_names import MASK_SUFFIXES, PICTURE_SUFFIXES, NumberedFiles, files_by_stem


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()


@pytest.mark.parametrize(
    "name",
    ["000012.png", "12.png", "0012.JPG", "000012.PNG", "12.Jpeg", "12.bmp", "012.tiff", "12.tif", "12.webp"],
)
def test_a_picture_is_found_by_its_number(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name, "000013.png", "12.json", "000012.txt", "000012_000000.png")
    assert NumberedFiles(tmp_path, PICTURE_SUFFIXES).find(12) == tmp_path / name
    assert NumberedFiles(tmp_path, PICTURE_SUFFIXES).find(14) is None


def test_of_several_that_of_six_digits_comes_first_then_the_order_of_endings(tmp_path: Path) -> None:
    order = ["000012.png", "000012.jpg", "000012.tif", "000012.bmp", "12.png", "12.jpg"]
    touch(tmp_path, *order)
    for name in order:
        assert NumberedFiles(tmp_path, PICTURE_SUFFIXES).find(12) == tmp_path / name
        (tmp_path / name).unlink()
    (tmp_path / "12.png").mkdir()
    assert NumberedFiles(tmp_path, PICTURE_SUFFIXES).find(12) is None
    assert NumberedFiles(tmp_path / "nowhere", PICTURE_SUFFIXES).find(12) is None


def test_masks_have_two_numbers(tmp_path: Path) -> None:
    touch(tmp_path, "000012_000003.PNG", "7_1.bmp", "000007.png", "7_2.jpg")
    masks = NumberedFiles(tmp_path, MASK_SUFFIXES)
    assert masks.find(12, 3) == tmp_path / "000012_000003.PNG"
    assert masks.find(7, 1) == tmp_path / "7_1.bmp"
    assert masks.find(7, 2) is None
    said = masks.tried(7, 2)
    assert said == "000007_000002 or 7_2 with .png, .tif, .tiff, .bmp in small or capital letters"


def test_pictures_of_other_names_are_listed(tmp_path: Path) -> None:
    touch(tmp_path, "000012.png", "IMG_0001.JPG", "frame3.png", "notes.txt", "７.png", "1_.png")
    assert NumberedFiles(tmp_path, PICTURE_SUFFIXES).others == [
        "1_.png",
        "frame3.png",
        "７.png",
        "IMG_0001.JPG",
    ]


def test_files_by_stem(tmp_path: Path) -> None:
    touch(tmp_path, "b-color.PNG", "a-color.jpg", "a-color.png", "c-colour.png", "d-color.txt", "a-label.png")
    found = files_by_stem(tmp_path, "-color", PICTURE_SUFFIXES)
    assert found == {"a": tmp_path / "a-color.png", "b": tmp_path / "b-color.PNG"}
    assert list(found) == ["a", "b"]
