"""A sweep as a function: cells and datasets in; trained trials, tables and MLflow's record out.

    space = Space(recipes=[quick()], axes=[Axis.of("optim.lr", [1e-3, 3e-3]), Axis.of("seed", [0, 1])])
    outcome = run(plan(space).cells, "data/0123456789ab", Path("runs/rates"))
    print(outcome.report.summary)

Called again with the same folder it goes on: what is finished is kept. `sweeps/backbones.py` calls it with
what a command line says.
"""

import contextlib
import dataclasses
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from epropnp.claims import claimed
from epropnp.credentials import without_credentials
from epropnp.data.reader import ArrowDataset
from epropnp.evaluation.thresholds import MARGIN
from epropnp.inference.precision import cpu_has_bf16
from epropnp.training.halt import stop_reason
from sweeps.build_settings import Build
from sweeps.flag_checks import check_margin
from sweeps.folder import SWEEP_FILE, Sweep, open_sweep
from sweeps.like import check_data, differences, lines_of
from sweeps.places import by_build, check_one_test
from sweeps.results.report import Reporter
from sweeps.running.job import Job
from sweeps.running.options import Options
from sweeps.running.outcome import Outcome
from sweeps.running.session import Session, Wanted, ray_process
from sweeps.running.signals import SIGNALS, Flag, handled
from sweeps.running.waiting import waiting
from sweeps.search.compared import Choosing
from sweeps.search.grid import Grid
from sweeps.search.racers import Racers
from sweeps.search.search import Planned, Search, setting_of
from sweeps.search.searching import Searching
from sweeps.search.stopper import Stopper, free
from sweeps.search.stopping import Rule, why_idle
from sweeps.space import Cell
from sweeps.tracking.file_systems import database_warning
from sweeps.tracking.place import place_at
from sweeps.tracking.tracker import tracker_of
from sweeps.tracking.trial_words import varied_keys

RUNS = "this sweep runs already; wait for its end, or give another name"
FLAGGED = (*SIGNALS, signal.SIGINT)

Dataset = Path | str | Mapping[Build, Path | str]


def run(
    cells: Sequence[Cell] | Searching | Racers,
    dataset: Dataset | Callable[[], Dataset],
    folder: Path,
    *,
    command: Sequence[str] = (),
    tracking_uri: str | None = None,
    params: Mapping[str, Any] | None = None,
    address: str | None = None,
    margin: float | None = None,
    options: Options | None = None,
    console: Console | None = None,
    go_on: str | None = None,
    session: Session | None = None,
    like: Sweep | None = None,
) -> Outcome:
    """Run the trials of a sweep that are not finished yet, and compare them all.

    Whatever ends it before its end, a signal, Ray's death or an error: running trials have written a
    checkpoint if they could, all that ended is recorded, and the same call goes on.

    Args:
        cells: what to train, or what to search for it, or what races for the seeds.
        dataset: folder or URI of a built one, or of several by settings of the data, `Cell.build`; every byte
            is checked. A function that builds them is called when the folder is claimed and Ray is starting.
        folder: of the sweep, by whose name it is called. No other process works on it meanwhile.
        command: words of the command line, for a later one that goes on.
        tracking_uri: of MLflow; None: a database beside the folder.
        params: recorded for the sweep as a whole.
        address: of a Ray cluster; None: this machine.
        margin: points of a score within which settings are called equal, if that can be shown; None: 5.
        options: how to run the trials; None: as by default.
        console: for progress; None: silent.
        go_on: the command line that makes the same call again, for hints; None: there is none.
        session: Ray, which was told to start at that address before; None: it is started here.
        like: the sweep that this one repeats, on its datasets; the command lines are noted, too.

    Raises:
        UserError: a margin not above 0; an unusable dataset, several with other tests, another than that of
            `like`; a folder of trials on another, not to be written, or another process's; no such cluster.
    """
    check_margin(margin)
    console = console or Console(quiet=True)
    sweep, listed = _opened(folder, like, command), _listed(cells)
    ray = ray_process(Wanted(address=address)) if session is None else contextlib.nullcontext(session)
    with _held(sweep), ray as session:
        _join(session, address, console)  # before anything is built for a cluster that is not there
        places = by_build(dataset() if callable(dataset) else dataset, listed)
        data, how = _verified(places, console, like), options or Options()
        ids = {build: each.dataset_id for build, each in data.items()}
        search = _search(cells, sweep, ids, how.stop, margin or MARGIN)
        sweep = _noted(sweep, search.planned)
        tracker = tracker_of(sweep, tracking_uri)
        reporter = _reporter(sweep, search, data.values(), margin or MARGIN)
        flag, cores = Flag(), max(cell.config.cores for cell in listed)
        job = Job(sweep, search, places, reporter, tracker, session, flag, how, cores, console, go_on)
        _warn(console, (*_warnings(sweep, tracking_uri, address, listed), *_idle(cells, how.stop)))
        with handled(flag, FLAGGED):
            tracker.start_sweep(command, _recorded(ids, params or {}), sweep.varied)
            return _registered(sweep, tracking_uri, how.register, job.run(), console)


