"""What is written of a record, exactly at the limits: one value on it, one just beyond it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from epropnp.data.writer import write_records
from tests.data.sets import make_record


@pytest.mark.parametrize(("x", "written"), [(0, True), (28, True), (29, False), (-1, False)])
def test_a_map_may_touch_the_crops_edges(x: int, written: bool, tmp_path: Path) -> None:
    """Twelve columns in a crop of forty."""
    record = replace(
        make_record(0, 40), mask=np.zeros((10, 12), np.uint8), coords=np.zeros((10, 12, 3), np.uint16)
    )
    for axis in (0, 1):
        origin = record.crop_origin.copy()
        origin[axis] += x + (2 * axis if x > 0 else 0)  # ten rows
        moved = replace(record, map_origin=origin)
        if written:
            assert write_records(tmp_path / "a", [moved]) == 1
            continue
        with pytest.raises(ValueError, match="map_origin"):
            write_records(tmp_path / "a", [moved])
