"""Sweeps made by hand: their folders as a main job would have left them."""

import dataclasses
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from epropnp.training.record import Record, Status
from epropnp.training.result import Metrics, TrialResult
from sweeps.folder import Sweep, open_sweep
from tests.sweeps.cells import cells_of, tiny_recipe

DATASET = "0123456789ab"
HOLD = """
import sys
from pathlib import Path
from epropnp.claims import claimed
with claimed(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def history(*areas: float) -> tuple[Metrics, ...]:
    """One epoch after the other, of 10 s each; ADD 0.10d is twice the area."""
    return tuple(
        {"val/add_area": float(area), "val/add_0.10d": 2.0 * area, "time/seconds": 10.0 * epoch}
        for epoch, area in enumerate(areas)
    )


def a_sweep(out: Path, name: str, count: int = 4, command: Sequence[str] = ("--seeds", "0")) -> Sweep:
    """With so many trials of one network, none of which has begun."""
    cells = cells_of(tiny_recipe(), backbones=["test_resnet"], seeds=range(count))
    sweep = open_sweep(out / name).with_command(command)
    planned = sweep.planned(cells, DATASET)
    sweep = dataclasses.replace(sweep, planned_names=[trial.name for trial in planned])
    sweep.write()
    return sweep


def begin(sweep: Sweep, seed: int, status: Status, *areas: float, **more: Any) -> Path:
    """The folder of a trial that was begun; its record says what is given."""
    (cell,) = cells_of(tiny_recipe(), backbones=["test_resnet"], seeds=[seed])
    (planned,) = sweep.planned([cell], DATASET)
    folder = sweep.prepare(planned)
    Record(status=status, history=history(*areas), host="alpha", **more).write(folder)
    return folder


def finish(folder: Path, result: TrialResult) -> Path:
    """With a result, and all weights that a training writes."""
    (folder / "result.json").write_text(result.to_json())
    for name, size in (("best.pt", 1_000_000), ("checkpoint.pt", 3_000_000), ("epoch-0001.pt", 500_000)):
        (folder / name).write_bytes(bytes(size))
    for name in ("predictions.parquet", "validation.parquet"):
        (folder / name).write_bytes(b"predictions")
    return folder


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Another process claims a folder meanwhile."""
    words = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield
        finally:
            process.communicate()
