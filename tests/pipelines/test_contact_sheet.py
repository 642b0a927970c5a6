"""The contact sheet: what is drawn where."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from epropnp.data.reader import ArrowDataset
from epropnp.errors import UserError
from pipelines.contact_sheet import write_contact_sheet
from tests.pictures import picture_in

TILE, TITLE = 192, 16


@pytest.fixture(scope="module")
def sheet(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    file = tmp_path_factory.mktemp("sheet") / "sheet.png"
    assert write_contact_sheet(ArrowDataset(tiny_dataset), file, per_split=5) == 15
    return picture_in(file)[..., ::-1]


def tile(sheet: np.ndarray, split: int, column: int, kind: int) -> np.ndarray:
    top = split * (TITLE + 4 * TILE) + TITLE + kind * TILE
    return sheet[top : top + TILE, column * TILE : (column + 1) * TILE].astype(int)


def test_every_sample_has_a_title_and_four_tiles(sheet: np.ndarray) -> None:
    assert sheet.shape == (3 * (TITLE + 4 * TILE), 5 * TILE, 3)
    for split in range(3):
        for column in range(5):
            assert all(tile(sheet, split, column, kind).std() > 5 for kind in range(4))
            yellow = np.abs(tile(sheet, split, column, 0) - (255, 220, 0)).max(axis=2) < 40
            assert yellow.sum() > 100, "the 3D box"


def test_outline_of_the_model_coincides_with_mask_and_coordinates(sheet: np.ndarray) -> None:
    """The renderings' outlines are exact, and nothing stands in front of them."""
    for split in range(3):
        for column in range(5):
            seen = (tile(sheet, split, column, 3).max(axis=2) > 0).astype(np.uint8)
            picture = tile(sheet, split, column, 1)
            outline = (picture[..., 1] - picture[..., 0] > 120) & (picture[..., 1] > 180)
            edge = cv2.morphologyEx(seen, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
            away = cv2.distanceTransform(1 - edge, cv2.DIST_L2, 3)[outline]
            assert outline.sum() > 150
            assert np.median(away) <= 2.0
            assert np.quantile(away, 0.9) <= 6.0


def test_missing_folder_is_named(tiny_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot write .*sheet\.png: does its folder exist"):
        write_contact_sheet(ArrowDataset(tiny_dataset), tmp_path / "none" / "sheet.png")
