"""What a sweep costs beside its trials: until the first update, while they run, for each of many small ones.

python tests/bench/sweep_overhead.py --parts first seeds trivial

`first`: seconds from the command to the first update of a trial, the dataset being there.
`seeds`: eight seeds of one setting, a minute each or more, two at once: from the first one's start to the
last one's end, against half the sum of their own seconds; Ray's start and the report are not in it.
`trivial`: 200 trials of two updates with their records: seconds for each, from the first one's start to the
last one's end, beside those that Ray alone takes for trials which do nothing, and beside the processor's that
such a trial takes without Ray, records and pictures; growth of the driver's memory.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import tyro

from epropnp.training.recipes import RECIPES
from epropnp.training.record import Record
from epropnp.training.trainer import Trainer
from pipelines.building.build import BuildConfig, build
from sweeps.folder import open_sweep
from sweeps.running.cluster import environment
from sweeps.running.options import Options
from sweeps.space import Axis, Cell, Space, plan
from sweeps.sweep import run

ROOT = Path(__file__).parents[2]
TRIVIAL, SEEDS = 200, 8
SMALL = (
    *("model.input_px=64", "model.head_width=16", "pnp.amis_samples=8", "optim.precision=float32"),
    *("data.points=32", "evaluation.proposals=4", "evaluation.iterations=3"),
)


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """What is measured."""

    data: Path | None = None
    """A built dataset. Default: 64 renderings of a cat, made first in a temporary folder."""
    parts: tuple[str, ...] = ("first", "seeds", "trivial")
    epochs: int = 40
    """Of the eight seeds: a minute each, or more."""


def main() -> None:
    """Measure what is asked for."""
    config = tyro.cli(BenchConfig, description=__doc__)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        data = config.data or _data(place / "data")
        if "first" in config.parts:
            print(f"first update: {first_update_s(data, place):.1f} s after the command")
        if "seeds" in config.parts:
            seeds(data, place / "seeds", config.epochs)
        if "trivial" in config.parts:
            trivial(data, place / "trivial")


def _data(root: Path) -> Path:
    config = BuildConfig(objects=("cat",), train=64, validation=12, test=12, background_count=8, occluders=())
    return build(config, root, progress=False)


def first_update_s(data: Path, out: Path) -> float:
    """Seconds from the start of the main job to the first trial's first update, which follows its epoch 0."""
    command = [sys.executable, "sweeps/backbones.py", "--recipe", "quick", "--check", "no", "--out", str(out)]
    command += ["--name", "first", "--data", str(data), "--backbones", "test_resnet", "--seeds", "0", "1"]
    began_s = time.time()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        files = list[Path]()
        while process.poll() is None:
            files = list(out.glob("first/trials/*/checkpoint.pt"))  # of epoch 0, written just before
            if files:
                break
            time.sleep(0.02)
        process.terminate()
    assert files, "it ended before an update"
    return min(file.stat().st_mtime for file in files) - began_s


def seeds(data: Path, folder: Path, epochs: int) -> None:
    """Print what eight seeds take, two at once, against half the sum of their own seconds."""
    took_s, own_s = _run(_cells(SEEDS, epochs=epochs, batch=4), data, folder)
    print(
        f"{SEEDS} seeds: {took_s:.1f} s, trials' own {sum(own_s):.1f} s ({min(own_s):.0f} s and more): "
        f"{took_s / (sum(own_s) / 2):.3f} x half of that"
    )


def trivial(data: Path, folder: Path) -> None:
    """Print what 200 trials of two updates take each, Ray's own part of it, and the driver's memory."""
    floor_s = _floor_s()
    cells = _cells(TRIVIAL, epochs=1, batch=32)
    _run(cells[:10], data, folder / "few")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    took_s, own_s = _run(cells, data, folder / "all")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"{TRIVIAL} trivial trials: {took_s / TRIVIAL:.3f} s each, where each takes "
        f"{sum(own_s) / TRIVIAL:.3f} s on one of two places; Ray alone {floor_s:.3f} s each, the trainer "
        f"alone {_trainer_s(cells[:15], data, folder):.2f} s of a core; the driver grew by {grown:.0f} MB"
    )


def _cells(seeds: int, epochs: int, batch: int) -> Sequence[Cell]:
    """One toy network, with so many seeds."""
    own = [Axis.of("model.backbone", ["test_resnet"]), Axis.of("seed", range(seeds))]
    settings = (*SMALL, f"optim.epochs={epochs}", f"optim.batch_size={batch}")
    return plan(Space(recipes=[RECIPES["quick"]], axes=own, settings=settings)).cells


def _run(cells: Sequence[Cell], data: Path, folder: Path) -> tuple[float, list[float]]:
    """Seconds from the first start to the last end, and those of each trial, as their folders tell."""
    options = Options(at_once=2, check=False, known=False)
    outcome = run(cells, data, folder, options=options)
    assert outcome.code == 0
    records = [Record.read(each) for each in open_sweep(folder).trial_folders()]
    times = [(_seconds(r.started), _seconds(r.ended)) for r in records if r is not None]
    own_s = [end - start for start, end in times]
    return max(end for _, end in times) - min(start for start, _ in times), own_s


def _trainer_s(cells: Sequence[Cell], data: Path, folder: Path) -> float:
    """Seconds of a core that a trial takes as nothing but a training with its evaluations and checkpoints."""
    took_s = []
    for k, cell in enumerate(cells):
        began_s = time.process_time()
        trainer = Trainer(cell.config, data, folder / f"alone-{k}", "cpu")
        trainer.frames.images = 0
        trainer.fit()
        took_s.append(time.process_time() - began_s)
    return statistics.median(took_s)


def _seconds(text: str | None) -> float:
    assert text is not None
    return datetime.fromisoformat(text).timestamp()


def _floor_s() -> float:
    """Seconds for each of many trials that do nothing, by Ray Tune alone in the same way, two at once."""
    program = """if True:
        import tempfile, time
        from ray import tune
        import ray
        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        def nothing(space): tune.report({"a": 1})
        tuner = tune.Tuner(
            tune.with_resources(nothing, {"cpu": 1}), param_space={"a": tune.grid_search(list(range(200)))},
            tune_config=tune.TuneConfig(reuse_actors=True),
            run_config=tune.RunConfig(storage_path=tempfile.mkdtemp(), verbose=0))
        began = time.time(); tuner.fit(); print("took", time.time() - began)
    """
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | environment(None),
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1]) / TRIVIAL


if __name__ == "__main__":
    main()
