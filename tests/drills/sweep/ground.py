"""What all drills share: a tiny dataset, four trials, an empty MLflow database, the undisturbed table."""

import csv
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient

from epropnp.command_line import parse
from epropnp.data.reader import ArrowDataset
from epropnp.training.recipes import RECIPES
from epropnp.training.trainer import Trainer
from sweeps.axes import space_of
from sweeps.called import PROG
from sweeps.flags import DESCRIPTION, SweepConfig
from sweeps.folder import Sweep, open_sweep
from sweeps.results.report import Reporter
from sweeps.results.tables import LATENCIES
from sweeps.space import plan
from sweeps.tracking.experiment import DATABASE, SQLITE

ROOT = Path(__file__).parents[3]
EPOCHS = 4
TIMES = ("seconds", *LATENCIES)  # columns of the table that differ from run to run
# Two networks, two seeds, seconds each.
TRIALS = f"""
    --recipe quick --backbones test_resnet test_convnext --seeds 0 1 --epochs {EPOCHS} --pretrained no
    --loss-weights 0.02 --check no --trials-at-once 2
    --set model.input_px=64 model.head_width=16 pnp.amis_samples=8 optim.batch_size=16 optim.precision=float32
    --set data.points=32 evaluation.proposals=4 evaluation.iterations=3
""".split()
Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Ground:
    """Made once for all drills.

    Attributes:
        dataset: folder of the built one.
        database: an empty one of MLflow: to make it takes seconds.
        names: of the trials.
        table: of a sweep that nothing disturbed, without times.
    """

    dataset: Path
    database: Path
    names: Sequence[str]
    table: Rows

    @property
    def words(self) -> list[str]:
        """Flags that say what is trained on what."""
        return [*TRIALS, "--data", str(self.dataset)]


def ground_in(folder: Path, kept: Path | None) -> Ground:
    """Make what is not there yet.

    Args:
        folder: for it.
        kept: where tests keep their datasets; None: nowhere.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dataset = _dataset(kept or folder)
    database = folder / DATABASE
    if not database.exists():
        MlflowClient(f"{SQLITE}{database}")  # makes tables, and no experiment, which has a place
    note = folder / "undisturbed.json"
    if not note.exists():
        sweep = _undisturbed(folder / "undisturbed", dataset)
        names = sorted(trial.name for trial in sweep.trials())
        note.write_text(json.dumps({"names": names, "table": table_of(sweep.folder)}))
    told = json.loads(note.read_text())
    return Ground(dataset=dataset, database=database, names=told["names"], table=told["table"])


def table_of(folder: Path) -> Rows:
    """The table of a sweep, without times."""
    with (folder / "table.csv").open() as stream:
        return [{k: v for k, v in row.items() if k not in TIMES} for row in csv.DictReader(stream)]


def _undisturbed(folder: Path, dataset: Path) -> Sweep:
    """Trials trained one after the other, without Ray."""
    shutil.rmtree(folder, ignore_errors=True)
    sweep, data = open_sweep(folder), ArrowDataset(dataset)
    config = parse(SweepConfig, DESCRIPTION, TRIALS, PROG)
    planned = sweep.planned(plan(space_of([config], RECIPES)).cells, data.dataset_id)
    for trial in planned:
        Trainer(trial.config, dataset, sweep.prepare(trial), "cpu").fit()
    Reporter(sweep, planned, {data.dataset_id: data}).report(draw=False)
    return sweep


def _dataset(folder: Path) -> Path:
    """As the tests have it: `tiny_dataset`."""
    from tests.photographs import write_photographs
    from tests.tiny_dataset import build_tiny

    photographs = folder / "photographs"
    if not photographs.is_dir():
        with tempfile.TemporaryDirectory(dir=folder) as made:
            write_photographs(Path(made) / "bop", resolution=40).rename(photographs)
    return build_tiny(photographs, folder / "datasets").resolve()
