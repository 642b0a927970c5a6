"""One call of a sweep, from its first trial to the report: the place where whatever ends it is heeded."""

import contextlib
import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from epropnp.errors import UserError, first_line
from epropnp.plain import flatten
from epropnp.training.config import TrialConfig
from epropnp.training.halt import stop_reason
from epropnp.training.record import Status
from sweeps.build_settings import Build
from sweeps.folder import Sweep
from sweeps.results.pictures import draw_missing
from sweeps.results.read import labels_of, shared_of
from sweeps.results.report import Report, Reporter
from sweeps.running.cluster import Share, share_out, told
from sweeps.running.progress import SweepProgress
from sweeps.running.retries import Retries
from sweeps.running.session import RayGoneError, Session
from sweeps.running.signals import CTRL_C, INTERRUPTED, Flag
from sweeps.running.trials import Trials, trial_spec
from sweeps.running.waiting import waiting
from sweeps.search.grid import FINAL, Grid
from sweeps.search.search import Planned, Search
from sweeps.space import by_key
from sweeps.tracking.listener import Tracking
from sweeps.tracking.tracker import PARENT, Tracker
from sweeps.trial import Trial, read

CHECKED_ABOVE = 4  # trials
CHECK_UPDATES = 2
FEWER = "--trials-at-once"  # a flag that a lack of memory names
CLOSING_S = 10.0  # for records that are not sent yet; what is left goes with the next call


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
        """Exit code: 0 all finished or stopped, 1 some are not, 75 (130 by Ctrl-C) interrupted."""
        if self.interrupted is not None:
            return CTRL_C if self.interrupted == "SIGINT" else INTERRUPTED
        return 0 if all(row.status in FINAL for row in self.report.rows) else 1


