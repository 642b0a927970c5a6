"""Frames in, poses out in order: a damaged frame costs itself, and what is doubtful is said."""

import dataclasses

import cv2
import numpy as np
import pytest
from PIL import Image

from epropnp.data.cameras import camera_of
from epropnp.prediction.frames import Damaged, Frame
from epropnp.prediction.stream import TURNED, solved
from tests.prediction.conftest import Shown


@pytest.fixture(scope="module")
def frames(shown: Shown, tmp_path_factory: pytest.TempPathFactory) -> list[Frame]:
    folder = tmp_path_factory.mktemp("frames")
    found = []
    for index, (picture, record) in enumerate(zip(shown.pictures, shown.records, strict=True)):
        cv2.imwrite(str(folder / f"{index}.png"), picture[..., ::-1])
        found.append(
            Frame(
                line=index + 1,
                image=folder / f"{index}.png",
                camera=camera_of(record.K.tolist(), "K"),
                boxes=record.box.tolist(),
                objects=record.object_id,
                scene_id=3,
                image_id=index,
            )
        )
    return found


def test_poses_come_in_the_order_of_the_list_whatever_fails(shown: Shown, frames: list[Frame]) -> None:
    """The batch holds five crops: bad lines fall within and between batches."""
    broken = frames[4].image.with_name("broken.png")
    broken.write_bytes(frames[4].image.read_bytes()[:200])
    listed: list[Frame | Damaged] = [
        *frames[:4],
        dataclasses.replace(frames[4], image=broken),
        Damaged(line=6, reason="is not JSON"),
        dataclasses.replace(frames[6], boxes=[900, 0, 20, 20]),
        *frames[7:],
    ]
    found = list(solved(shown.predictor, listed))
    assert [each.line for each in found] == list(range(1, 13))
    assert [each.line for each in found if each.error] == [5, 6, 7]
    assert "broken.png is not a readable picture" in str(found[4].error)
    assert "lies outside" in str(found[6].error)
    for index in (0, 3, 7, 11):
        row = found[index].rows()[0]
        expected = shown.expected.T_pred[index]
        np.testing.assert_allclose(np.array(row["T_cam_obj"])[:3, 3], expected[:3, 3], atol=1e-5)
        assert (row["scene_id"], row["image_id"]) == (3, index)
        assert row["image"] == str(frames[index].image)
    assert found[4].rows() == [{"image": str(broken), "scene_id": 3, "image_id": 4, "error": found[4].error}]


def test_what_is_doubtful_is_said(shown: Shown, frames: list[Frame]) -> None:
    turned = frames[0].image.with_name("turned.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(shown.pictures[0]).save(turned, exif=exif)
    (found,) = solved(shown.predictor, [dataclasses.replace(frames[0], image=turned, kind="whole")])
    assert found.notes[0] == TURNED
    assert (
        "its boxes are of the whole object, the network has learnt those of the visible part"
        in found.notes[1]
    )
    np.testing.assert_allclose(found.rows()[0]["T_cam_obj"], shown.expected.T_pred[0], atol=1e-4)
    assert found.rows()[0]["notes"] == found.notes


def test_deep_pictures_are_the_same_pictures(shown: Shown, frames: list[Frame]) -> None:
    deep = frames[1].image.with_name("deep.png")
    cv2.imwrite(str(deep), shown.pictures[1][..., ::-1].astype(np.uint16) * 257)
    (found,) = solved(shown.predictor, [dataclasses.replace(frames[1], image=deep)])
    np.testing.assert_allclose(found.rows()[0]["T_cam_obj"], shown.expected.T_pred[1], atol=1e-4)


def test_a_camera_of_another_size_costs_the_frame(shown: Shown, frames: list[Frame]) -> None:
    table = {"K": shown.records[0].K.tolist(), "width": 320, "height": 240}
    (found,) = solved(shown.predictor, [dataclasses.replace(frames[0], camera=camera_of(table, "K"))])
    assert "pictures of 320 x 240 pixels, this one has 640 x 480" in str(found.error)
