"""Half pixels of the pipelines' resizings: a picture that says its own columns still does afterwards."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipelines import contact_sheet
from pipelines.rendering.backgrounds import photograph_backgrounds
from pipelines.rendering.records import crop_window, cut, mask_box
from pipelines.rendering.synthetic import _background
from pipelines.rendering.texture import Texture
from tests.data.sets import make_model, make_record


def ramp(width: int, height: int, step: float) -> np.ndarray:
    """Red says the column, green the row, in grey levels of `step` per pixel."""
    y, x = np.mgrid[:height, :width]
    return np.rint(np.stack([step * x, step * y, 0 * x], -1)).astype(np.uint8)


def origin_of(line: np.ndarray, pixels_per_cell: float, step: float) -> float:
    """Where a line of cells begins: pixel `x0` of `x0 - 1/2 + (m + 1/2) * pixels_per_cell`, a whole one."""
    cells = np.arange(len(line)) + 0.5
    inner = slice(2, -2)  # beyond the rim, where nothing lies beyond
    return float((line / step + 0.5 - cells * pixels_per_cell)[inner].mean())


@pytest.mark.parametrize("size", [(150, 120), (800, 640)])
def test_background_photographs_keep_their_ramps(size: tuple[int, int], tmp_path: Path) -> None:
    """Enlarged and shrunk: the cut's origin, read off the cells' centres, is a whole pixel within it."""
    step = 250 / max(size)
    cv2.imwrite(str(tmp_path / "ramp.png"), ramp(*size, step)[..., ::-1])
    mirrored = 0
    for seed in range(12):
        picture = next(photograph_backgrounds([tmp_path / "ramp.png"], seed)).astype(float)
        row = picture[128, :, 0]
        if row[0] > row[-1]:
            row, mirrored = row[::-1], mirrored + 1
        column = picture[:, 128, 1]
        side = np.polyfit(np.arange(256), row / step, 1)[0] * 256
        assert 0.6 * size[1] - 1 <= side <= size[1] + 1
        whole_side = round(side)  # a square of whole pixels
        for line, length in ((row, size[0]), (column, size[1])):
            start = origin_of(line, whole_side / 256, step)
            assert abs(start - round(start)) < 0.15
            assert 0 <= round(start) <= length - whole_side
    assert 0 < mirrored < 12


@pytest.mark.parametrize("side", [100, 400])
def test_backgrounds_of_renderings_keep_their_ramps(side: int) -> None:
    picture, mirrored = ramp(256, 256, 1.0), 0
    gaps: list[float] = []
    for seed in range(12):
        found = 255 * _background(np.random.default_rng(seed), [picture], side)
        row = found[side // 2, :, 0]
        if row[0] > row[-1]:
            row, mirrored = row[::-1], mirrored + 1
        patch = round(np.polyfit(np.arange(side)[8:-8], row[8:-8], 1)[0] * side)
        assert 128 <= patch <= 256
        for line in (row, found[:, side // 2, 1]):
            start = origin_of(line, patch / side, 1.0)
            gaps.append(start - round(start))
            assert 0 <= round(start) <= 256 - patch
    # By the rounding to grey levels, which OpenCV does downwards where it enlarges.
    assert np.abs(gaps).max() < 0.2
    assert 0 < mirrored < 12


def test_a_texture_is_looked_up_at_its_texels_centres_in_linear_light() -> None:
    """Texel i of four lies at (i + 1/2) / 4; v goes upwards; beyond the square it repeats."""
    pixels = np.zeros((2, 4, 3), np.uint8)
    pixels[0, :, 0] = (0, 100, 200, 250)
    pixels[1, :, 0] = (10, 20, 30, 40)
    texture, light = Texture(pixels), lambda grey: (grey / 255) ** 2.2
    for u, v, expected in [
        (1 / 8, 3 / 4, light(0)),
        (3 / 8, 3 / 4, light(100)),
        (7 / 8, 1 / 4, light(40)),
        (1 / 2, 3 / 4, (light(100) + light(200)) / 2),
        (3 / 8, 1 / 2, (light(100) + light(20)) / 2),
        (1.0, 1 / 4, (light(40) + light(10)) / 2),
        (-5 / 8, 7 / 4, light(100)),
    ]:
        found = texture.linear(np.array([[u, v]], np.float32))[0]
        assert found[0] == pytest.approx(expected, abs=1e-5), (u, v)
        assert found[1] == 0
    assert texture.colours(np.array([[3 / 8, 3 / 4]], np.float32))[0, 0] == pytest.approx(100 / 255, abs=1e-4)


def test_a_texture_seen_from_afar_is_its_mean_light_and_ends_at_four_texels() -> None:
    """Two greys by turns: the mean of their light from two texels per sample on, or from sqrt(2)."""
    pixels = np.full((8, 8, 3), 60, np.uint8)
    pixels[:, ::2] = 240
    bright, dark = (240 / 255) ** 2.2, (60 / 255) ** 2.2
    texture, place = Texture(pixels), np.array([[0.5 / 8, 0.5 / 8], [4.5 / 8, 0.5 / 8]], np.float32)
    np.testing.assert_allclose(texture.linear(place, 1.3), bright, atol=1e-5)
    for texels in (1.5, 2.0, 100.0):
        np.testing.assert_allclose(texture.linear(place, texels), (bright + dark) / 2, atol=5e-3)
    assert len(texture._levels) == 2  # 8 and 4
    assert len(Texture(pixels[:7])._levels) == 1


def test_the_contact_sheet_draws_on_the_enlarged_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    """24 pixels on 192: pixel c lies at (c + 1/2) 8 - 1/2, four right of and below its first tile pixel."""
    drawn: list[list[tuple[int, int]]] = []
    monkeypatch.setattr(contact_sheet, "_draw_box", lambda tile, corners: drawn.append(corners))
    monkeypatch.setattr(contact_sheet, "_draw_axes", lambda *_: None)
    monkeypatch.setattr(contact_sheet, "_draw_outline", lambda *_: None)
    monkeypatch.setattr(contact_sheet, "_window", lambda *_: ((100, 70), 24))
    low = np.array([-0.01, -0.02, 0.0])
    model = replace(make_model(), bounds_min=low, bounds_max=np.array([0.02, 0.01, 1e-9]))
    T = np.eye(4)
    T[2, 3] = 1.0
    record = replace(
        make_record(0),
        K=np.array([[200.0, 0, 112.1], [0, 200, 84.1], [0, 0, 1]]),
        T_cam_obj=T,
        rgb=np.zeros((24, 24, 3), np.uint8),
        crop_origin=np.array([100, 70]),
        map_origin=np.array([104, 74]),
        mask=np.zeros((8, 8), np.uint8),
        coords=np.zeros((8, 8, 3), np.uint16),
        box=np.array([104, 74, 8, 8], np.float32),
    )
    contact_sheet._tiles(record, model)
    # x: 112.1 - 2 and + 4, pixels 10.1 and 16.1 of the square; y: 84.1 - 4 and + 2, pixels 10.1 and 16.1.
    edge = {10: round(10.6 * 8 - 0.5), 16: round(16.6 * 8 - 0.5)}
    assert set(drawn[0]) == {(edge[x], edge[y]) for x in (10, 16) for y in (10, 16)}


@pytest.mark.parametrize(
    ("box", "side"), [((100, 50, 10, 5), 24), ((100, 50, 5, 4), 12), ((0, 0, 1, 1), 3), ((7, 9, 20, 50), 120)]
)
def test_a_stored_crop_is_centred_on_its_box(box: tuple[int, int, int, int], side: int) -> None:
    """2.4 times the larger side, rounded up; its middle within half a pixel of the box's."""
    origin, found = crop_window(box)
    assert found == side
    for axis in (0, 1):
        assert abs(origin[axis] + (side - 1) / 2 - box[axis] - (box[axis + 2] - 1) / 2) <= 0.5


def test_a_box_holds_its_mask_and_a_cut_its_window() -> None:
    mask = np.zeros((6, 9), bool)
    mask[2:5, 3:8] = True
    assert mask_box(mask) == (3, 2, 5, 3)
    assert mask_box(mask, (10, 20)) == (13, 22, 5, 3)
    image: Any = np.arange(1, 13).reshape(3, 4)
    found = cut(image, (10, 20), (8, 21), (3, 4))
    np.testing.assert_array_equal(found, [[0, 0, 5, 6], [0, 0, 9, 10], [0, 0, 0, 0]])
    assert not cut(image, (10, 20), (14, 20), (2, 2)).any()
