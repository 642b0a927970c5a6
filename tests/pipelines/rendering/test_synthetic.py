"""Rendered samples: half pixels of the backgrounds behind them."""

import numpy as np
import pytest

from pipelines.rendering.synthetic import _background
from tests.pipelines.ramps import origin_of, ramp


@pytest.mark.parametrize("side", [100, 400])
def test_backgrounds_of_renderings_keep_their_ramps(side: int) -> None:
    picture, mirrored = ramp(256, 256, 1.0), 0
    gaps: list[float] = []
    for seed in range(12):
        found = 255 * _background(np.random.default_rng(seed), [picture], side)
        row = found[side // 2, :, 0]
        if row[0] > row[-1]:
            row, mirrored = row[::-1], mirrored + 1
        patch = round(np.polyfit(np.arange(side)[8:-8], row[8:-8], 1)[0] * side)
        assert 128 <= patch <= 256
        for line in (row, found[:, side // 2, 1]):
            start = origin_of(line, patch / side, 1.0)
            gaps.append(start - round(start))
            assert 0 <= round(start) <= 256 - patch
    # By the rounding to grey levels, which OpenCV does downwards where it enlarges.
    assert np.abs(gaps).max() < 0.2
    assert 0 < mirrored < 12
