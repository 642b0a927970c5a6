"""Metrics against values computed by hand, and on the ground truth itself."""

import numpy as np
import pytest

from epropnp.data.format import ObjectModel
from epropnp.errors import UserError
from epropnp.evaluation import metrics
from epropnp.evaluation.predictions import Predictions
from epropnp.evaluation.scores import score

K = np.array([[572.4114, 0, 325.2611], [0, 573.57043, 242.04899], [0, 0, 1]])
POINTS = np.array([[0.05, 0, 0], [-0.05, 0, 0], [0, 0.05, 0], [0, -0.05, 0]])


def turn(axis: str, angle_deg: float) -> np.ndarray:
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    if axis == "z":
        return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def pose(R: np.ndarray | None = None, t: tuple[float, float, float] = (0, 0, 1)) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3] = np.eye(3) if R is None else R
    T[:3, 3] = t
    return T[None]


def model(name: str = "cat", symmetric: bool = False) -> ObjectModel:
    return ObjectModel(
        object_id=6,
        name=name,
        diameter_m=0.1,
        bounds_min=POINTS.min(0),
        bounds_max=POINTS.max(0),
        symmetric=symmetric,
        symmetries=np.eye(4)[None],
        points=POINTS.astype(np.float32),
    )


def predictions(T_pred: np.ndarray, T_true: np.ndarray) -> Predictions:
    n = len(T_pred)
    return Predictions(
        sample_id=[f"s{i}" for i in range(n)],
        object_id=np.full(n, 6, np.int16),
        T_pred=T_pred,
        T_true=T_true,
        K=np.repeat(K[None], n, 0),
        covariance=np.zeros((n, 6, 6)),
        cost=np.zeros(n),
    )


def test_ground_truth_scores_100_everywhere() -> None:
    rng = np.random.default_rng(0)
    rotations = np.linalg.qr(rng.normal(size=(70, 3, 3)))[0]
    rotations *= np.linalg.det(rotations)[:, None, None]
    T = np.concatenate([pose(R, (0.1, -0.1, 0.6 + 0.005 * i)) for i, R in enumerate(rotations)])
    for symmetric in (False, True):
        scores = score(predictions(T, T), {6: model(symmetric=symmetric)})
        area = scores.pop("add_area")
        # Strict `<` makes the accuracy at threshold 0 zero: Simpson's first node costs a third of a step.
        assert area == pytest.approx(100 - 100 / 3000, abs=1e-9)
        assert set(scores.values()) == {100.0}


def test_shift_along_x_by_hand() -> None:
    T_true, T_pred = pose(), pose(t=(0.003, 0, 1))
    assert metrics.add_error(T_pred, T_true, POINTS)[0] == pytest.approx(0.003, abs=1e-15)
    assert metrics.translation_error_m(T_pred, T_true)[0] == pytest.approx(0.003, abs=1e-15)
    pixels = metrics.projection_error_px(T_pred, T_true, POINTS, K[None])
    assert pixels[0] == pytest.approx(572.4114 * 0.003, abs=1e-12)
    scores = score(predictions(T_pred, T_true), {6: model()})
    assert (scores["add_0.02d"], scores["add_0.05d"], scores["add_0.10d"]) == (0, 100, 100)
    assert scores["add_mean3"] == pytest.approx(200 / 3)
    # accuracy is a step at 0.03 of the diameter: the area on [0, 0.1] is 70 %
    assert scores["add_area"] == pytest.approx(70, abs=0.1)
    assert scores["2deg2cm"] == 100
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


def test_eggbox_is_remeasured_after_half_a_turn_and_glue_is_not() -> None:
    T_pred, T_true = pose(turn("z", 181)), pose()
    assert score(predictions(T_pred, T_true), {6: model("eggbox", True)})["2deg2cm"] == 100
    assert score(predictions(T_pred, T_true), {6: model("glue", True)})["10deg10cm"] == 0


@pytest.mark.parametrize("angle_deg", [0.0, 1e-5, 0.01, 1.0, 89.0, 179.0, 180.0])
def test_rotation_error_is_exact_from_tiny_to_half_a_turn(angle_deg: float) -> None:
    found = metrics.rotation_error_deg(turn("x", angle_deg)[None], np.eye(3)[None])[0]
    assert found == pytest.approx(angle_deg, rel=1e-6, abs=1e-12)


def test_thresholds_are_strict() -> None:
    assert metrics.accuracy(np.array([0.1, 0.0999999]), 0.1) == 50


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


def test_prediction_file_round_trip(tmp_path) -> None:  # type: ignore[no-untyped-def]
    written = predictions(np.concatenate([pose(turn("x", 3)), pose()]), np.concatenate([pose(), pose()]))
    written.write(tmp_path / "p.parquet")
    read = Predictions.read(tmp_path / "p.parquet")
    assert read.sample_id == written.sample_id
    np.testing.assert_array_equal(read.T_pred, written.T_pred)
    np.testing.assert_array_equal(read.K, written.K)
    with pytest.raises(UserError, match=r"missing\.parquet"):
        Predictions.read(tmp_path / "missing.parquet")