def _registered(
    sweep: Sweep, tracking_uri: str | None, name: str | None, outcome: Outcome, console: Console
) -> Outcome:
    """The outcome; of a sweep that is over and recorded, validation's favourite is registered first."""
    if name is None or outcome.interrupted is not None or not outcome.recorded:
        return outcome
    from sweeps.tracking.champion import crowned

    with waiting(console, "MLflow: registering the network that validation prefers"):
        told = crowned(sweep, place_at(tracking_uri, sweep.folder.parent), name or None)
    with contextlib.suppress(OSError):  # a terminal that was closed
        console.print(told, markup=False, highlight=False, soft_wrap=True)
    return outcome


def _opened(folder: Path, like: Sweep | None, command: Sequence[str]) -> Sweep:
    """The sweep of a folder, grown by the command lines of what it repeats, and this one."""
    sweep = open_sweep(folder.resolve())
    for words in (*(lines_of(like) if like is not None and not sweep.commands else ()), command):
        sweep = sweep.with_command(words)
    return sweep


def _listed(cells: Sequence[Cell] | Searching | Racers) -> Sequence[Cell]:
    """All, or of a search some that have all its networks and datasets."""
    if isinstance(cells, Searching):
        return cells.domain.cells
    return cells.cells if isinstance(cells, Racers) else cells


def _search(
    cells: Sequence[Cell] | Searching | Racers,
    sweep: Sweep,
    ids: Mapping[Build, str],
    rule: Rule | None,
    margin: float,
) -> Search:
    """What asks for the trials."""

    def judged(search: Search) -> Search:
        return search if rule in (None, "none") else Stopper(search, rule, sweep)

    if rule == "none":  # what was stopped goes on
        for trial in sweep.trials():
            if stop_reason(folder := sweep.trial_folder(trial.name)) is not None:
                free(folder)
    if isinstance(cells, Racers):
        return cells.race(sweep, ids, margin)
    if isinstance(cells, Searching):
        return cells.search(sweep, ids, judged)
    return judged(Grid(sweep.planned(cells, ids)))


def _join(session: Session, address: str | None, console: Console) -> None:
    """Wait for a cluster; a Ray of one's own starts meanwhile."""
    if address is not None:
        with waiting(console, f"Ray: joining {without_credentials(address)}"):
            session.nodes(given_up=lambda: False)


def _noted(sweep: Sweep, trials: Sequence[Planned]) -> Sweep:
    """The sweep with the names of its trials, and what they differ in, as its folder tells of it now."""
    varied = tuple(dict.fromkeys((*sweep.varied, *varied_keys(trials))))
    sweep = dataclasses.replace(sweep, planned_names=[trial.name for trial in trials], varied=varied)
    sweep.write()
    sweep.stop_file.unlink(missing_ok=True)  # which ended an earlier call
    return sweep


def _reporter(sweep: Sweep, search: Search, data: Iterable[ArrowDataset], margin: float) -> Reporter:
    chosen = search.compared if isinstance(search, Choosing) else None
    return Reporter(sweep, search.planned, {each.dataset_id: each for each in data}, margin, chosen)


def _recorded(ids: Mapping[Build, str], params: Mapping[str, Any]) -> dict[str, Any]:
    """What holds for the sweep as a whole."""
    return {"dataset_id": " ".join(dict.fromkeys(ids.values())), **params}


def _warn(console: Console, warnings: Iterable[str]) -> None:
    for warning in warnings:
        console.print(warning, style="yellow", markup=False, highlight=False, soft_wrap=True)


def _warnings(
    sweep: Sweep, tracking_uri: str | None, address: str | None, cells: Sequence[Cell]
) -> Iterator[str]:
    """What the user should know of the places where trials are recorded and trained."""
    database = database_warning(sweep.folder.parent) if tracking_uri is None else None
    if database is not None:
        yield database
    bf16 = any(cell.config.optim.precision == "bf16" for cell in cells)
    if bf16 and address is None and not torch.cuda.is_available() and not cpu_has_bf16():
        yield "this CPU has no instructions for bf16, which would take many times as long: float32 instead"


def _idle(cells: Sequence[Cell] | Searching | Racers, rule: Rule | None) -> Iterator[str]:
    """What the user should know of a rule that can stop nothing."""
    if rule in (None, "none") or isinstance(cells, Racers):
        return
    listed = _listed(cells)
    settings = {(setting_of(cell.config, ""), cell.build) for cell in listed}
    count = cells.most if isinstance(cells, Searching) else len(settings)
    why = why_idle(rule, {cell.config.optim.epochs for cell in listed}, count)
    if why is not None:
        yield f"--stop {rule} stops nothing: {why}"


def _verified(places: Mapping[Build, str], console: Console, like: Sweep | None) -> dict[Build, ArrowDataset]:
    """The datasets, of which every byte is checked, and that they have one test split.

    They are those of the sweep that is repeated; in what else the repeat differs is said.
    """
    with waiting(console, "datasets: checking every byte"):
        data = {build: ArrowDataset.verified(place) for build, place in places.items()}
    check_one_test(data)
    if like is not None:
        check_data(like, [each.dataset_id for each in data.values()])
        for line in differences(like):
            console.print(f"like {like.name}: {line}", markup=False, highlight=False, soft_wrap=True)
    return data


@contextlib.contextmanager
def _held(sweep: Sweep) -> Iterator[None]:
    """Keep other processes out of the folder, which goes where nothing came of a new sweep."""
    new = not sweep.folder.exists()
    try:
        with claimed(sweep.folder, RUNS):
            yield
    finally:
        if new and not (sweep.folder / SWEEP_FILE).exists():
            shutil.rmtree(sweep.folder, ignore_errors=True)
