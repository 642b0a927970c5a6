"""Metrics against values computed by hand, and on the ground truth itself."""

import dataclasses

import numpy as np
import pytest
from scipy.integrate import simpson
from scipy.spatial.distance import cdist

from epropnp.evaluation import metrics
from epropnp.evaluation.pose_errors import pose_errors
from epropnp.evaluation.scores import score
from tests.evaluation.known_errors import POINTS, K, model, pose, predictions, turn


def test_ground_truth_scores_100_everywhere() -> None:
    rng = np.random.default_rng(0)
    rotations = np.linalg.qr(rng.normal(size=(70, 3, 3)))[0]
    rotations *= np.linalg.det(rotations)[:, None, None]
    T = np.concatenate([pose(R, (0.1, -0.1, 0.6 + 0.005 * i)) for i, R in enumerate(rotations)])
    for symmetric in (False, True):
        scores = score(predictions(T, T), {6: model(symmetric=symmetric)})
        area = scores.pop("add_area")
        # The study's last step is missing. Strict `<` makes the accuracy at threshold 0 zero: Simpson's first
        # node costs a third of a step.
        assert area == pytest.approx(100 - 0.1 - 0.1 / 3, abs=1e-5)
        assert list(scores.values()) == pytest.approx([100] * len(scores), abs=1e-9)


def test_shift_along_x_by_hand() -> None:
    T_true, T_pred = pose(), pose(t=(0.003, 0, 1))
    assert metrics.add_error(T_pred, T_true, POINTS)[0] == pytest.approx(0.003, abs=1e-15)
    assert metrics.translation_error_m(T_pred, T_true)[0] == pytest.approx(0.003, abs=1e-15)
    pixels = metrics.projection_error_px(T_pred, T_true, POINTS, K[None])
    assert pixels[0] == pytest.approx(572.4114 * 0.003, abs=1e-12)
    scores = score(predictions(T_pred, T_true), {6: model()})
    assert (scores["add_0.02d"], scores["add_0.05d"], scores["add_0.10d"]) == (0, 100, 100)
    assert scores["add_mean3"] == pytest.approx(200 / 3)
    # accuracy is a step at 0.03 of the diameter: the area on [0, 0.1) is 70 % less the last step
    assert scores["add_area"] == pytest.approx(69.9, abs=0.05)
    assert scores["add_auc_10cm"] == pytest.approx(97)
    assert scores["2deg2cm"] == 100
    # 0.03 of the diameter and 1.72 px lie below every threshold of BOP
    assert (scores["mssd_ar"], scores["mspd_ar"]) == (100, 100)
    assert (scores["proj_2px"], scores["proj_5px"]) == (100, 100)


def test_turn_about_z_by_hand() -> None:
    angle_deg = 4.0
    T_pred, T_true = pose(turn("z", angle_deg)), pose()
    chord = 2 * 0.05 * np.sin(np.radians(angle_deg) / 2)
    assert metrics.add_error(T_pred, T_true, POINTS)[0] == pytest.approx(chord, abs=1e-15)
    scores = score(predictions(T_pred, T_true), {6: model()})
    assert (scores["2deg2cm"], scores["5deg5cm"]) == (0, 100)
    assert scores["degcm_mean_1_10"] == pytest.approx(60)  # n = 5 ... 10: `4 < 4` is false


def test_closest_point_error_forgives_a_symmetry() -> None:
    T_pred, T_true = pose(turn("z", 90)), pose()
    assert metrics.add_error(T_pred, T_true, POINTS)[0] == pytest.approx(0.05 * np.sqrt(2))
    assert metrics.adi_error(T_pred, T_true, POINTS)[0] == pytest.approx(0, abs=1e-15)


def test_closest_point_errors_are_the_same_on_any_number_of_threads() -> None:
    rng = np.random.default_rng(3)
    points = rng.uniform(-0.05, 0.05, (3000, 3))
    T_pred = np.concatenate([pose(turn("z", angle), (0.01, 0, 1)) for angle in rng.uniform(0, 360, 5)])
    T_true = np.repeat(pose(), 5, axis=0)
    one, *others = (metrics.adi_error(T_pred, T_true, points, threads) for threads in (1, 2, 5, -1))
    at = [metrics.transform(T, points) for T in (T_true, T_pred)]  # (5, 3, P) each, in the camera's frame
    closest = [cdist(true.T, found.T).min(1).mean() for true, found in zip(*at, strict=True)]
    np.testing.assert_allclose(one, closest, rtol=1e-12)
    for other in others:
        np.testing.assert_array_equal(other, one)


