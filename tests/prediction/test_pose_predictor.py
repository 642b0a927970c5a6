"""Whole pictures and boxes give the poses that the evaluation finds; an answer is the image's own."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from epropnp.errors import UserError
from epropnp.inference.temperature import Temperature, Temperatures
from epropnp.pnp import EProPnP, PnPConfig, pose
from epropnp.prediction.estimate import Estimate
from epropnp.prediction.pose_predictor import PosePredictor
from tests.prediction.conftest import Shown


def asked(shown: Shown, index: int, **changes: Any) -> Sequence[Estimate]:
    record = shown.records[index]
    given: dict[str, Any] = {
        "image": shown.pictures[index],
        "K": record.K,
        "boxes": record.box,
        "objects": record.object_id,
    } | changes
    return shown.predictor(**given)


def assert_same_pose(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found[..., :3, 3], expected[..., :3, 3], rtol=0, atol=1e-5)
    turned = np.swapaxes(found[..., :3, :3], -1, -2) @ expected[..., :3, :3]
    assert np.degrees(np.linalg.norm(turned - np.eye(3), axis=(-2, -1)) / np.sqrt(2)).max() < 1e-3


def test_poses_of_whole_pictures_are_those_of_the_evaluation(shown: Shown) -> None:
    saved = shown.expected
    for index, record in enumerate(shown.records):
        (found,) = asked(shown, index)
        assert_same_pose(found.T_cam_obj, saved.T_pred[index])
        np.testing.assert_allclose(found.covariance, saved.covariance[index], rtol=1e-3, atol=1e-12)
        assert found.cost == pytest.approx(saved.cost[index], rel=1e-4)
        assert found.object_id == record.object_id
        assert found.valid


def test_several_pictures_with_several_objects_are_solved_together(shown: Shown) -> None:
    predictor = shown.predictor
    views = [
        predictor.view(picture, record.K, [record.box, record.box], ["cat", "eggbox"])
        for picture, record in zip(shown.pictures[:7:3], shown.records[:7:3], strict=True)
    ]
    together = predictor.solve(views)
    assert [len(each) for each in together] == [2, 2, 2]
    for view, found in zip(views, together, strict=True):
        alone = predictor.solve([view])[0]
        for one, other in zip(found, alone, strict=True):
            assert_same_pose(one.T_cam_obj, other.T_cam_obj)
            assert one.log_evidence == pytest.approx(other.log_evidence, abs=1e-2)
        assert np.abs(found[0].T_cam_obj - found[1].T_cam_obj).max() > 1e-4  # other units, another pose
    assert [each.object for each in together[0]] == ["cat", "eggbox"]


def test_a_path_an_array_and_a_turned_file_are_one_picture(shown: Shown, tmp_path: Path) -> None:
    (expected,) = asked(shown, 4)
    cv2.imwrite(str(tmp_path / "a.png"), shown.pictures[4][..., ::-1])
    for image in (tmp_path / "a.png", str(tmp_path / "a.png")):
        (found,) = asked(shown, 4, image=image)
        np.testing.assert_array_equal(found.T_cam_obj, expected.T_cam_obj)


def test_the_credible_region_holds_its_share_of_a_posterior_drawn_anew(shown: Shown) -> None:
    """A temperature that sharpens by eight is weights that are eight times as large; 4,000 random samples."""
    sharp = Temperatures(posterior=Temperature(scale=8.0), covariance=Temperature(scale=8.0))
    predictor = PosePredictor(dataclasses.replace(shown.predictor.model, temperatures=sharp), samples=2048)
    record, picture = shown.records[2], shown.pictures[2]
    view = predictor.view(picture, record.K, record.box, record.object_id)
    found = predictor.solve([view])[0][0]
    inferred, _ = predictor.infer(view.crops)
    layer = EProPnP(PnPConfig(rslm_proposals=0, lm_iterations=0, amis_samples=1000))
    given = dataclasses.replace(inferred.found, weights=8 * inferred.found.weights)
    mode = inferred.solution.pose
    drawn = layer.monte_carlo(given, init_pose=mode, generator=torch.Generator().manual_seed(5))
    assert drawn.ess.item() > 500
    weights = torch.softmax(drawn.log_weights, 0)[:, 0]
    distance = (drawn.samples[:, 0, :3] - mode[0, :3]).norm(dim=-1)
    angle = pose.rotation_angle(drawn.samples[:, 0, 3:], mode[0, 3:].expand(4000, 4)).rad2deg()
    assert weights[distance <= found.radius_m].sum().item() == pytest.approx(0.95, abs=0.03)
    assert weights[angle <= found.radius_deg].sum().item() == pytest.approx(0.95, abs=0.03)
    assert found.log_evidence == pytest.approx(drawn.log_evidence.item(), abs=0.2)
    assert found.effective_samples > 200


def test_hypotheses_can_be_asked_for_and_samples_left_out(shown: Shown) -> None:
    record = shown.records[0]
    several = PosePredictor(shown.predictor.model, hypotheses=3, samples=0)
    (found,) = several(shown.pictures[0], record.K, record.box, record.object_id)
    assert found.T_hypotheses.shape == (3, 4, 4)
    np.testing.assert_allclose(found.T_hypotheses[0], found.T_cam_obj)
    assert found.probability.sum() == pytest.approx(1, abs=1e-5)
    assert np.isnan([found.radius_m, found.log_evidence, found.effective_samples]).all()
    (one,) = asked(shown, 0)
    assert one.T_hypotheses.shape == (1, 4, 4)
    assert one.probability.tolist() == [1.0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image": np.zeros((48, 64), np.uint8)}, "repeat the grey channel"),
        ({"image": np.zeros((48, 64, 3), np.float32)}, "got float32 .48, 64, 3.*numbers from 0 to 1"),
        ({"K": np.eye(4)}, "K is no camera matrix"),
        ({"boxes": [0.1, 0.2, 0.3, 0.4]}, "fractions"),
        ({"objects": "dog"}, "does not know 'dog'"),
        ({"objects": ["cat", "cat"]}, "2 are named for 1 crop"),
        ({"objects": None}, "which of cat, eggbox"),
        ({"image": "nowhere.png"}, "cannot read nowhere.png"),
    ],
)
def test_what_does_not_fit_is_said(shown: Shown, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        asked(shown, 0, **changes)


def test_a_broken_crop_has_no_pose_and_leaves_the_others(shown: Shown) -> None:
    predictor = shown.predictor
    pairs = list(zip(shown.pictures, shown.records, strict=True))[:3]
    views = [predictor.view(picture, r.K, r.box, r.object_id) for picture, r in pairs]
    views[1].crops.K[:] = torch.nan
    found = [poses[0] for poses in predictor.solve(views)]
    assert [each.valid for each in found] == [True, False, True]
    assert found[1].row()["T_cam_obj"] is None
    assert found[1].overlap == 0
    assert_same_pose(found[2].T_cam_obj, asked(shown, 2)[0].T_cam_obj)


def test_the_picture_of_a_posterior_is_that_of_the_estimate(shown: Shown) -> None:
    """Coordinates of the map, moved by the pose, land where the crop's camera sees their cells."""
    record = shown.records[3]
    view = shown.predictor.view(shown.pictures[3], record.K, record.box, record.object_id)
    poses = shown.predictor.solve([view])[0]
    estimate, picture = poses[0], shown.predictor.posterior_picture(poses, 0)
    assert picture.crop.shape == (64, 64, 3)
    np.testing.assert_array_equal(picture.T_cam_obj, estimate.T_cam_obj)
    assert picture.log_evidence == pytest.approx(estimate.log_evidence, abs=1e-4)
    assert picture.sample_weights.sum() == pytest.approx(1, abs=1e-5)
    cells = picture.coords.shape[-1]
    points = picture.coords.reshape(3, -1).T @ record.T_cam_obj[:3, :3].T + record.T_cam_obj[:3, 3]
    pixels = points @ picture.K_crop.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    rows, columns = np.mgrid[:cells, :cells]
    centres = (np.stack([columns.ravel(), rows.ravel()], 1) + 0.5) * 64 / cells - 0.5
    trusted = picture.weights.sum(0).ravel() > 0.3 * picture.weights.sum(0).max()
    assert np.median(np.abs(pixels - centres)[trusted]) < 2
