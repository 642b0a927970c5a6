"""What a call of a sweep says before anything starts."""

import math
from pathlib import Path

import pytest

from epropnp.errors import UserError
from sweeps.sweep import run


@pytest.mark.parametrize("margin", [0.0, -1.0, math.nan, math.inf])
def test_a_margin_within_which_nothing_can_lie_is_refused(margin: float, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"--margin: {margin} is not a finite number above 0"):
        run([], "data/none", tmp_path / "mine", margin=margin)
    assert not (tmp_path / "mine").exists()
