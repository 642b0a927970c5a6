"""The page in a folder takes the pictures that lie there, as many as it has room for."""

import base64
import re
from pathlib import Path

import pytest

from epropnp.training.result import TrialResult
from sweeps.folder import open_sweep
from sweeps.results import report_page
from sweeps.results.findings import find
from sweeps.results.joined import join
from sweeps.results.report_page import write_page
from tests.sweeps import graded
from tests.sweeps.made_sweeps import finish


def test_pictures_stand_in_their_order_as_long_as_there_is_room(
    tmp_path: Path, result: TrialResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    for backbone in graded.SHIFT_M:
        finish(tmp_path / "one", result, backbone)
    sweep = open_sweep(tmp_path / "one")
    pictures = {
        "figures/accuracy.png": b"accuracy",
        "figures/differences.png": b"differences",
        "figures/stray.png": b"of another version",
        "examples/best.png": b"the best one",
        "examples/flip.png": b"too large" * 9,
    }
    for name, png in pictures.items():
        (tmp_path / "page" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "page" / name).write_bytes(png)
    monkeypatch.setattr(report_page, "ROOM", 60)
    file = tmp_path / "page" / "report.html"
    write_page(find(join([sweep]), "one"), [sweep], file)
    shown = re.findall(r"data:image/png;base64,([\w+/=]+)", file.read_text())
    assert [base64.b64decode(each) for each in shown] == [b"differences", b"accuracy", b"the best one"]
