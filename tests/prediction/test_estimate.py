"""An estimate as JSON: plain numbers, and null for what is not finite."""

import json

import numpy as np

from epropnp.prediction.estimate import Estimate


def estimate(valid: bool) -> Estimate:
    T = np.eye(4)
    T[:3, 3] = (0.1, -0.2, 0.75)
    return Estimate(
        object_id=6,
        object="cat",
        box=np.array([1.0, 2, 30, 40]),
        T_cam_obj=T,
        covariance=np.diag([1e-6, 1e-6, 1e-4, 1e-3, 1e-3, np.inf]),
        T_hypotheses=np.stack([T, T]),
        probability=np.array([0.75, 0.25]),
        radius_m=0.01,
        radius_deg=np.nan,
        log_evidence=-3.5,
        effective_samples=100.0,
        cost=2.0,
        valid=valid,
        overlap=0.5,
        equal_poses=2,
    )


def test_a_row_is_strict_json_that_says_what_it_means() -> None:
    row = json.loads(json.dumps(estimate(True).row(), allow_nan=False))
    assert row["T_cam_obj"][2] == [0, 0, 1, 0.75]
    assert row["covariance"]["matrix"][2][2] == 1e-4
    assert row["covariance"]["matrix"][5][5] is None
    assert row["covariance"]["order"] == ["tx", "ty", "tz", "rx", "ry", "rz"]
    assert [each["probability"] for each in row["hypotheses"]] == [0.75, 0.25]
    assert row["credible_region"] == {"level": 0.95, "translation_m": 0.01, "rotation_deg": None}
    assert (row["object"], row["object_id"], row["given_box"]) == ("cat", 6, [1, 2, 30, 40])
    assert (row["log_evidence"], row["effective_samples"], row["overlap"]) == (-3.5, 100, 0.5)


def test_without_a_valid_pose_none_is_given() -> None:
    row = estimate(False).row()
    assert row["valid"] is False
    assert row["T_cam_obj"] is None
