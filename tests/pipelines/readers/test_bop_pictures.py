"""BOP folders whose pictures and masks have other names and kinds: the same records, and what is said."""

import dataclasses
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from epropnp.data.schema import Record
from epropnp.errors import UserError
from pipelines.building.sources import open_source
from pipelines.readers.frames import RealFrames, frame_record
from pipelines.rendering.renderer import Renderer
from tests.pictures import picture_in
from tests.pipelines.folders import bop_files, cdpn_files, write_files

Change = Callable[[Path], None]


def read(root: Path, name: str = "obj_000007") -> tuple[RealFrames, dict[str, Record]]:
    source = open_source(root, 0, 10)
    info = source.objects()[name]
    frames, renderer, model = (
        source.real_frames([info])[info.name],
        Renderer(source.mesh(info)),
        source.model(info),
    )
    given = [frame for split in frames.by_split.values() for frame in split]
    return frames, {frame.sample_id: frame_record(frame, renderer, model) for frame in given}


def assert_same(found: dict[str, Record], expected: dict[str, Record]) -> None:
    assert found.keys() == expected.keys()
    for name, record in found.items():
        for field in dataclasses.fields(Record):
            a, b = getattr(record, field.name), getattr(expected[name], field.name)
            np.testing.assert_array_equal(a, b, err_msg=f"{name} {field.name}")


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_files(bop_files(), tmp_path / "tiny")


def renamed(file: Path) -> None:
    file.rename(file.with_name("_".join(str(int(part)) for part in file.stem.split("_")) + ".PNG"))


def as_bitmap(file: Path) -> None:
    cv2.imwrite(str(file.with_suffix(".bmp")), picture_in(file, cv2.IMREAD_UNCHANGED))
    file.unlink()


def as_tiff(file: Path) -> None:
    cv2.imwrite(str(file.with_suffix(".tiff")), picture_in(file, cv2.IMREAD_UNCHANGED))
    file.unlink()


def with_orientation(file: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(io.BytesIO(file.read_bytes())).save(file, exif=exif.tobytes())


@pytest.mark.parametrize("change", [renamed, as_bitmap, as_tiff, with_orientation])
def test_pictures_and_masks_of_other_names_and_kinds_give_the_same_records(
    tiny: Path, change: Change
) -> None:
    _, expected = read(tiny)
    for folder in ("rgb", "mask_visib"):
        for file in sorted(tiny.glob(f"t*/*/{folder}/*.png")):
            change(file)
    frames, found = read(tiny)
    assert_same(found, expected)
    said = {"pictures with an EXIF orientation, not applied: K and masks mean pixels as stored": 6}
    assert frames.notes == (said if change is with_orientation else {})


@pytest.mark.parametrize("value", [1, 255, 300])
@pytest.mark.parametrize("palette", [False, True])
def test_masks_of_16_bits_and_palettes_give_the_same_records(tiny: Path, value: int, palette: bool) -> None:
    _, expected = read(tiny)
    for file in tiny.glob("t*/*/mask_visib/*.png"):
        mask = picture_in(file, cv2.IMREAD_GRAYSCALE) > 0
        if palette:
            picture = Image.fromarray(mask.astype(np.uint8) * np.uint8(value % 256), "L")
            picture.putpalette([0, 0, 0] * 256)
            picture.save(file)
        else:
            cv2.imwrite(str(file), mask.astype(np.uint16) * np.uint16(value))
    assert_same(read(tiny)[1], expected)


def test_values_of_12_bits_give_the_same_records_whatever_a_single_picture_holds(tiny: Path) -> None:
    """One of the pictures is dark: its values would fit into ten bits."""
    dark = tiny / "train_real" / "000001" / "rgb" / "000002.png"
    cv2.imwrite(str(dark), picture_in(dark) // 8)
    first, expected = read(tiny)
    for file in tiny.glob("t*/*/rgb/*.png"):
        cv2.imwrite(str(file), picture_in(file).astype(np.uint16) * 16 + 3)
    frames, found = read(tiny)
    assert_same(found, expected)
    assert first.notes == {}
    assert frames.notes == {"pictures of 16 bits, read as of 12: no value is larger": 6}


def test_the_fingerprint_knows_of_the_bits(tiny: Path) -> None:
    """The other pictures decide how bright one is."""
    for file in tiny.glob("t*/*/rgb/*.png"):
        cv2.imwrite(str(file), picture_in(file).astype(np.uint16) * 4)
    source = open_source(tiny, 0, 10)
    info = source.objects()["obj_000007"]
    frames = source.real_frames([info])[info.name]
    assert {frame.bits for split in frames.by_split.values() for frame in split} == {10}
    wider = {
        split: tuple(dataclasses.replace(frame, bits=12) for frame in found)
        for split, found in frames.by_split.items()
    }
    other = dataclasses.replace(frames, by_split=wider)
    assert source.fingerprint([info], {info.name: frames}) != source.fingerprint([info], {info.name: other})


def test_pictures_of_other_names_are_said(tiny: Path) -> None:
    folder = tiny / "train_real" / "000001" / "rgb"
    (folder / "000001.png").rename(folder / "IMG_0001.png")
    (folder / "000002.png").rename(folder / "IMG_0002.JPG")
    frames, _ = read(tiny)
    assert frames.notes == {
        "train pictures not on disk": 2,
        "pictures in rgb/ whose names are no numbers such as 000012, but IMG_0001.png": 2,
    }


def test_names_that_were_tried_are_said(tiny: Path) -> None:
    folder = tiny / "test" / "000002"
    (folder / "mask_visib" / "000001_000001.png").unlink()
    with pytest.raises(UserError, match=r"000001_000001 or 1_1 with \.png, \.tif, \.tiff, \.bmp"):
        read(tiny)
    for place in ("train_real/000001", "test/000002"):
        shutil.rmtree(tiny / place / "rgb")
    with pytest.raises(UserError, match=r"rgb/000012 or gray/000012, or without zeros, with \.png, \.jpg"):
        read(tiny)


def test_cdpn_pictures_and_labels_of_other_endings(tmp_path: Path) -> None:
    root = write_files(cdpn_files(), tmp_path / "cdpn")
    _, expected = read(root, "cat")
    for file in root.glob("real_*/cat/*-label.png"):
        mask = picture_in(file, cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(file.with_suffix(".BMP")), mask)
        file.unlink()
    for file in root.glob("*/cat/*-color.png"):
        file.rename(file.with_suffix(".PNG"))
    frames, found = read(root, "cat")
    assert_same(found, expected)
    assert frames.notes == {}
    for file in root.glob("*/cat/*-color.PNG"):
        file.rename(file.with_name(file.name.replace("-color", "_rgb")))
    with pytest.raises(UserError, match=r"looked for as cat/NAME-color with \.png, \.jpg"):
        read(root, "cat")
