"""Numbers of JSON files: exact, and errors that say where."""

from decimal import Decimal
from pathlib import Path

import numpy as np

from epropnp.json_files import metres, numbers, read_json
from pipelines.building.bop_export import json_text


def test_millimetres_become_exactly_the_metres_they_were_made_of(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = (rng.normal(size=3000) * 10.0 ** rng.integers(-9, 2, 3000)).tolist()
    file = tmp_path / "table.json"
    file.write_text(json_text({"t": [Decimal(repr(v)).scaleb(3) for v in values], "R": values}))
    table = read_json(file)
    np.testing.assert_array_equal(metres(table, "t", 3000, file, "it"), values)
    np.testing.assert_array_equal(numbers(table, "R", 3000, file, "it"), values)
    products = np.array([float(v) for v in table["t"]]) * 0.001
    assert 0.1 < np.mean(products != values) < 0.9, "the usual way is off by a bit in many"
