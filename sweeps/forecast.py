"""What a sweep will cost: trials that are done already, epochs that are left, hours, disk.

The speed is the recorded one of trials of the same network on the same dataset, in any sweep of the working
folder; several trials at once are taken to share the machine as they did then.
"""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from epropnp.cores import local_cores
from epropnp.data.manifest import read_manifest
from epropnp.data.reader import ArrowDataset
from epropnp.data.remote import is_uri
from epropnp.data.schema import MANIFEST
from epropnp.errors import UserError
from epropnp.evaluation.table import Column, Layout, Table
from epropnp.training.config import TrialConfig
from sweeps.build_settings import Build
from sweeps.describe import parameters
from sweeps.folder import SWEEP_FILE, Sweep, open_sweep
from sweeps.known import finished_beside
from sweeps.results.read import labels_of
from sweeps.running.cluster import Node, share_out
from sweeps.running.keep import Keep, weights
from sweeps.running.options import AtOnce
from sweeps.search.grid import FINAL
from sweeps.space import Cell
from sweeps.trial import Trial

BYTES_PER_NUMBER = 4
KNOWN = "known"  # status of what another sweep has finished
MOMENTS = {"rmsprop": 1, "adamw": 2}  # numbers that an optimiser keeps for each parameter


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Of one trial.

    Attributes:
        name: of its folder.
        label: what tells it from the others.
        status: as its folder tells; without one `waiting`, or `known` from another sweep.
        epochs: that are left.
        seconds: that they will take; None where no such network was trained before.
        disk_bytes: of its checkpoints while it trains, if they are not there already.
        kept_bytes: of those that stay when it is finished.
    """

    name: str
    label: str
    status: str
    epochs: int
    seconds: float | None
    disk_bytes: int
    kept_bytes: int


def forecast(
    cells: Sequence[Cell], folder: Path, places: Mapping[Build, str], keep: Keep = "all", linked: bool = False
) -> list[Forecast]:
    """Look ahead; nothing is built or trained.

    Args:
        cells: of the sweep.
        folder: of the sweep, which may not be there yet.
        places: by settings of the data, folder or URI of each dataset, which may not be built yet.
        keep: weights that stay.
        linked: whether results that other sweeps have are taken over.
    """
    ids = {build: _dataset_id(place) for build, place in places.items()}
    sweep = open_sweep(folder)
    known = {trial.name: trial for trial in sweep.trials()}
    planned = sweep.planned(cells, ids)
    recorded, beside = _recorded(folder.parent), finished_beside(sweep) if linked else {}
    settings = dict.fromkeys(dataclasses.replace(cell.config, seed=0) for cell in cells)
    sizes = {setting: parameters(setting) for setting in settings}
    names = labels_of(planned)
    found = []
    for trial in planned:
        before, config = known.get(trial.name), trial.config
        history = before.history if before and not _anew(before, sweep) else ()
        there = before is None and trial.hash in beside
        final = there or (before is not None and before.status in FINAL)
        left = 0 if final else config.optim.epochs - max(0, len(history) - 1)
        alike = [each for each in recorded if each.dataset_id == trial.dataset_id]
        speeds = [_seconds_per_epoch(each) for each in alike if _alike(each.config, config)]
        best, last = _bytes(sizes[dataclasses.replace(config, seed=0)], config)
        new = not (final or history)
        found.append(
            Forecast(
                name=trial.name,
                label=names[trial.name],
                status=before.status if before else KNOWN if there else "waiting",
                epochs=left,
                seconds=_seconds(left, speeds),
                disk_bytes=new * (best + last),
                kept_bytes=new * {"best": best, "last": last, "all": best + last, "none": 0}[keep],
            )
        )
    return found


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB" if size else "-"


COLUMNS = (
    Column("trial"),
    Column("folder", csv_only=True),
    Column("status"),
    Column("epochs left", kind="number"),
    Column("time", kind="number", text=_hours, missing="?"),
    Column("disk", kind="number", text=_megabytes),
    Column("kept", kind="number", text=_megabytes),
)


def at_once_here(cells: Sequence[Cell], wanted: AtOnce | None) -> int:
    """How many trials run at once on this machine, of so many as are wanted; `auto` is not known before."""
    cores = max(cell.config.cores for cell in cells)
    here = Node(cpus=local_cores(), gpus=torch.cuda.device_count())
    return share_out(len(cells), None if wanted == "auto" else wanted, cores, [here]).at_once


def peak_bytes(rows: Sequence[Forecast], at_once: int) -> int:
    """Of new checkpoints, at most: those that are kept of all, and the others of so many at once.

    A checkpoint is written beside the one that it replaces.
    """
    passing = sorted((2 * row.disk_bytes - row.kept_bytes for row in rows), reverse=True)
    return sum(row.kept_bytes for row in rows) + sum(passing[:at_once])


def forecast_table(rows: Sequence[Forecast], at_once: int, title: str) -> Table:
    """The trials, and below them the sums, with so many trials at once."""
    cells = [
        (row.label, row.name, row.status, row.epochs, row.seconds, row.disk_bytes, row.kept_bytes)
        for row in rows
    ]
    known = [row.seconds for row in rows if row.seconds is not None]
    sums = [
        f"{len(rows)} trials, {sum(row.status in (*FINAL, KNOWN) for row in rows)} of them done",
        f"{sum(row.epochs for row in rows)} epochs left",
        f"{sum(row.kept_bytes for row in rows) / 1e9:.1f} GB of checkpoints are kept, "
        f"at most {peak_bytes(rows, at_once) / 1e9:.1f} GB on the way",
    ]
    least = "at least " if len(known) < len(rows) else ""
    notes = [
        "; ".join([*sums, f"{least}{_hours(sum(known) / at_once)} with {at_once} at once"] if known else sums)
    ]
    if len(known) < len(rows):
        notes.append(
            f"of {len(rows) - len(known)} trials the time is not known: no such network was trained on this "
            "dataset in this folder"
        )
    return Table(
        title=title, columns=COLUMNS, rows=cells, notes=notes, layout=Layout(title="left", overflow="fold")
    )


def _dataset_id(place: str) -> str:
    """Of a dataset; one that is not built yet will lie in a folder of that name."""
    if is_uri(place):
        return ArrowDataset(place).dataset_id
    built = (Path(place) / MANIFEST).is_file()
    return str(read_manifest(Path(place))["dataset_id"]) if built else Path(place).name


def _recorded(out: Path) -> list[Trial]:
    """Trials of any sweep of a working folder that have done an epoch; damaged are not."""
    found = []
    for file in out.glob(f"*/{SWEEP_FILE}"):
        try:
            trials = list(open_sweep(file.parent).trials())
        except UserError:
            continue
        found += [each for each in trials if len(each.history) > 1]
    return found


def _alike(before: TrialConfig, now: TrialConfig) -> bool:
    """Whether an epoch of both takes the same time, as far as settings tell."""
    return (before.model, before.pnp, before.optim.batch_size, before.data.points, before.threads) == (
        now.model,
        now.pnp,
        now.optim.batch_size,
        now.data.points,
        now.threads,
    )


def _seconds_per_epoch(trial: Trial) -> float:
    first, last = (trial.history[k]["time/seconds"] for k in (0, -1))
    return (last - first) / (len(trial.history) - 1)


def _seconds(epochs: int, speeds: Sequence[float]) -> float | None:
    """What epochs will take; None where nobody knows."""
    if not epochs:
        return 0.0
    return epochs * statistics.median(speeds) if speeds else None


def _bytes(parameters: int, config: TrialConfig) -> tuple[int, int]:
    """Of the best weights, and of the last checkpoint with all that training goes on from."""
    numbers = 1 + MOMENTS[config.optim.optimiser] + (config.optim.ema is not None)
    return parameters * BYTES_PER_NUMBER, parameters * numbers * BYTES_PER_NUMBER


def _anew(trial: Trial, sweep: Sweep) -> bool:
    """Whether a finished training begins again, for lack of its result and of all weights."""
    return trial.untested and not weights(sweep.trial_folder(trial.name))