def test_eggbox_is_remeasured_after_half_a_turn_and_glue_is_not() -> None:
    T_pred, T_true = pose(turn("z", 181)), pose()
    assert score(predictions(T_pred, T_true), {6: model("eggbox", True)})["2deg2cm"] == 100
    assert score(predictions(T_pred, T_true), {6: model("glue", True)})["10deg10cm"] == 0


def test_the_eggboxs_projection_is_measured_after_the_same_half_turn() -> None:
    for angle_deg, px in ((180, 0.0), (181, 572.4114 * 0.05 * np.radians(1))):
        T_pred = pose(turn("z", angle_deg))
        eggbox = pose_errors(predictions(T_pred, pose()), {6: model("eggbox", True)}).projection_px[0]
        assert eggbox == pytest.approx(px, rel=0.3, abs=1e-9)
        glue = pose_errors(predictions(T_pred, pose()), {6: model("glue", True)}).projection_px[0]
        assert glue > 30


@pytest.mark.parametrize("angle_deg", [0.0, 1e-5, 0.01, 1.0, 89.0, 179.0, 180.0])
def test_rotation_error_is_exact_from_tiny_to_half_a_turn(angle_deg: float) -> None:
    found = metrics.rotation_error_deg(turn("x", angle_deg)[None], np.eye(3)[None])[0]
    assert found == pytest.approx(angle_deg, rel=1e-6, abs=1e-12)


def test_thresholds_are_strict() -> None:
    assert metrics.below(np.array([0.1, 0.0999999]), 0.1).tolist() == [0, 100]


def test_a_pose_that_is_not_finite_is_a_miss() -> None:
    T_pred = np.concatenate([pose(), np.full((1, 4, 4), np.nan)])
    T_true = np.concatenate([pose(), pose()])
    for symmetric in (False, True):
        scores = score(predictions(T_pred, T_true), {6: model(symmetric=symmetric)})
        assert scores["add_0.10d"] == scores["5deg5cm"] == scores["proj_20px"] == 50


def test_objects_are_averaged_not_images() -> None:
    T_true = np.concatenate([pose()] * 4)
    T_pred = np.concatenate([pose(), pose(), pose(), pose(t=(1, 0, 1))])
    mixed = predictions(T_pred, T_true)
    mixed.object_id[3] = 7
    assert score(mixed, {6: model(), 7: model("cup")})["add_0.10d"] == 50


def test_bop_errors_by_hand() -> None:
    half_turns = np.stack([np.eye(4), pose(turn("z", 180), (0, 0, 0))[0]])
    T_true, T_pred = pose(), pose(turn("z", 180), (0.003, 0.004, 1))
    shift = metrics.mssd_error(T_pred, T_true, POINTS, half_turns)
    assert shift[0] == pytest.approx(0.005, abs=1e-12)
    assert metrics.mssd_error(T_pred, T_true, POINTS, half_turns[:1])[0] == pytest.approx(0.104043, abs=1e-6)
    pixels = metrics.mspd_error(T_pred, T_true, POINTS, K[None], half_turns)
    assert pixels[0] == pytest.approx(np.hypot(572.4114 * 0.003, 573.57043 * 0.004), abs=1e-9)
    # 0.0501, 0.12 and 0.6 of the diameter lie below 9, 8 and none of 0.05, 0.10, ... 0.50
    relative = np.array([0.0501, 0.12, 0.6, np.nan])
    assert metrics.mean_recall(relative, np.arange(1, 11) * 0.05).tolist() == [90, 80, 0, 0]


def test_mspd_is_measured_in_images_640_px_wide() -> None:
    T_true, T_pred = pose(), pose(t=(0.02, 0, 1))  # 11.4 px: below 15, 20, ... 50
    assert score(predictions(T_pred, T_true), {6: model()})["mspd_ar"] == 80
    wide = dataclasses.replace(predictions(T_pred, T_true), image_size=np.array([[1280.0, 960]]))
    assert score(wide, {6: model()})["mspd_ar"] == 90  # 5.7 px


def test_areas_by_hand() -> None:
    errors = np.array([0.0, 0.025, 0.0999, 0.1, np.nan])
    np.testing.assert_allclose(metrics.exact_area(errors, 0.1), [100, 75, 0.1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(metrics.simpson_area(errors, 0.1), [100, 75, 0.1, 0, 0], atol=0.15)


@pytest.mark.parametrize(("limit", "nodes"), [(0.1, 1000), (0.02, 1000), (0.37, 10), (10.0, 4)])
def test_the_weights_of_thresholds_are_scipys_to_the_last_digit(limit: float, nodes: int) -> None:
    thresholds = limit * np.arange(nodes) / nodes
    expected = simpson(np.eye(nodes), x=thresholds, axis=1)
    np.testing.assert_array_equal(metrics.simpson_weights(limit, nodes), expected)
