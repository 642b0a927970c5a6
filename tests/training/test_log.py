"""The log of a training: every process, every epoch once, what was warned of, how it ended."""

import logging
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from epropnp.training.guard import NonFiniteError
from epropnp.training.log import TrialLog
from epropnp.training.record import Recorder
from tests.training.tiny import tiny

DATA: Any = type("Data", (), {"dataset": type("Dataset", (), {"dataset_id": "0123"}), "test_id": "4567"})
CPU = torch.device("cpu")


def entries(folder: Path) -> list[str]:
    """Without their times, which they must have."""
    lines = (folder / "trial.log").read_text().splitlines()
    times = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ")
    return [times.sub("", line, count=1) for line in lines]


def test_two_processes_tell_of_each_epoch_once(tmp_path: Path) -> None:
    first = Recorder(tmp_path, tiny(), CPU, DATA)
    history = [{"val/add_area": 0.5}, {"train/loss": 2.0, "train/other": 9.0, "val/add_area": 1.25}]

    def train() -> None:
        first.note([])
        first.note(history[:1])
        first.note(history)
        logging.getLogger("epropnp.somewhere").warning("left out: %s", "a batch")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), first.recording():
        train()
    second = Recorder(tmp_path, tiny(), CPU, DATA)
    with second.recording():
        second.note(history)
        second.note([*history, {"train/loss": 1.0}])
    logging.getLogger("epropnp.somewhere").warning("of another training")
    found = entries(tmp_path)
    assert found[0].startswith("begins: ")
    assert found[1:5] == [
        "epoch 0: val/add_area 0.5",
        "epoch 1: train/loss 2, val/add_area 1.25",
        "left out: a batch",
        "waiting: interrupted after epoch 1",
    ]
    assert found[5].startswith("goes on after epoch 1: ")
    assert found[6:] == ["epoch 2: train/loss 1", "finished"]


@pytest.mark.parametrize("error", [NonFiniteError("lower the rate"), RuntimeError("ours")])
def test_it_ends_with_the_reason_and_where_it_is_ours_with_the_traceback(
    error: Exception, tmp_path: Path
) -> None:
    recorder = Recorder(tmp_path, tiny(), CPU, DATA)
    with pytest.raises(type(error)), recorder.recording():
        raise error
    found = entries(tmp_path)
    ours = isinstance(error, RuntimeError)
    assert found[0] == ("failed: RuntimeError: ours" if ours else "failed: lower the rate")
    assert found[1:2] == (["Traceback (most recent call last):"] if ours else [])
    assert (found[-1] == "RuntimeError: ours") is ours


def test_a_folder_that_is_gone_disturbs_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = TrialLog(tmp_path / "gone")
    with log.listening():
        log.say("nobody reads this")
    assert not (tmp_path / "gone").exists()
    assert capfd.readouterr() == ("", "")
