"""How a network learns: the same images after every epoch, as small pictures and as one that moves.

A frame shows each image with the contours of the true pose (blue) and of the predicted one (yellow), and
below it the weights of its cells. The animation is an APNG, which browsers play; other programs show its last
frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from epropnp.data.schema import ObjectModel
from epropnp.files import replaced
from epropnp.inference.outline import contours

TILE_PX, MARGIN_PX, LINE_PX = 144, 4, 22
POSE_RGB, TRUE_RGB = (240, 228, 66), (86, 180, 233)  # Okabe and Ito's yellow and sky blue
FRAME_MS, LAST_MS = 350, 3000
COLOURS = 128  # of a file, which is kept for every epoch

Array = NDArray[np.float64]
Image = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One image after one epoch.

    Attributes:
        crop: RGB, uint8 (H, H, 3).
        K_crop: intrinsics under which poses project onto its pixels (3, 3).
        T_pred, T_true: poses, metres (4, 4); a predicted one that is not finite is not drawn.
        weights: of the cells, of any scale (h, w).
        model: of the object.
        label: its error in words.
    """

    crop: Image
    K_crop: Array
    T_pred: Array
    T_true: Array
    weights: Array
    model: ObjectModel
    label: str


def epoch_frame(title: str, tiles: Sequence[Tile]) -> Image:
    """A line of text above a column for each image, RGB (H, W, 3)."""
    columns = [_column(tile) for tile in tiles]
    gap: Image = np.full((columns[0].shape[0], MARGIN_PX, 3), 255, np.uint8)
    body = np.concatenate([part for column in columns for part in (column, gap)][:-1], axis=1)
    head = np.full((LINE_PX, body.shape[1], 3), 255, np.uint8)
    _write(head, title, (0, 0, 0))
    return np.concatenate([head, body])


def draw_contour(
    image: Image, K: Array, T_cam_obj: Array, model: ObjectModel, colour: tuple[int, int, int], width_px: int
) -> None:
    """Draw an object's outline under a pose on a dark halo, in place; nothing of a pose that is none."""
    lines = contours(model, T_cam_obj, K, (image.shape[1], image.shape[0]))
    drawn = [np.rint(16 * line).astype(np.int32) for line in lines]
    for rgb, px in (((0, 0, 0), width_px + 2), (colour, width_px)):
        cv2.polylines(image, drawn, True, rgb, px, cv2.LINE_AA, shift=4)


def save_frame(image: Image, path: Path) -> None:
    """Write a frame as a PNG of few colours. UserError where that fails."""
    from PIL import Image as Pictures

    fast = Pictures.Quantize.FASTOCTREE  # fifty times as fast as the default
    few = Pictures.fromarray(image).quantize(COLOURS, fast, dither=Pictures.Dither.NONE)
    with replaced(path) as unfinished:
        few.save(unfinished, format="png")


def save_animation(frames: Sequence[Path], path: Path) -> None:
    """Write frames, in their order, as an APNG whose first picture, for other programs, is the last frame.

    UserError where that fails.
    """
    from PIL import Image as Pictures

    pictures = []
    for file in frames:
        with Pictures.open(file) as picture:
            pictures.append(picture.convert("RGB"))
    with Pictures.open(frames[-1]) as picture:  # whose colours all frames share, for a third of the bytes
        none = Pictures.Dither.NONE
        pictures = [each.quantize(palette=picture, dither=none) for each in pictures]
    shown = [FRAME_MS] * (len(pictures) - 1) + [LAST_MS]
    with replaced(path) as unfinished:
        pictures[-1].save(
            unfinished,
            format="png",
            save_all=True,
            default_image=True,  # a poster, which is not a frame
            append_images=pictures,
            duration=shown,
            loop=0,
        )


def _column(tile: Tile) -> Image:
    side = tile.crop.shape[0]
    scale = TILE_PX / side
    to_tile = np.diag([scale, scale, 1.0])
    to_tile[:2, 2] = (scale - 1) / 2  # pixel centres at whole numbers
    larger = cv2.resize(tile.crop, (TILE_PX, TILE_PX), interpolation=cv2.INTER_LINEAR)
    image: Image = np.asarray(larger, np.uint8)
    K = to_tile @ tile.K_crop
    draw_contour(image, K, tile.T_true, tile.model, TRUE_RGB, 4)
    draw_contour(image, K, tile.T_pred, tile.model, POSE_RGB, 2)
    most = float(tile.weights.max())
    scaled = tile.weights / most if 0 < most < np.inf else np.zeros_like(tile.weights)  # NaN is neither
    level = np.rint(255 * scaled)
    small = cv2.applyColorMap(level.astype(np.uint8), cv2.COLORMAP_CIVIDIS)[..., ::-1]
    weights = cv2.resize(small, (TILE_PX, TILE_PX), interpolation=cv2.INTER_NEAREST)
    label = np.full((LINE_PX, TILE_PX, 3), 255, np.uint8)
    _write(label, tile.label, (60, 60, 60))
    gap = np.full((MARGIN_PX, TILE_PX, 3), 255, np.uint8)
    return np.concatenate([label, image, gap, weights])


def _write(strip: Image, text: str, colour: tuple[int, int, int]) -> None:
    """Dark on a white strip, by OpenCV: fonts of matplotlib take a second of every trial to load."""
    cv2.putText(strip, text, (1, LINE_PX - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
