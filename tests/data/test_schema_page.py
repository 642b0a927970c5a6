"""The example on the page about the dataset format runs as it stands, without this project."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import BACKGROUND_SIDE, OBJECT_SCHEMA, RECORD_SCHEMA, SCHEMA_VERSION

PAGE = Path(__file__).parents[2] / "docs" / "data-format.md"


def test_the_example_reads_a_dataset_with_pyarrow_alone(tiny_dataset: Path, tmp_path: Path) -> None:
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
    assert "epropnp" not in code
    run = subprocess.run(
        [sys.executable, "-I", "-c", code, str(tiny_dataset)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    record = ArrowDataset(tiny_dataset).split("train")[0]
    side = record.rgb.shape[0]
    start, gap_px = run.stdout.splitlines()[0].rsplit(" ", 1)
    assert start == f"{record.sample_id} ({side}, {side}, 3) {np.count_nonzero(record.mask)}"
    assert float(gap_px) < 0.01


def test_the_page_names_every_column_and_the_version() -> None:
    text = PAGE.read_text()
    for name in (*RECORD_SCHEMA.names, *OBJECT_SCHEMA.names):
        assert f"`{name}`" in text, name
    assert f"| `schema_version` | {SCHEMA_VERSION}." in text
    assert f"{BACKGROUND_SIDE} x {BACKGROUND_SIDE} x 3 bytes" in text
