"""The peak of a trial's memory: of that trial alone, the most of all its processes, and no reason to fail."""

import json
from pathlib import Path

import numpy as np
import pytest

from sweeps import peak as module
from sweeps.peak import Peak, noted

MB = 2**20


def test_it_is_that_of_what_is_done_within_not_of_what_the_process_did_before(tmp_path: Path) -> None:
    before = np.ones(600 * MB, np.uint8)
    del before
    with noted(tmp_path):
        pass
    idle = Peak.read(tmp_path)
    with noted(tmp_path):
        within = np.ones(300 * MB, np.uint8)
        del within
    busy = Peak.read(tmp_path)
    assert idle is not None
    assert busy is not None
    assert not busy.on_device
    assert 250 * MB < busy.used_bytes - idle.used_bytes < 350 * MB


def test_the_most_of_all_processes_counts_and_a_failure_is_noted_too(tmp_path: Path) -> None:
    Peak(used_bytes=10**15, on_device=False).write(tmp_path)
    with pytest.raises(ValueError, match="within"), noted(tmp_path):
        raise ValueError("within")
    assert Peak.read(tmp_path) == Peak(used_bytes=10**15, on_device=False)
    Peak(used_bytes=5, on_device=True).write(tmp_path)  # gone on with on a GPU
    assert json.loads((tmp_path / "memory.json").read_text()) == {"used_bytes": 5, "on_device": True}


def test_where_it_cannot_be_told_from_an_earlier_trial_s_nothing_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLEAR_REFS", tmp_path / "no folder" / "clear_refs")
    with noted(tmp_path):
        pass
    assert Peak.read(tmp_path) is None


@pytest.mark.parametrize(
    "text", ["", "[]", '{"used_bytes": "many", "on_device": false}', '{"used_bytes": 1}']
)
def test_what_is_damaged_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "memory.json").write_text(text)
    assert Peak.read(tmp_path) is None


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with noted(tmp_path / "trial"):
        pass
    assert not (tmp_path / "trial").exists()
