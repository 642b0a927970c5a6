"""Half pixels of the contact sheet: what is drawn lies where the enlarged picture beneath it has it."""

from dataclasses import replace

import numpy as np
import pytest

from pipelines import contact_sheet
from tests.data.sets import make_model, make_record


def test_the_contact_sheet_draws_on_the_enlarged_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    """24 pixels on 192: pixel c lies at (c + 1/2) 8 - 1/2, four right of and below its first tile pixel."""
    drawn: list[list[tuple[int, int]]] = []
    monkeypatch.setattr(contact_sheet, "_draw_box", lambda tile, corners: drawn.append(corners))
    monkeypatch.setattr(contact_sheet, "_draw_axes", lambda *_: None)
    monkeypatch.setattr(contact_sheet, "_draw_outline", lambda *_: None)
    monkeypatch.setattr(contact_sheet, "_window", lambda *_: ((100, 70), 24))
    low = np.array([-0.01, -0.02, 0.0])
    model = replace(make_model(), bounds_min=low, bounds_max=np.array([0.02, 0.01, 1e-9]))
    T = np.eye(4)
    T[2, 3] = 1.0
    record = replace(
        make_record(0),
        K=np.array([[200.0, 0, 112.1], [0, 200, 84.1], [0, 0, 1]]),
        T_cam_obj=T,
        rgb=np.zeros((24, 24, 3), np.uint8),
        crop_origin=np.array([100, 70]),
        map_origin=np.array([104, 74]),
        mask=np.zeros((8, 8), np.uint8),
        coords=np.zeros((8, 8, 3), np.uint16),
        box=np.array([104, 74, 8, 8], np.float32),
    )
    contact_sheet._tiles(record, model)
    # x: 112.1 - 2 and + 4, pixels 10.1 and 16.1 of the square; y: 84.1 - 4 and + 2, pixels 10.1 and 16.1.
    edge = {10: round(10.6 * 8 - 0.5), 16: round(16.6 * 8 - 0.5)}
    assert set(drawn[0]) == {(edge[x], edge[y]) for x in (10, 16) for y in (10, 16)}
