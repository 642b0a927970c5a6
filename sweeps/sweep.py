"""A sweep as a function: cells and datasets in; trained trials, tables and MLflow's record out.

    space = Space(recipes=[quick()], axes=[Axis.of("optim.lr", [1e-3, 3e-3]), Axis.of("seed", [0, 1])])
    outcome = run(plan(space).cells, "data/0123456789ab", Path("runs/rates"))
    print(outcome.report.summary)

Called again with the same folder it goes on: what is finished is kept. `sweeps/backbones.py` calls it with
what a command line says.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from epropnp.data.reader import ArrowDataset
from epropnp.evaluation.thresholds import MARGIN
from epropnp.plain import flatten
from epropnp.training.config import TrialConfig
from epropnp.training.halt import stop_reason
from epropnp.training.record import Status
from sweeps.build_settings import Build
from sweeps.folder import Sweep, open_sweep
from sweeps.places import by_build, check_one_test
from sweeps.results.pictures import draw_missing
from sweeps.results.read import labels_of
from sweeps.results.report import Report, report
from sweeps.running.cluster import Share, ray_session, set_environment, share_of_cluster
from sweeps.running.progress import SweepProgress
from sweeps.running.signals import INTERRUPTED, TerminatedError, handled
from sweeps.search.grid import FINAL, Grid
from sweeps.search.search import Planned, Search
from sweeps.space import Cell, by_key
from sweeps.tracking.events import PARENT
from sweeps.tracking.listener import Tracking
from sweeps.tracking.tracker import Tracker, tracker_of
from sweeps.trial import Trial, read

RETRIES = 1  # of a trial whose process broke; it goes on from its checkpoint
CHECKED_ABOVE = 4  # trials
CHECK_UPDATES = 2
RECORD_SECONDS = 30.0  # that the end waits for MLflow; what is left then, a resumed sweep sends
HURRIED_SECONDS = 8.0  # where somebody may kill the sweep soon


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a sweep.

    Attributes:
        report: tables, files, and a row for each trial.
        interrupted: by what, where trials are left to be gone on with.
        recorded: whether MLflow has all of it.
    """

    report: Report
    interrupted: str | None
    recorded: bool

    @property
    def code(self) -> int:
        """Exit code: 0 all finished or stopped, 1 some are not, 75 interrupted and to be run again."""
        if self.interrupted is not None:
            return INTERRUPTED
        return 0 if all(row.status in ("finished", "stopped") for row in self.report.rows) else 1


def run(
    cells: Sequence[Cell],
    dataset: Path | str | Mapping[Build, Path | str],
    folder: Path,
    *,
    command: Sequence[str] = (),
    tracking_uri: str | None = None,
    params: Mapping[str, Any] | None = None,
    at_once: int | None = None,
    address: str | None = None,
    check: bool | None = None,
    margin: float | None = None,
    console: Console | None = None,
) -> Outcome:
    """Run the trials of a sweep that are not finished yet, and compare them all.

    Args:
        cells: what to train.
        dataset: folder or URI of a built one, or of several by settings of the data, `Cell.build`; every byte
            is checked.
        folder: of the sweep, by whose name it is called.
        command: words of the command line, for a later one that goes on.
        tracking_uri: of MLflow; None: a database beside the folder.
        params: recorded for the sweep as a whole.
        at_once: trials that run at the same time; None: as many as cores, or GPUs.
        address: of a Ray cluster; None: this machine.
        check: whether each setting does its first updates before the long trials; None: with more than four.
        margin: points of a score within which settings are called equal, if that can be shown; None: 5.
        console: for progress; None: silent.

    Raises:
        UserError: an unusable dataset, several with other tests, a folder that is of trials on another one or
            cannot be written, a cluster that is not there.
    """
    set_environment(address)
    places = by_build(dataset, cells)
    data = {build: ArrowDataset.verified(place) for build, place in places.items()}
    check_one_test(data)
    ids = {build: each.dataset_id for build, each in data.items()}
    sweep = open_sweep(folder.resolve()).with_command(command)
    trials = sweep.planned(cells, ids)
    sweep.write()
    sweep.stop_file.unlink(missing_ok=True)  # which ended an earlier call
    tracker = tracker_of(sweep, tracking_uri)
    tracker.start_sweep(command, {"dataset_id": " ".join(dict.fromkeys(ids.values())), **(params or {})})
    by_id = {each.dataset_id: each for each in data.values()}
    try:
        job = _Job(sweep, trials, places, by_id, tracker, console or Console(quiet=True))
        interrupted = job.train(at_once, address, check)
        found = report(sweep, trials, by_id, MARGIN if margin is None else margin)
    except BaseException:
        tracker.finish(PARENT, "KILLED")
        tracker.close(HURRIED_SECONDS)
        raise
    if all(row.status in FINAL for row in found.rows):
        interrupted = None  # it came too late
    outcome = Outcome(report=found, interrupted=interrupted, recorded=False)
    status = {0: "FINISHED", INTERRUPTED: "KILLED"}.get(outcome.code, "FAILED")
    tracker.finish(PARENT, status, interrupted or "", files=found.files)
    return dataclasses.replace(outcome, recorded=tracker.close(RECORD_SECONDS))


