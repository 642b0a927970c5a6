"""Folders of sweeps whose trials never ran, with the prediction files of `graded`."""

import dataclasses
from pathlib import Path

from epropnp.training.record import Record
from epropnp.training.result import TrialResult
from sweeps.folder import open_sweep
from sweeps.space import Axis
from tests.sweeps import graded
from tests.sweeps.cells import cells_of, tiny_recipe

DATA, TEST = "0123456789ab", "ba9876543210"


def finish(
    sweep: Path,
    result: TrialResult,
    backbone: str,
    seed: int = 0,
    *,
    rate: float = 1e-3,
    data: str = DATA,
    test_id: str = TEST,
) -> Path:
    """A trial with the predictions of one of the graded ones; its folder."""
    folder = begin(sweep, backbone, seed, rate=rate, data=data)
    graded.write(backbone, folder)
    scores = {key: graded.percent(backbone, key) for key in graded.COUNTS}
    record = Record(
        status="finished",
        started="2026-01-02T03:04:05+00:00",
        ended="2026-01-02T04:05:06+00:00",
        host="node7",
        device="cpu",
        commit="c0ffee",
        dataset_id=data,
        test_id=test_id,
    )
    record.write(folder)
    done = dataclasses.replace(
        result, backbone=backbone, seed=seed, dataset_id=data, test=scores, test_images=len(graded.OBJECT_ID)
    )
    (folder / "result.json").write_text(done.to_json())
    return folder


def begin(sweep: Path, backbone: str, seed: int = 0, *, rate: float = 1e-3, data: str = DATA) -> Path:
    """The folder of a trial that has not got anywhere."""
    opened = open_sweep(sweep)
    cells = cells_of(tiny_recipe(), Axis.of("optim.lr", [rate]), backbones=[backbone], seeds=[seed])
    (trial,) = opened.planned(cells, data)
    return opened.prepare(trial)