class Job:
    """One call of `sweeps.sweep.run`, from its first record to its report.

    Args:
        sweep: whose folder this process holds.
        trials: all of them, finished ones too.
        places: of their datasets, by settings of the data.
        reporter: writes the tables.
        tracker: records.
        session: Ray, which may still be starting.
        flag: raised by signals, which are handled meanwhile.
        console: for progress.
        go_on: the command line that goes on with the sweep; None: a function was called.
    """

    def __init__(
        self,
        sweep: Sweep,
        trials: Sequence[Planned],
        places: Mapping[Build, str],
        reporter: Reporter,
        tracker: Tracker,
        session: Session,
        flag: Flag,
        console: Console,
        go_on: str | None = None,
    ) -> None:
        self.sweep, self.trials, self.places = sweep, trials, places
        self.reporter, self.session, self.flag, self.console = reporter, session, flag, console
        self.go_on = go_on
        params = {trial.name: {**flatten(trial.config), **by_key(trial.build)} for trial in trials}
        self.tracker = tracker
        self.tracking = Tracking(tracker, params, sweep.trial_folder)

    def run(
        self, params: Mapping[str, Any], at_once: int | None, check: bool | None, retries: Retries
    ) -> Outcome:
        """Train what is not finished, and compare all; whatever ends that, the records are closed.

        Args:
            params: recorded for the sweep as a whole.
            at_once: trials that run at the same time; None: as many as cores, or GPUs.
            check: whether each setting does its first updates before; None: with more than four trials.
            retries: counts those of trials.
        """
        self.tracker.start(PARENT, params)
        try:
            interrupted = self._train(at_once, check, retries)
            self.session.close()  # before the report, which has the cores for itself
            found = self.reporter.report()
        except BaseException as error:
            self.tracker.finish(PARENT, "FAILED", f"{type(error).__name__}: {first_line(error)}")
            self.tracker.close(CLOSING_S)
            raise
        if all(row.status in FINAL for row in found.rows):
            interrupted = None  # it came too late
        outcome = Outcome(report=found, interrupted=interrupted, recorded=False)
        status = {0: "FINISHED", 1: "FAILED"}.get(outcome.code, "KILLED")
        self.tracker.finish(PARENT, status, interrupted or "", files=found.files)
        return dataclasses.replace(outcome, recorded=self.tracker.close(CLOSING_S))

    def _train(self, at_once: int | None, check: bool | None, retries: Retries) -> str | None:
        """Run what is left to run; says what interrupted it, if something did."""
        known = {trial.name: trial for trial in self.sweep.trials()}
        search = Grid(self.trials)
        for trial in known.values():
            search.tell(trial)
            self._record_again(trial)
            if trial.missing is not None:
                self._say(trial.missing)
        pending = [trial for trial in self.trials if _status(known.get(trial.name)) not in FINAL]
        if len(pending) < len(self.trials):
            self._say(f"{len(self.trials) - len(pending)} trials are finished already; kept")
        if search.done:
            return None
        reason = None
        share = self._share(pending, at_once)
        if share is not None:
            wanted = len(pending) > CHECKED_ABOVE if check is None else check
            try:
                if not wanted or self._passes(_unchecked(pending, known), share, retries):
                    self._run(search, share, retries)
                self._advise(share)
            except RayGoneError as gone:
                reason = self._reason() or f"Ray is there no more: {gone}"
        reason = self._reason() or reason
        with contextlib.suppress(OSError):
            self.sweep.stop_file.unlink(missing_ok=True)
        return reason

    def _reason(self) -> str | None:
        return self.flag.signal or stop_reason(self.sweep.folder)

    def _share(self, pending: Sequence[Planned], at_once: int | None) -> Share | None:
        """What each trial may use, as soon as Ray is there; None where the sweep is ended before."""
        with waiting(self.console, "Ray: starting"):
            nodes = self.session.nodes(given_up=lambda: self._reason() is not None)
        if nodes is None:
            return None
        self._say(f"Ray: {told(nodes, self.session.is_here)}")
        cores = max(trial.config.threads + trial.config.data.workers for trial in pending)
        share = share_out(len(pending), at_once, cores, nodes)
        self._say(
            f"trials at once: {share.at_once}; each has cores: {share.cpus:g}"
            + (f", GPUs: {share.gpus:g}" if share.gpus else "")
        )
        return share

    def _passes(self, trials: Sequence[Planned], share: Share, retries: Retries) -> bool:
        """Whether these trials can do their first updates, from which they go on later."""
        if not trials:
            return True
        self._say(f"check: {CHECK_UPDATES} updates of each of {len(trials)} settings")
        self._run(Grid(trials), share, retries, CHECK_UPDATES)
        failed = [trial for trial in trials if read(self.sweep.trial_folder(trial.name)).status == "failed"]
        if failed:
            self._say(
                f"check: {len(failed)} of {len(trials)} settings failed, and nothing long was started; mend "
                f"them, or train the others all the same: {self._again('--check no', 'check=False')}"
            )
        return not failed

    def _run(self, search: Search, share: Share, retries: Retries, updates: int | None = None) -> None:
        known = {trial.name: trial for trial in self.sweep.trials()}
        progress = SweepProgress(
            epochs={trial.name: trial.config.optim.epochs for trial in self.trials},
            labels=labels_of(self.trials),
            before={name: known[name].status for name in (t.name for t in self.trials) if name in known},
            at_once=share.at_once,
            console=self.console,
            shared=shared_of(self.trials),
        )

        def spec(trial: Planned) -> dict[str, Any]:
            folder = self.sweep.prepare(trial)
            place = self.places[trial.build]
            return trial_spec(trial.name, trial.config, place, folder, self.sweep.stop_file, updates)

        storage = self.sweep.folder / "ray"  # which all nodes see
        trials = Trials(
            search,
            spec,
            session=self.session,
            stop_file=self.sweep.stop_file,
            flag=self.flag,
            share=share,
            retries=retries,
            listeners=[progress, self.tracking, self.reporter],
        )
        with progress:
            try:
                trials.run(storage)
            except BaseException:
                self.session.kill()
                trials.end()
                raise
            finally:
                shutil.rmtree(storage, ignore_errors=True)

    def _advise(self, share: Share) -> None:
        """Where trials found no memory beside others: how to try them again."""
        failed = [trial for trial in self.sweep.trials() if trial.status == "failed"]
        lacking = [trial for trial in failed if FEWER in (trial.reason or "")]
        if lacking and share.at_once > 1:
            again = self._again(f"{FEWER} 1", "at_once=1")
            self._say(f"without memory: {len(lacking)} trials; to try them one at a time: {again}")

    def _again(self, flags: str, arguments: str) -> str:
        """How to go on with the sweep in another way: a command, or arguments of the function."""
        return arguments if self.go_on is None else f"{self.go_on} {flags}"

    def _record_again(self, trial: Trial) -> None:
        """What a killed driver may not have told MLflow of a trial that had ended."""
        if trial.status in FINAL:
            if trial.status == "finished":
                with contextlib.suppress(UserError):  # the report tells of it
                    draw_missing(
                        self.sweep.trial_folder(trial.name), self.reporter.datasets[trial.dataset_id]
                    )
            self.tracking.ended(trial)

    def _say(self, text: str) -> None:
        with contextlib.suppress(OSError):  # a terminal that was closed
            self.console.print(text, highlight=False, markup=False, soft_wrap=True)


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
