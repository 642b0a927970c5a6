"""Pictures, cameras and boxes are checked by name; crops of a picture are those of the evaluation."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from epropnp.data.dataset import CropDataset
from epropnp.data.reader import ArrowDataset
from epropnp.errors import UserError
from epropnp.inference.crops import checked_boxes, checked_camera, checked_picture, crops_of
from tests.inference.trials import whole_picture

SIZE = (640, 480)


@pytest.mark.parametrize("input_px", [32, 64, 200])
def test_crops_of_whole_pictures_are_those_of_the_evaluation(tiny_dataset: Path, input_px: int) -> None:
    """To the bit: shrunk by blocks, enlarged, and at the picture's border."""
    dataset = ArrowDataset(tiny_dataset)
    expected = CropDataset(dataset, "test", input_px=input_px, map_px=input_px // 4)
    for index, record in enumerate(dataset.split("test")):
        scale = dataset.objects[record.object_id].coord_scale
        crops = crops_of(whole_picture(record), record.K, record.box[None], [scale], input_px)
        sample = expected.__getitems__([(0, index, index)])
        for name, value in vars(crops).items():
            assert torch.equal(value, getattr(sample, name)), name


def test_a_box_that_reaches_out_is_not_clipped() -> None:
    picture = np.full((48, 64, 3), 200, np.uint8)
    crops = crops_of(picture, np.eye(3), np.array([[-10.0, 20, 20, 20]]), [np.ones(3)], 30)
    assert crops.corner.tolist() == [[-15.5, 14.5]]
    assert crops.side.tolist() == [30]
    image = crops.image[0, 15, :, 0]  # one cell is one pixel; the first lies at x = -15
    assert image[:15].eq(0).all()
    assert image[15:].eq(200).all()


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        ([[1]], "got list"),
        (np.zeros((4, 4), np.uint8), "got uint8 .4, 4.: repeat the grey channel"),
        (np.zeros((4, 4, 1), np.uint8), "repeat the grey channel"),
        (np.zeros((4, 4, 4), np.uint8), "leave the fourth channel out"),
        (np.zeros((3, 4, 4), np.uint8), "the channels come last|leave the fourth"),
        (np.zeros((3, 40, 50), np.uint8), "the channels come last"),
        (np.zeros((4, 4, 3), np.uint16), "divide 16 bits by 257"),
        (np.zeros((4, 4, 3)), "numbers from 0 to 1"),
        (np.zeros((0, 4, 3), np.uint8), "got uint8 .0, 4, 3"),
        (torch.zeros(4, 4, 3, dtype=torch.uint8), "got Tensor"),
    ],
)
def test_what_is_no_picture_is_named(picture: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        checked_picture(picture)


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ([310, 200, 406, 320], "looks like two corners: .* then .310, 200, 96, 120."),
        ([0.4, 0.3, 0.2, 0.2], "fractions: .* width 640 and height 480"),
        ([0, 0, 1, 1], "fractions"),
        ([100, 100, 0, 0], "is 0 x 0 pixels, at least 2 x 2"),
        ([100, 100, 50, -3], "is 50 x -3 pixels"),
        ([100, 100, 1, 30], "is 1 x 30 pixels"),
        ([640, 100, 50, 50], "lies outside of the 640 x 480 picture"),
        ([-50, 100, 50, 50], "lies outside"),
        ([10, 480, 50, 50], "lies outside"),
        ([-5000, -5000, 10000, 10000], "more than 4 times as large"),
        ([1, 2, 3], "expected four numbers"),
        ([], "expected four numbers"),
        ("1,2,3,4", "expected four numbers"),
        ([[1, 2, 30, 40], [1, np.nan, 30, 40]], "box 2 of 2: .* is not finite"),
        ([None, 1, 2, 3], "expected four numbers|not finite"),
    ],
)
def test_what_is_no_box_is_named(box: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        checked_boxes(box, SIZE)


@pytest.mark.parametrize(
    "box",
    [
        [310, 200, 96, 120],
        [-30, -20, 96, 120],
        [600, 400, 96, 120],
        [0, 0, 640, 480],
        [100.5, 20.25, 2, 2],
        [5, 5, 638, 478],  # a close-up that ends three pixels out of the picture
    ],
)
def test_boxes_that_are_right_are_left_alone(box: list[float]) -> None:
    assert checked_boxes(box, SIZE).tolist() == [box]


@pytest.mark.parametrize(
    "K", [np.eye(2), "K", np.full((3, 3), np.nan), [[1, 0, 0], [0, 1, 0], [0, 0, 2]], None]
)
def test_what_is_no_camera_is_named(K: Any) -> None:
    with pytest.raises(UserError, match="K"):
        checked_camera(K)
