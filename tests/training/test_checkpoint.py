"""Checkpoints bring everything back that training goes on from, and run no code from a file."""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch

from epropnp.errors import UserError
from epropnp.training.checkpoint import Checkpoints, load_checkpoint, save_checkpoint
from epropnp.training.trainer import Trainer, TrialState
from tests.training.tiny import tiny, with_optim


class Runs:
    """Runs a command when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.file),)


def test_no_code_from_a_file_is_run(tmp_path: Path) -> None:
    torch.save({"state": Runs(tmp_path / "made")}, tmp_path / "checkpoint.pt")
    with pytest.raises(UserError, match=r"checkpoint\.pt cannot be read"):
        load_checkpoint(tmp_path / "checkpoint.pt")
    assert not (tmp_path / "made").exists()


def test_a_checkpoint_is_read_back_as_it_was(tmp_path: Path) -> None:
    state = {"x": torch.arange(3.0), "n": {"a": 1, "b": [1.5, "text", None]}}
    save_checkpoint(tmp_path / "new" / "a.pt", state)
    found = load_checkpoint(tmp_path / "new" / "a.pt")
    assert torch.equal(found.pop("x"), torch.arange(3.0))
    assert found == {"n": state["n"]}


def test_the_header_is_in_every_file_and_nothing_is_loaded_where_nothing_is(tmp_path: Path) -> None:
    files = Checkpoints(tmp_path / "trial", {"config": {"seed": 3}, "dataset_id": "ab"}, 2, 300)
    assert files.load() is None
    files.save({"net": {}})
    files.keep({"net": {"x": torch.ones(1)}}, 4, is_best=False)
    assert sorted(file.name for file in files.folder.iterdir()) == ["checkpoint.pt", "epoch-0004.pt"]
    files.keep({"net": {"x": torch.zeros(1)}}, 5, is_best=True)
    for name in ("checkpoint.pt", "epoch-0004.pt", "best.pt"):
        saved = load_checkpoint(files.folder / name)
        assert (saved["config"], saved["dataset_id"]) == ({"seed": 3}, "ab")
    assert float(files.load_best()["net"]["x"]) == 0
    assert not (files.folder / "epoch-0005.pt").exists()


def everything(trainer: Trainer) -> dict[str, Any]:
    """What training goes on from, copied."""
    return {
        "net": {k: v.clone() for k, v in trainer.net.state_dict().items()},
        "objective": {k: v.clone() for k, v in trainer.objective.state_dict().items()},
        "average": {k: v.clone() for k, v in trainer.updates.evaluated.state_dict().items()},
        "moments": {
            f"{i} {name}": value.clone()
            for i, own in trainer.updates.optimiser.state_dict()["state"].items()
            for name, value in own.items()
        },
        "scale": {"scale": torch.tensor(trainer.updates.scaler.get_scale())},
        "sums": {k: v.clone() for k, v in trainer._sums.items()},
    }


@pytest.fixture
def threads_restored() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_everything_comes_back(tiny_dataset: Path, tmp_path: Path) -> None:
    """Each tensor is given a value of its own, which no other start could have."""
    config = with_optim(precision="fp16", ema=0.9)
    config = dataclasses.replace(
        config, pnp=dataclasses.replace(config.pnp, learn_delta=True, amis_samples=4)
    )
    first = Trainer(config, tiny_dataset, tmp_path, "cpu")
    for parameter in first.net.parameters():
        parameter.grad = torch.rand_like(parameter)
    first.updates.optimiser.step()
    first.updates.scaler.load_state_dict(first.updates.scaler.state_dict() | {"scale": 128.0})
    with torch.no_grad():
        for i, module in enumerate((first.net, first.objective, first.updates.evaluated)):
            for value in module.state_dict().values():
                value.copy_(torch.full_like(value, 3 + i))
    first._sums = {"updates": torch.tensor(3.0), "loss": torch.tensor(0.1)}
    first.state = TrialState(
        epoch=2,
        step=3,
        skipped=4,
        overflows=5,
        seconds=0.0,
        best_epoch=1,
        weights_sha256="ab",
        history=[{"val/x": 1 / 3}, {"val/x": 2 / 3}],
    )
    first._save()
    expected = everything(first)
    assert expected["moments"]
    torch.manual_seed(1)
    second = Trainer(config, tiny_dataset, tmp_path, "cpu")
    second._restore()
    found = everything(second)
    for part, values in expected.items():
        assert sorted(found[part]) == sorted(values), part
        for name, value in values.items():
            assert torch.equal(found[part][name], value), (part, name)
    assert second.state == first.state


def test_a_trial_computes_on_as_many_threads_as_its_config_says(
    tiny_dataset: Path, tmp_path: Path, threads_restored: None
) -> None:
    """Sums are rounded by it. OpenCV, whose work is per image, stays on one."""
    cv2.setNumThreads(2)
    Trainer(tiny(threads=2), tiny_dataset, tmp_path, "cpu")
    assert torch.get_num_threads() == 2
    assert cv2.getNumThreads() == 1
