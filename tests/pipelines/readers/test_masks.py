"""Masks of every kind, against the pixels that they were made of."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipelines.readers.masks import read_mask

SHAPE = (48, 80)
OBJECT = np.zeros(SHAPE, bool)
OBJECT[10:30, 20:50] = True


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("value", [1, 255, 256, 300, 2**16 - 1])
def test_masks_of_16_bits(tmp_path: Path, value: int, suffix: str) -> None:
    cv2.imwrite(str(tmp_path / f"a{suffix}"), OBJECT.astype(np.uint16) * np.uint16(value))
    np.testing.assert_array_equal(read_mask(tmp_path / f"a{suffix}"), OBJECT)
    np.testing.assert_array_equal(read_mask(tmp_path / f"a{suffix}", value), OBJECT)
    assert not read_mask(tmp_path / f"a{suffix}", value - 1 or 2).any()


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
@pytest.mark.parametrize(
    ("numbers", "colours"),
    [
        ((0, 1), {1: (128, 0, 0)}),  # as Pascal VOC's
        ((0, 1), {1: (0, 0, 1)}),  # too dark to be seen
        ((0, 200), {}),  # all black: numbers alone
        ((0, 1), {0: (9, 9, 9), 1: (90, 9, 9)}),  # no black at all
        ((1, 0), {0: (255, 255, 255)}),  # as optimisers order them: colours decide
    ],
)
def test_masks_of_palettes(
    tmp_path: Path, numbers: tuple[int, int], colours: dict[int, tuple[int, int, int]], suffix: str
) -> None:
    picture = Image.fromarray(np.where(OBJECT, numbers[1], numbers[0]).astype(np.uint8), "L")
    palette = np.zeros((256, 3), int)
    for number, colour in colours.items():
        palette[number] = colour
    picture.putpalette(palette.ravel().tolist())
    picture.save(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read_mask(tmp_path / f"a{suffix}"), OBJECT)
    if numbers[1]:
        np.testing.assert_array_equal(read_mask(tmp_path / f"a{suffix}", numbers[1]), OBJECT)


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ((255, 255, 255), (0, 0, 0)),
        ((0, 0, 1), (0, 0, 0)),
        ((1, 0, 0), (0, 0, 0)),
        ((255, 255, 255, 255), (0, 0, 0, 255)),
        ((255, 255, 255, 255), (255, 255, 255, 0)),
        ((255, 255, 255, 255), (0, 0, 0, 0)),
        ((255, 255, 255, 0), (0, 0, 0, 0)),  # an alpha channel that says nothing
    ],
)
def test_masks_of_several_channels(tmp_path: Path, inside: tuple[int, ...], outside: tuple[int, ...]) -> None:
    values = np.where(OBJECT[..., None], inside, outside)
    for suffix in (".png", ".tif"):
        Image.fromarray(values.astype(np.uint8)).save(tmp_path / f"a{suffix}")
        np.testing.assert_array_equal(read_mask(tmp_path / f"a{suffix}"), OBJECT)
    cv2.imwrite(str(tmp_path / "b.png"), values.astype(np.uint16))
    np.testing.assert_array_equal(read_mask(tmp_path / "b.png"), OBJECT)


def test_whole_and_empty_masks_and_noise(tmp_path: Path) -> None:
    for name, values, expected in (("whole", OBJECT * 0 + 3, True), ("empty", OBJECT * 0, False)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), values.astype(np.uint8))
        assert (read_mask(tmp_path / f"{name}.png") == expected).all()
    content = cv2.imencode(".jpg", OBJECT * np.uint8(255))[1].tobytes()
    (tmp_path / "a.png").write_bytes(content)  # under a wrong name
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), OBJECT)
