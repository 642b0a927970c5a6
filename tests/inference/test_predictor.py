"""A network's file alone, far from its dataset, gives the poses that the trial's own evaluation gave."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epropnp.data.reader import ArrowDataset
from epropnp.errors import UserError
from epropnp.inference import Poses, Predictor
from epropnp.inference.model import load_checkpoint, save_checkpoint
from tests.inference.trials import Trial, trial_of


@pytest.fixture(scope="module")
def trial(tiny_dataset: Path, trained_in_fives: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return trial_of(tiny_dataset, trained_in_fives, tmp_path_factory.mktemp("predictor") / "alone")


def asked(trial: Trial, **changes: Any) -> Poses:
    """All test crops at once."""
    saved = trial.predictions
    given = {
        "crops": trial.crops,
        "K": saved.K,
        "boxes": saved.crop,
        "objects": saved.object_id.tolist(),
    } | changes
    return Predictor(trial.best, "cpu")(**given)


def test_poses_and_uncertainty_are_those_of_the_trials_own_test(trial: Trial) -> None:
    found, saved = asked(trial), trial.predictions
    np.testing.assert_allclose(found.T_cam_obj[:, :3, 3], saved.T_pred[:, :3, 3], atol=1e-5)
    turned = np.einsum("nij,nik->njk", found.T_cam_obj[:, :3, :3], saved.T_pred[:, :3, :3])
    angle_deg = np.degrees(np.linalg.norm(turned - np.eye(3), axis=(1, 2)) / np.sqrt(2))
    assert angle_deg.max() < 1e-3
    np.testing.assert_allclose(found.covariance, saved.covariance, rtol=1e-3, atol=1e-12)
    np.testing.assert_allclose(found.cost, saved.cost, rtol=1e-4)
    assert Predictor(trial.best, "cpu").model.temperatures == saved.temperatures
    assert found.valid.tolist() == saved.valid.tolist()
    assert found.T_hypotheses is None


def test_objects_go_by_name_too_and_each_has_its_own_units(trial: Trial) -> None:
    by_id = asked(trial)
    names = {6: "cat", 10: "eggbox"}
    by_name = asked(trial, objects=[names[key] for key in trial.predictions.object_id.tolist()])
    np.testing.assert_array_equal(by_id.T_cam_obj, by_name.T_cam_obj)
    other = asked(trial, objects=["cat"] * 12)
    eggboxes = trial.predictions.object_id == 10
    assert (np.abs(other.T_cam_obj - by_id.T_cam_obj).max((1, 2)) > 1e-4).tolist() == eggboxes.tolist()


def test_the_file_holds_the_object_table_as_the_dataset_has_it(trial: Trial, tiny_dataset: Path) -> None:
    model, expected = Predictor(trial.best, "cpu").model, ArrowDataset(tiny_dataset)
    assert model.dataset_id == expected.dataset_id
    assert list(model.objects) == list(expected.objects)
    for key, own in model.objects.items():
        for field in dataclasses.fields(own):
            value, theirs = getattr(own, field.name), getattr(expected.objects[key], field.name)
            np.testing.assert_array_equal(value, theirs, err_msg=field.name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objects": None}, r"objects: which of cat, eggbox is in each crop\?"),
        ({"objects": ["cat"]}, "objects: 1 are named for 12 crops"),
        ({"objects": ["cta"] * 12}, r"the network does not know 'cta'.*cat"),
        ({"crops": np.zeros((12, 32, 32, 3), np.uint8)}, r"crops: expected shape \(12, 64, 64, 3\)"),
        ({"crops": np.zeros((12, 64, 64, 3), np.float32)}, r"crops: expected RGB bytes"),
        ({"boxes": np.zeros((12, 4))}, r"boxes: expected shape \(12, 3\), got \(12, 4\)"),
        ({"K": np.zeros((3, 3, 3))}, r"K: expected shape \(12, 3, 3\)"),
    ],
)
def test_what_does_not_fit_is_said(trial: Trial, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        asked(trial, **changes)


def test_a_missing_a_damaged_and_an_older_file_are_one_line(trial: Trial, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none.pt is not there: give the best.pt"):
        Predictor(tmp_path / "none.pt")
    (tmp_path / "damaged.pt").write_bytes(b"no checkpoint")
    with pytest.raises(UserError, match=r"damaged.pt cannot be read"):
        Predictor(tmp_path / "damaged.pt")
    state = load_checkpoint(trial.best)
    del state["objects"]
    save_checkpoint(tmp_path / "older.pt", state)
    with pytest.raises(UserError, match=r"older.pt does not hold objects: .* older version"):
        Predictor(tmp_path / "older.pt")


def test_the_temperatures_of_the_file_correct_what_is_said(trial: Trial, tmp_path: Path) -> None:
    """By docs/maths.md, section 5: covariances by 1 / (scale^2 (1 - 2 tail)), costs by scale^2."""
    warm = {"covariance": {"scale": 0.5, "tail": 0.25}, "posterior": {"scale": 3.0, "tail": 0.1}}
    save_checkpoint(tmp_path / "best.pt", load_checkpoint(trial.best) | {"temperatures": warm})
    plain, found = asked(trial), asked(dataclasses.replace(trial, best=tmp_path / "best.pt"))
    before = trial.predictions.temperatures
    factor = 8 / before.covariance.covariance_factor
    np.testing.assert_allclose(found.covariance, factor * plain.covariance, rtol=1e-5)
    np.testing.assert_allclose(found.cost, 9 / before.posterior.scale**2 * plain.cost, rtol=1e-5)
    np.testing.assert_array_equal(found.T_cam_obj, plain.T_cam_obj)


def test_one_camera_serves_all(trial: Trial) -> None:
    K = trial.predictions.K
    several, one = asked(trial, K=np.stack([K[0]] * len(K))), asked(trial, K=K[0])
    np.testing.assert_array_equal(several.T_cam_obj, one.T_cam_obj)


def each_pose(found: Poses) -> np.ndarray:
    """All hypotheses (B, K, 4, 4)."""
    return found.T_cam_obj[:, None] if found.T_hypotheses is None else found.T_hypotheses


@pytest.mark.parametrize("hypotheses", [1, 2])
def test_the_pose_of_an_image_does_not_depend_on_its_neighbours(
    trial: Trial, tmp_path: Path, hypotheses: int
) -> None:
    """Alone, in another order, among others, and after a frame that is damaged."""
    state = load_checkpoint(trial.best)
    state["config"]["evaluation"]["hypotheses"] = hypotheses
    save_checkpoint(tmp_path / "best.pt", state)
    predictor, saved = Predictor(tmp_path / "best.pt", "cpu"), trial.predictions
    crops, boxes, ids = trial.crops.copy(), saved.crop.copy(), saved.object_id

    def poses(order: list[int]) -> Poses:
        return predictor(crops[order], saved.K[order], boxes[order], ids[order].tolist())

    order = [7, 3, 0, 11, 5, 2, 9, 1, 10, 4, 8, 6]
    together, shuffled = poses(list(range(12))), poses(order)
    boxes[4] = np.nan
    after_damage = poses(list(range(12)))
    assert after_damage.valid[4] == np.False_
    for index in (0, 3, 5, 11):
        rows = [
            (together, index),
            (shuffled, order.index(index)),
            (after_damage, index),
            (poses([index]), 0),
        ]
        for found, row in rows[1:]:
            first, other = (each_pose(p)[r] for p, r in (rows[0], (found, row)))
            np.testing.assert_allclose(other[..., :3, 3], first[..., :3, 3], rtol=0, atol=1e-5)
            turned = np.swapaxes(other[..., :3, :3], -1, -2) @ first[..., :3, :3]
            assert np.degrees(np.linalg.norm(turned - np.eye(3), axis=(-2, -1)) / np.sqrt(2)).max() < 1e-3