class _Job:
    """One call of `run`, from its trials to their ends."""

    def __init__(
        self,
        sweep: Sweep,
        trials: Sequence[Planned],
        places: Mapping[Build, str],
        datasets: Mapping[str, ArrowDataset],
        tracker: Tracker,
        console: Console,
    ) -> None:
        self.sweep, self.trials, self.places, self.datasets = sweep, trials, places, datasets
        self.console = console
        params = {trial.name: {**flatten(trial.config), **by_key(trial.build)} for trial in trials}
        self.tracking = Tracking(tracker, params, sweep.trial_folder)

    def train(self, at_once: int | None, address: str | None, check: bool | None) -> str | None:
        """Run what is left to run; says what interrupted it, if something did."""
        known = {trial.name: trial for trial in self.sweep.trials()}
        search = Grid(self.trials)
        for trial in known.values():
            search.tell(trial)
            self._record_again(trial)
            if trial.missing is not None:
                self.console.print(trial.missing, markup=False, highlight=False, soft_wrap=True)
        pending = [trial for trial in self.trials if _status(known.get(trial.name)) not in FINAL]
        if len(pending) < len(self.trials):
            self.console.print(f"{len(self.trials) - len(pending)} trials are finished already; kept")
        if search.done:
            return None
        with ray_session(address), handled(self._interrupt):
            share = share_of_cluster(len(pending), at_once, max(trial.config.threads for trial in pending))
            self.console.print(
                f"trials at once: {share.at_once}; each has cores: {share.cpus}"
                + (f", GPUs: {share.gpus:g}" if share.gpus else "")
            )
            wanted = len(pending) > CHECKED_ABOVE if check is None else check
            if not wanted or self._passes(_unchecked(pending, known), share):
                self._run(search, share)
        reason = stop_reason(self.sweep.folder)
        self.sweep.stop_file.unlink(missing_ok=True)
        return reason

    def _passes(self, trials: Sequence[Planned], share: Share) -> bool:
        """Whether these trials can do their first updates, from which they go on later."""
        if not trials:
            return True
        self.console.print(f"check: {CHECK_UPDATES} updates of each of {len(trials)} settings")
        self._run(Grid(trials), share, CHECK_UPDATES)
        failed = [trial for trial in trials if read(self.sweep.trial_folder(trial.name)).status == "failed"]
        if failed:
            self.console.print(
                f"check: {len(failed)} of {len(trials)} settings failed, and nothing long was started; mend "
                "them, or train the others all the same: --resume --check no"
            )
        return not failed

    def _run(self, search: Search, share: Share, updates: int | None = None) -> None:
        from sweeps.running.tune import run_trials  # only now: Ray looks at its variables when it is imported

        known = {trial.name: trial for trial in self.sweep.trials()}
        progress = SweepProgress(
            epochs={trial.name: trial.config.optim.epochs for trial in self.trials},
            labels=labels_of(self.trials),
            before={name: known[name].status for name in (t.name for t in self.trials) if name in known},
            at_once=share.at_once,
            console=self.console,
        )
        with progress:
            run_trials(
                search,
                self.sweep.prepare,
                lambda trial: self.places[trial.build],
                stop_file=self.sweep.stop_file,
                storage=self.sweep.folder / "ray",
                share=share,
                retries=RETRIES,
                listeners=[progress, self.tracking],
                updates=updates,
            )

    def _record_again(self, trial: Trial) -> None:
        """What a killed driver may not have told MLflow of a trial that had ended."""
        if trial.status in FINAL:
            if trial.status == "finished":
                draw_missing(self.sweep.trial_folder(trial.name), self.datasets[trial.dataset_id])
            self.tracking.ended(trial)

    def _interrupt(self, signal: str) -> None:
        """Let running trials write a checkpoint and end; at the second signal, end at once."""
        if self.sweep.stop_file.exists():
            raise TerminatedError(signal)
        self.sweep.stop_file.write_text(signal)


def _status(trial: Trial | None) -> Status:
    return "waiting" if trial is None else trial.status


def _unchecked(pending: Sequence[Planned], known: Mapping[str, Trial]) -> list[Planned]:
    """One trial of each setting of which none has got anywhere yet."""
    begun = {_setting(trial) for trial in known.values() if trial.status != "failed"}
    found: dict[tuple[TrialConfig, str], Planned] = {}
    for trial in pending:
        found.setdefault(_setting(trial), trial)
    return [trial for setting, trial in found.items() if setting not in begun]


def _setting(trial: Planned | Trial) -> tuple[TrialConfig, str]:
    """All but the seed: config and dataset."""
    return dataclasses.replace(trial.config, seed=0), trial.dataset_id
