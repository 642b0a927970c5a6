"""One call of a sweep, from its first trial to the report: the place where whatever ends it is heeded."""

import contextlib
import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from epropnp.errors import UserError, first_line
from epropnp.training.config import TrialConfig
from epropnp.training.halt import stop_reason
from sweeps.build_settings import Build
from sweeps.folder import RAY_FOLDER, Sweep
from sweeps.known import KnownResults
from sweeps.known import told as told_of_known
from sweeps.results.pictures import draw_missing
from sweeps.results.read import drawn_label, labels_of, shared_of
from sweeps.results.report import Reporter
from sweeps.running.cluster import Share, share_out, told
from sweeps.running.hours import Hours
from sweeps.running.latencies import measure_lacking
from sweeps.running.listener import Listener
from sweeps.running.memory import Memory, enough_for
from sweeps.running.nodes import Nodes
from sweeps.running.options import Options
from sweeps.running.outcome import Outcome
from sweeps.running.progress import SweepProgress
from sweeps.running.retries import Retries
from sweeps.running.session import RayGoneError, Session
from sweeps.running.signals import Flag
from sweeps.running.trials import Trials, trial_spec
from sweeps.running.waiting import waiting
from sweeps.search.grid import FINAL, Grid
from sweeps.search.search import Planned, Search, setting_of
from sweeps.tracking.events import PARENT
from sweeps.tracking.listener import Tracking
from sweeps.tracking.sweep_events import end_of_sweep
from sweeps.tracking.tracker import Tracker
from sweeps.trial import Trial

CHECKED_ABOVE = 4  # trials
CHECK_UPDATES = 2
FEWER = "--trials-at-once"  # a flag that a lack of memory names
CLOSING_S = 60.0  # that the end waits for MLflow; what is left then, the next call sends
HURRIED_S = 8.0  # where somebody may kill the sweep soon


