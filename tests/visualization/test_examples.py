"""Rows of one image: the contours are those of the poses, and translations are told from the true place."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from epropnp.errors import UserError
from epropnp.visualization.examples import (
    POSE_COLOUR,
    TRUE_COLOUR,
    Example,
    ExampleRow,
    common_reach,
    draw_contours,
    example_figure,
    nearest_truth,
    save_example,
    shifts_mm,
)
from tests.pictures import picture_in
from tests.visualization.test_posterior import BALL, HALF_TURN, K_CROP, T, picture


def moved(x_m: float) -> np.ndarray:
    T_moved = T.copy()
    T_moved[0, 3] += x_m
    return T_moved


def example(**changed: object) -> Example:
    rows = [
        ExampleRow(label="first", verdict="ADD 1.0 mm = 0.010 d", right=True, picture=picture()),
        ExampleRow(label="second", verdict="ADD 90.0 mm = 0.900 d", right=False, reason="not kept"),
    ]
    made = Example(title="The best", subtitle="ball, image 3", rows=rows, T_true=moved(0.001))
    return replace(made, **changed)  # type: ignore[arg-type]


def test_contours_lie_where_the_poses_put_the_object() -> None:
    """A ball of 4 cm half a metre away, f = 300 px: a radius of 24 px, and 1 cm to the right is 6 px."""
    axes = Figure().add_subplot()
    draw_contours(axes, picture(), moved(0.01))
    lines = {
        to_hex(line.get_color()).upper(): np.asarray(line.get_xydata())
        for line in axes.lines
        if line.get_color() != "black"
    }
    assert set(lines) == {POSE_COLOUR, TRUE_COLOUR}
    for colour, x_m in ((POSE_COLOUR, 0.01), (TRUE_COLOUR, 0.02)):
        middle = (lines[colour].max(axis=0) + lines[colour].min(axis=0)) / 2
        expected = K_CROP[:2, :2] @ [x_m / 0.5, -0.02 / 0.5] + K_CROP[:2, 2]
        np.testing.assert_allclose(middle, expected, atol=1.0)
        radius = np.linalg.norm(lines[colour] - middle, axis=1)
        np.testing.assert_allclose(radius, 24.0, atol=1.5)


def test_the_truth_is_the_equal_pose_that_is_turned_least() -> None:
    symmetric = replace(BALL, symmetries=np.stack([np.eye(4), HALF_TURN]))
    seen = picture(model=symmetric)
    np.testing.assert_allclose(nearest_truth(seen, T @ HALF_TURN), T, atol=1e-12)
    np.testing.assert_allclose(nearest_truth(picture(), T @ HALF_TURN), T @ HALF_TURN)
    np.testing.assert_allclose(shifts_mm(seen, moved(0.01)), seen.shift_mm - [10, 0, 0], atol=1e-9)


def test_a_row_that_is_far_off_does_not_make_dots_of_the_others() -> None:
    near, far = np.array([[1.0, 9.0, 2.0]] * 3), np.array([[1000.0, 0, 3000.0]] * 3)
    np.testing.assert_allclose(common_reach([near, 2 * near]), [2.3, 4.6], rtol=0.01)
    np.testing.assert_allclose(common_reach([near, near, far]), [4.6, 9.2], rtol=0.01)


def test_what_is_said_of_each_row_stands_in_the_figure(tmp_path: Path) -> None:
    shown = example(note="3 more settings are not drawn")
    texts = [text.get_text() for text in example_figure(shown).texts]
    for said in (shown.title, shown.subtitle, "first", "second", "not kept", shown.note):
        assert said in texts
    assert "right:  ADD 1.0 mm = 0.010 d" in texts
    assert "wrong:  ADD 90.0 mm = 0.900 d" in texts
    save_example(shown, tmp_path / "example.png")
    assert picture_in(tmp_path / "example.png").shape[1] == 1000
    assert (tmp_path / "example.png").stat().st_size < 250_000


def test_an_example_without_any_network_is_refused() -> None:
    with pytest.raises(UserError, match="no network"):
        example_figure(example(rows=example().rows[1:]))
