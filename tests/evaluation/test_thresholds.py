"""Every score exactly at its thresholds: all comparisons are strict, as in the study and in BOP."""

import numpy as np
import pytest
from scipy.integrate import simpson

from epropnp.evaluation import metrics
from epropnp.evaluation.pose_errors import PoseErrors
from epropnp.evaluation.scores import image_scores
from tests.evaluation.known_errors import pose, turn


def scores_of(**errors: float) -> dict[str, float]:
    """Scores of one image of an object of 1 m, without error but for what is given."""
    none = dict.fromkeys(("add_m", "angle_deg", "shift_m", "projection_px", "mssd_m", "mspd_px"), 0.0)
    rows = {name: np.array([value]) for name, value in (none | errors | {"diameter_m": 1.0}).items()}
    return {key: found[0] for key, found in image_scores(PoseErrors(object_id=np.array([6]), **rows)).items()}


@pytest.mark.parametrize(
    ("name", "threshold", "key"),
    [
        *(("add_m", t, f"add_{t:.2f}d") for t in (0.02, 0.05, 0.10)),
        *(("projection_px", t, f"proj_{t}px") for t in (2, 5, 10, 20)),
        *(("angle_deg", n, f"{n}deg{n}cm") for n in (2, 5, 10)),
        *(("shift_m", n / 100, f"{n}deg{n}cm") for n in (2, 5, 10)),
    ],
)
def test_an_error_at_the_threshold_is_a_miss_and_the_next_smaller_number_a_hit(
    name: str, threshold: float, key: str
) -> None:
    assert scores_of(**{name: threshold})[key] == 0
    assert scores_of(**{name: threshold * (1 - 1e-12)})[key] == 100


def test_degrees_and_centimetres_count_only_together() -> None:
    assert scores_of(angle_deg=4.9, shift_m=0.049)["5deg5cm"] == 100
    assert scores_of(angle_deg=4.9, shift_m=0.051)["5deg5cm"] == 0
    assert scores_of(angle_deg=5.1, shift_m=0.049)["5deg5cm"] == 0
    # 3.5 degrees lie below 4 ... 10, 6.5 cm below 7 ... 10; exactly 7 cm below 8 ... 10
    assert scores_of(angle_deg=3.5, shift_m=0.065)["degcm_mean_1_10"] == pytest.approx(40)
    assert scores_of(angle_deg=7.0)["degcm_mean_1_10"] == pytest.approx(30)
    assert scores_of(angle_deg=9.5)["degcm_mean_1_10"] == pytest.approx(10)
    assert scores_of(angle_deg=0.5)["degcm_mean_1_10"] == pytest.approx(100)


@pytest.mark.parametrize(("reached", "recall"), [(1, 90), (4, 60), (10, 0)])
def test_average_recalls_of_bop_at_their_thresholds(reached: int, recall: float) -> None:
    """An error at the k-th of ten thresholds lies below the ten minus k others."""
    diameters = np.arange(0.05, 0.51, 0.05)[reached - 1]
    assert scores_of(mssd_m=diameters * (1 + 1e-9))["mssd_ar"] == pytest.approx(recall)
    assert scores_of(mspd_px=5.0 * reached)["mspd_ar"] == pytest.approx(recall)
    assert scores_of(mspd_px=5.0 * reached - 1e-9)["mspd_ar"] == pytest.approx(recall + 10)


def test_the_area_at_a_threshold_of_its_grid() -> None:
    thresholds = 0.1 * np.arange(1000) / 1000  # the study's: 0 to 0.0999
    for error in (thresholds[0], thresholds[500], thresholds[999], 0.0999 + 1e-9, 0.1):
        expected = simpson(100.0 * (error < thresholds), x=thresholds) / 0.1
        assert scores_of(add_m=error)["add_area"] == pytest.approx(expected, abs=1e-9)
    # By hand for steps at 0.02 and 0.06: half of 80 and of 40 %, less the last step, but for a node's weight.
    both = [scores_of(add_m=error)["add_area"] for error in (0.02, 0.06)]
    assert np.mean(both) == pytest.approx(59.9, abs=0.05)


def test_the_area_up_to_ten_centimetres_takes_metres_and_not_diameters() -> None:
    rows = {"add_m": 0.025, "diameter_m": 0.1, "angle_deg": 0, "shift_m": 0, "projection_px": 0}
    errors = {
        name: np.array([float(value)]) for name, value in (rows | {"mssd_m": 0.026, "mspd_px": 0}).items()
    }
    found = image_scores(PoseErrors(object_id=np.array([6]), **errors))
    assert found["add_auc_10cm"][0] == pytest.approx(75)
    assert found["add_area"][0] == 0  # a quarter of the diameter
    assert found["mssd_ar"][0] == 50  # 0.26 of it lies below 0.30 ... 0.50


@pytest.mark.parametrize(
    ("axis", "angle_deg", "expected"),
    [("z", 89.0, 89), ("z", 91.0, 89), ("x", 89.0, 89), ("x", 100.0, 180), ("z", 180.0, 0)],
)
def test_above_ninety_degrees_the_angle_is_measured_again_even_where_it_grows(
    axis: str, angle_deg: float, expected: float
) -> None:
    T_near = metrics.turned_nearer(pose(turn(axis, angle_deg)), pose())
    found = metrics.rotation_error_deg(T_near[:, :3, :3], np.eye(3)[None])
    assert found[0] == pytest.approx(expected, abs=1e-5)