class Job(Listener):
    """One call of `sweeps.sweep.run`, from its first record to its report.

    Args:
        sweep: whose folder this process holds.
        search: asks for its trials.
        places: of their datasets, by settings of the data.
        reporter: writes the tables.
        tracker: records.
        session: Ray, which may still be starting.
        flag: raised by signals, which are handled meanwhile.
        options: how to run them.
        cores: that a trial uses at most.
        console: for progress.
        go_on: the command line that goes on with the sweep; None: a function was called.
    """

    def __init__(
        self,
        sweep: Sweep,
        search: Search,
        places: Mapping[Build, str],
        reporter: Reporter,
        tracker: Tracker,
        session: Session,
        flag: Flag,
        options: Options,
        cores: int,
        console: Console,
        go_on: str | None = None,
    ) -> None:
        self.sweep, self.search, self.places = sweep, search, places
        self.reporter, self.session, self.flag, self.console = reporter, session, flag, console
        self.cores, self._said = cores, set[str]()
        self.known = KnownResults(sweep) if options.known else None
        self.options, self.retries, self.nodes = options, Retries(options.retries), Nodes(self._say)
        self.hours, self.go_on = Hours(sweep.folder, options.hours, options.hours_in_all), go_on
        self.tracker, self.tracking = tracker, Tracking(tracker, sweep.trial_folder, sweep.varied)

    def run(self) -> Outcome:
        """Train what is not finished, and compare all; whatever ends that, the records are closed."""
        try:
            interrupted = self._train()
            self.session.close()  # before the rest, which has the cores for itself
            if interrupted is None and self.search.done:
                self._measure()
            self._say("sweep: comparing settings" + ", drawing figures and examples" * self.options.figures)
            found = self.reporter.report(self.search.files(), self.search.tables(), self.options.figures)
        except BaseException as error:
            self.tracker.finish(PARENT, "FAILED", f"{type(error).__name__}: {first_line(error)}")
            self.tracker.close(HURRIED_S)
            if self.go_on is not None:
                self._say(f"go on with: {self.go_on}")
            raise
        finally:
            self.hours.note()
        infeasible = self.search.infeasible
        outcome = Outcome(report=found, infeasible=infeasible, interrupted=interrupted, recorded=False)
        if self.search.done and outcome.over:
            outcome = dataclasses.replace(outcome, interrupted=None)  # it came too late
        status = {0: "FINISHED", 1: "FAILED"}.get(outcome.code, "KILLED")
        self.tracker.say(end_of_sweep(self.sweep, status, outcome.interrupted or "", found.files))
        seconds = HURRIED_S if outcome.interrupted else CLOSING_S
        return dataclasses.replace(outcome, recorded=self.tracker.close(seconds))

    def asked(self, trial: Planned) -> None:
        """Say what the search has found, by which it asks for this one."""
        self._remark()

    def _measure(self) -> None:
        """Time the networks, which MLflow hears of when all are."""
        others, how = (self.reporter, self.tracker), (self._reason, self._say)
        for trial in measure_lacking(self.sweep, self.console, *others, *how):
            self.tracking.ended(trial)

    def _train(self) -> str | None:
        """Run what is left to run; says what interrupted it, if something did."""
        search = self.search
        if self.known is not None:
            linked = [trial for trial in search.planned if self.known.link(trial)]
            if linked:
                self._say(told_of_known(linked))
        known = {trial.name: trial for trial in self.sweep.trials()}
        for trial in known.values():
            search.tell(trial)
            self._record_again(trial)
            if trial.missing is not None:
                self._say(trial.missing)
            if trial.untested:
                self._say(f"{trial.name}: {trial.reason}")
        trials = search.planned
        final = {name for name, trial in known.items() if trial.status in FINAL}
        if kept := sum(trial.name in final for trial in trials):
            self._say(f"{kept} trials are finished already; kept")
        over = final | set(search.infeasible)
        pending = [trial for trial in trials if trial.name not in over]
        self._remark()
        if search.done:
            return None
        gone = None
        try:
            self._run_all(pending, _unchecked(pending, known))
        except RayGoneError as error:
            gone = f"Ray is there no more: {error}"
            self.session.keep_log(self.sweep.folder)
        self._remark()
        reason = self._reason() or gone
        with contextlib.suppress(OSError):
            self.sweep.stop_file.unlink(missing_ok=True)
        return reason

    def _run_all(self, pending: Sequence[Planned], unchecked: Sequence[Planned]) -> None:
        """Run what is pending, the first updates of what is unchecked before all others if that is wanted."""
        with waiting(self.console, "Ray: starting"):
            nodes = self.session.nodes(given_up=lambda: self._reason() is not None)
        if nodes is None:
            return
        self._say(f"Ray: {told(nodes, self.session.is_here)}")
        at_once, check = self.options.at_once, self.options.check
        count = max(len(pending), self.search.total - len(self.search.planned) + len(pending))
        wanted = None if at_once == "auto" else at_once
        share = share_out(count, wanted, self.cores, nodes, self.options.resources)
        if check is None:
            check = len(pending) > CHECKED_ABOVE or at_once == "auto"
        if at_once == "auto" and not unchecked:
            self._say("there is no new setting whose memory could be measured: one trial per core, or GPU")
        if check and unchecked:
            found = self._checked(unchecked, share)
            if found is None:
                return
            if at_once == "auto" and found:
                places = enough_for(found, self.cores, nodes)
                share = share_out(count, places, self.cores, nodes, self.options.resources)
        self._say(
            f"trials at once: {share.at_once}; each has cores: {share.cpus:g}"
            + (f", GPUs: {share.gpus:g}" if share.gpus else "")
        )
        self._run(self.search, share)
        self._advise(share)

    def _reason(self) -> str | None:
        return self.flag.signal or stop_reason(self.sweep.folder) or self.hours.over()

    def _checked(self, trials: Sequence[Planned], share: Share) -> Sequence[Memory] | None:
        """Let these trials do their first updates, from which they go on later; the memory that they take.

        None where some cannot, or the sweep is ended.
        """
        self._say(f"check: {CHECK_UPDATES} updates of each of {len(trials)} settings")
        found = self._run(Grid(trials), share, CHECK_UPDATES)
        names = {trial.name for trial in trials}  # not all were begun if the sweep is ended
        failed = [trial for trial in self.sweep.trials() if trial.name in names and trial.status == "failed"]
        if failed:
            self._say(
                f"check: {len(failed)} of {len(trials)} settings failed, and nothing long was started; mend "
                f"them, or train the others all the same: {self._again('--check no', 'check=False')}"
            )
        return None if failed or self._reason() is not None else found

    def _run(self, search: Search, share: Share, updates: int | None = None) -> Sequence[Memory]:
        """Run trials, each for so many updates, or to its end; the memory that they said they take."""
        known = {trial.name: trial for trial in self.sweep.trials()}
        trials = self.search.planned
        progress = SweepProgress(
            epochs={trial.name: trial.config.optim.epochs for trial in trials},
            labels=labels_of(trials) | {t.name: drawn_label(t) for t in trials if t.asked or t.label},
            before={name: known[name].status for name in (t.name for t in trials) if name in known},
            at_once=share.at_once,
            console=self.console,
            shared=shared_of(trials),
            total=self.search.total,
        )

        def spec(trial: Planned) -> dict[str, Any]:
            folder = self.sweep.prepare(trial)
            place = self.places[trial.build]
            stop_file = self.sweep.stop_file
            how = self.options.keep, share.gpus, share.cpus
            return trial_spec(trial.name, trial.config, place, folder, stop_file, updates, *how)

        storage = self.sweep.folder / RAY_FOLDER  # which all nodes see
        judges: Sequence[Listener] = [search] if isinstance(search, Listener) else []
        running = Trials(
            search,
            spec,
            session=self.session,
            stop_file=self.sweep.stop_file,
            flag=self.flag,
            share=share,
            retries=self.retries,
            nodes=self.nodes,
            hours=self.hours,
            known=self.known,
            listeners=[progress, self.tracking, self.reporter, *judges, self],
        )
        with progress:
            try:
                running.run(storage)
            except BaseException:
                self.session.kill()
                running.end()
                raise
            finally:
                shutil.rmtree(storage, ignore_errors=True)
        return running.memory

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

    def _remark(self) -> None:
        """What the search has to say that it has not said before."""
        for line in self.search.remarks:
            if line not in self._said:
                self._said.add(line)
                self._say(line)

    def _say(self, text: str) -> None:
        with contextlib.suppress(OSError):  # a terminal that was closed
            self.console.print(text, highlight=False, markup=False, soft_wrap=True)


def _unchecked(pending: Sequence[Planned], known: Mapping[str, Trial]) -> list[Planned]:
    """One trial of each setting of which none has got anywhere yet, or failed for its settings."""
    begun = {
        setting_of(each.config, each.dataset_id)
        for each in known.values()
        if each.status != "failed" or (each.record is not None and each.record.failure is not None)
    }
    found: dict[tuple[TrialConfig, str], Planned] = {}
    for trial in pending:
        found.setdefault(trial.setting, trial)
    return [trial for setting, trial in found.items() if setting not in begun]
