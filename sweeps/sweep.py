"""A sweep as a function: cells and datasets in; trained trials, tables and MLflow's record out.

    space = Space(recipes=[quick()], axes=[Axis.of("optim.lr", [1e-3, 3e-3]), Axis.of("seed", [0, 1])])
    outcome = run(plan(space).cells, "data/0123456789ab", Path("runs/rates"))
    print(outcome.report.summary)

Called again with the same folder it goes on: what is finished is kept. `sweeps/backbones.py` calls it with
what a command line says.
"""

import contextlib
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from epropnp.claims import claimed
from epropnp.data.reader import ArrowDataset
from epropnp.evaluation.thresholds import MARGIN
from sweeps.build_settings import Build
from sweeps.folder import SWEEP_FILE, Sweep, open_sweep
from sweeps.places import by_build, check_one_test
from sweeps.results.report import Reporter
from sweeps.running.job import Job, Outcome
from sweeps.running.retries import Retries
from sweeps.running.session import LOG, Session, ray_process
from sweeps.running.signals import SIGNALS, Flag, handled
from sweeps.running.waiting import waiting
from sweeps.space import Cell
from sweeps.tracking.tracker import Tracker, tracker_of

RETRIES = 1  # of a trial whose process broke without progress; it goes on from its checkpoint
FLAGGED = (*SIGNALS, signal.SIGINT)

Dataset = Path | str | Mapping[Build, Path | str]


def run(
    cells: Sequence[Cell],
    dataset: Dataset | Callable[[], Dataset],
    folder: Path,
    *,
    command: Sequence[str] = (),
    tracking_uri: str | None = None,
    params: Mapping[str, Any] | None = None,
    at_once: int | None = None,
    address: str | None = None,
    check: bool | None = None,
    retries: int = RETRIES,
    margin: float | None = None,
    console: Console | None = None,
    go_on: str | None = None,
) -> Outcome:
    """Run the trials of a sweep that are not finished yet, and compare them all.

    Whatever ends it before its end, a signal, Ray's death or an error: running trials have written a
    checkpoint if they could, all that ended is recorded, and the same call goes on.

    Args:
        cells: what to train.
        dataset: folder or URI of a built one, or of several by settings of the data, `Cell.build`; every byte
            is checked. A function that builds them is called when the folder is claimed and Ray is starting.
        folder: of the sweep, by whose name it is called. No other process works on it meanwhile.
        command: words of the command line, for a later one that goes on.
        tracking_uri: of MLflow; None: a database beside the folder.
        params: recorded for the sweep as a whole.
        at_once: trials that run at the same time; None: as many as cores, or GPUs.
        address: of a Ray cluster; None: this machine.
        check: whether each setting does its first updates before the long trials; None: with more than four.
        retries: of a trial whose process broke without progress.
        margin: points of a score within which settings are called equal, if that can be shown; None: 5.
        console: for progress; None: silent.
        go_on: the command line that makes the same call again, for hints; None: there is none.

    Raises:
        UserError: an unusable dataset, several with other tests, a folder that is of trials on another one,
            cannot be written, or is worked on by another process; a cluster that is not there.
    """
    console = console or Console(quiet=True)
    sweep = open_sweep(folder.resolve()).with_command(command)
    with _held(sweep), ray_process(address, sweep.folder / LOG) as session:
        _join(session, address, console)  # before anything is built for a cluster that is not there
        places = by_build(dataset() if callable(dataset) else dataset, cells)
        data = _verified(places, console)
        ids = {build: each.dataset_id for build, each in data.items()}
        trials = sweep.planned(cells, ids)
        sweep.write()
        sweep.stop_file.unlink(missing_ok=True)  # which ended an earlier call
        tracker = tracker_of(sweep, tracking_uri)
        by_id = {each.dataset_id: each for each in data.values()}
        reporter = Reporter(sweep, trials, by_id, margin or MARGIN)
        flag = Flag()
        job = Job(sweep, trials, places, reporter, tracker, session, flag, console, go_on)
        with handled(flag, FLAGGED):
            _connect(tracker, console)
            told = {"dataset_id": " ".join(dict.fromkeys(ids.values())), **(params or {})}
            return job.run(told, at_once, check, Retries(retries))


def _join(session: Session, address: str | None, console: Console) -> None:
    """Wait for a cluster; a Ray of one's own starts meanwhile."""
    if address is not None:
        with waiting(console, f"Ray: joining {address}"):
            session.nodes(given_up=lambda: False)


def _connect(tracker: Tracker, console: Console) -> None:
    with waiting(console, "records: opening MLflow"):
        tracker.connect()


def _verified(places: Mapping[Build, str], console: Console) -> dict[Build, ArrowDataset]:
    """The datasets, of which every byte is checked, and that they have one test split."""
    with waiting(console, "datasets: checking every byte"):
        data = {build: ArrowDataset.verified(place) for build, place in places.items()}
    check_one_test(data)
    return data


@contextlib.contextmanager
def _held(sweep: Sweep) -> Iterator[None]:
    """Keep other processes out of the folder, which goes where nothing came of a new sweep."""
    new = not sweep.folder.exists()
    try:
        with claimed(sweep.folder):
            yield
    finally:
        if new and not (sweep.folder / SWEEP_FILE).exists():
            shutil.rmtree(sweep.folder, ignore_errors=True)
