"""Half pixels of photographs as backgrounds: a ramp stays a ramp, cut at whole pixels."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.rendering.backgrounds import photograph_backgrounds
from tests.pipelines.ramps import origin_of, ramp


@pytest.mark.parametrize("size", [(150, 120), (800, 640)])
def test_background_photographs_keep_their_ramps(size: tuple[int, int], tmp_path: Path) -> None:
    """Enlarged and shrunk: the cut's origin, read off the cells' centres, is a whole pixel within it."""
    step = 250 / max(size)
    cv2.imwrite(str(tmp_path / "ramp.png"), ramp(*size, step)[..., ::-1])
    mirrored = 0
    for seed in range(12):
        picture = next(photograph_backgrounds([tmp_path / "ramp.png"], seed)).astype(float)
        row = picture[128, :, 0]
        if row[0] > row[-1]:
            row, mirrored = row[::-1], mirrored + 1
        column = picture[:, 128, 1]
        side = np.polyfit(np.arange(256), row / step, 1)[0] * 256
        assert 0.6 * size[1] - 1 <= side <= size[1] + 1
        whole_side = round(side)  # a square of whole pixels
        for line, length in ((row, size[0]), (column, size[1])):
            start = origin_of(line, whole_side / 256, step)
            assert abs(start - round(start)) < 0.15
            assert 0 <= round(start) <= length - whole_side
    assert 0 < mirrored < 12
