"""The picture of calibration: its curve counts right, its file can be read."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from epropnp.errors import UserError
from epropnp.evaluation.calibration import Calibration
from epropnp.visualization.calibration import coverage_curve, save_calibration


def calibration(images: int, sampled: bool) -> Calibration:
    rng = np.random.default_rng(0)
    return Calibration(
        object_id=np.zeros(images, int),
        level_sampled=rng.random(images) if sampled else None,
        level_covariance=rng.random(images),
        negative_log_likelihood=None,
        translation_error_m=rng.random(images),
        translation_std_m=rng.random(images),
        rotation_error_deg=rng.random(images),
        rotation_std_deg=rng.random(images),
        left_out=3,
    )


def test_the_curve_counts_the_images_up_to_each_level() -> None:
    curve = coverage_curve(np.array([0.0, 0.1, 0.5, 1.0]))
    assert [curve[percent] for percent in (0, 9, 10, 50, 99, 100)] == [0.25, 0.25, 0.5, 0.75, 0.75, 1]


@pytest.mark.slow
@pytest.mark.parametrize(("images", "sampled"), [(200, True), (5, False), (0, True)])
def test_the_picture_is_written(images: int, sampled: bool, tmp_path: Path) -> None:
    save_calibration(calibration(images, sampled), tmp_path / "c.png")
    picture = cv2.imread(str(tmp_path / "c.png"))
    assert picture is not None
    assert picture.shape[1] == 14 * 120


@pytest.mark.slow
def test_a_picture_shows_nothing_of_those_before(tmp_path: Path) -> None:
    kinds = [(5, False), (200, True), (0, False), (5, False), (0, False)]
    for k, (images, sampled) in enumerate(kinds):
        save_calibration(calibration(images, sampled), tmp_path / f"{k}.png")
    first, _, none, again, none_again = (cv2.imread(str(tmp_path / f"{k}.png")) for k in range(len(kinds)))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(none, none_again)
    assert np.any(first != none)


def test_a_picture_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot write .*c\.png"):
        save_calibration(calibration(5, True), tmp_path / "nowhere" / "c.png")
