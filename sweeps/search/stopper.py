"""A search whose settings are stopped early where their curves say that they will not win."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from epropnp.errors import UserError
from epropnp.evaluation.table import Table
from epropnp.files import replaced
from epropnp.training.config import TrialConfig
from epropnp.training.halt import STOP_FILE
from epropnp.training.result import Metrics
from sweeps.folder import Sweep
from sweeps.running.listener import Listener
from sweeps.search.grid import FINAL
from sweeps.search.search import Planned, Search, setting_key
from sweeps.search.stopping import Curve, Rule, why_stopped
from sweeps.trial import Trial

DECIDED_FILE = "decided.json"  # of a trial: how far it has been judged, and what came of it
SCORE = "val/add_area"


@dataclass
class _Setting:
    """What is known of one.

    Attributes:
        curves: of its seeds, by trial.
        running: trial of the seed that runs.
        stopped: why.
    """

    curves: dict[str, Curve] = field(default_factory=dict)
    running: str | None = None
    stopped: str | None = None


class Stopper(Listener):
    """Asks a search, one seed of a setting after the other, and judges each setting after each epoch.

    A judgement stands in the trial's folder, with the values that it comes from, and is not made again.

    Args:
        search: asks for trials.
        rule: of `why_stopped`.
        sweep: of the trials.
    """

    def __init__(self, search: Search, rule: Rule, sweep: Sweep) -> None:
        self._search, self._rule, self._sweep = search, rule, sweep
        self._settings: dict[str, _Setting] = {}
        self._trials: dict[str, Planned] = {}
        self._judged: dict[str, int] = {}  # the last epoch, by trial
        self._held: list[Planned] = []
        self._unsaid: set[str] = set()  # decided by a process that was killed before it wrote `stop`
        self._freed: set[str] = set()  # that were stopped, and go on all the same: they are judged no more

    @property
    def planned(self) -> Sequence[Planned]:
        """Those of the search."""
        return self._search.planned

    @property
    def total(self) -> int:
        """That of the search."""
        return self._search.total

    @property
    def remarks(self) -> Sequence[str]:
        """What the search has to say."""
        return self._search.remarks

    @property
    def infeasible(self) -> Collection[str]:
        """Those of the search."""
        return self._search.infeasible

    @property
    def done(self) -> bool:
        """Whether nothing will be asked any more."""
        return self._search.done and not self._held

    def tables(self) -> Sequence[Table]:
        """Those of the search."""
        return self._search.tables()

    def files(self) -> Mapping[str, Callable[[Path], None]]:
        """Those of the search."""
        return self._search.files()

    def ask(self) -> Planned | None:
        """The next trial of a setting that has none running; None where others must end first."""
        infeasible = set(self._search.infeasible)
        self._held = [trial for trial in self._held if trial.name not in infeasible]
        for trial in list(self._held):
            if self._setting(trial).running is None:
                self._held.remove(trial)
                return self._begun(trial)
        while not self._search.done and (asked := self._search.ask()) is not None:
            if self._setting(asked).running is None:
                return self._begun(asked)
            self._held.append(asked)
        return None

    def tell(self, trial: Trial) -> None:
        """A trial ended, or its folder was there before."""
        setting = self._settings.setdefault(setting_key(trial.config, trial.dataset_id), _Setting())
        setting.running = None if setting.running == trial.name else setting.running
        curve, folder = _curve(trial.history), self._sweep.trial_folder(trial.name)
        if trial.status == "waiting" and trial.record is not None and trial.record.status == "stopped":
            free(folder)  # somebody has removed its `stop`
        judged = _read(folder)
        self._judged[trial.name] = judged.get("epoch", -1)
        if judged.get("freed"):
            self._freed.add(trial.name)
        decided = judged.get("reason") is not None
        if decided and trial.status not in FINAL and not _is_trained(trial.config, curve):
            self._unsaid.add(trial.name)
        if decided and (trial.status == "stopped" or trial.name in self._unsaid):
            setting.stopped = judged["reason"]
            curve = curve[: judged["epoch"] + 1]  # what it trained until it heard of it, others never did
        setting.curves[trial.name] = curve
        self._search.tell(trial)

    def reported(self, trial: str, report: dict[str, Any]) -> None:
        """Judge the setting of a trial after an epoch."""
        planned = self._trials[trial]
        curves = self._setting(planned).curves
        before = _curve(report["earlier"]) or curves.get(trial, ())
        curves[trial] = [*before[: report["epoch"]], *_curve([report["metrics"]])]
        self._judge(planned)

    def _begun(self, trial: Planned) -> Planned:
        """Note that a trial begins. Of a setting that is stopped, it ends as soon as it looks for `stop`."""
        setting = self._setting(trial)
        setting.running = trial.name
        self._trials[trial.name] = trial
        if setting.stopped is None:
            self._judge(trial)  # by the epochs after which a sweep was killed
        elif trial.name in self._unsaid:
            self._unsaid.remove(trial.name)
            self._stop(trial, setting.stopped)
        elif not (trial.name in self._freed or _is_trained(trial.config, setting.curves.get(trial.name, ()))):
            self._stop(trial, f"another seed of its setting was stopped: {setting.stopped}")
        return trial

    def _judge(self, trial: Planned) -> None:
        """By all epochs of a trial that have not been looked at."""
        if trial.name in self._freed:
            return
        setting, key = self._setting(trial), setting_key(trial.config, trial.dataset_id)
        curves = {name: list(each.curves.values()) for name, each in self._settings.items()}
        come = min(
            len(setting.curves.get(trial.name, ())), trial.config.optim.epochs
        )  # after the last: too late
        for epoch in range(self._judged.get(trial.name, -1) + 1, come):
            reason = why_stopped(self._rule, key, curves, epoch, trial.config.optim.epochs)
            found = {"epoch": epoch, "rule": self._rule, "reason": reason}
            _write(self._sweep.trial_folder(trial.name), found)
            self._judged[trial.name] = epoch
            if reason is not None:
                setting.stopped = reason
                setting.curves[trial.name] = setting.curves[trial.name][: epoch + 1]
                self._stop(trial, reason)
                return

    def _stop(self, trial: Planned, reason: str) -> None:
        with replaced(self._sweep.prepare(trial) / STOP_FILE) as file:
            file.write_text(reason, encoding="utf-8")

    def _setting(self, trial: Planned) -> _Setting:
        return self._settings.setdefault(setting_key(trial.config, trial.dataset_id), _Setting())


def free(folder: Path) -> None:
    """Let a trial go on that was stopped, to its end: no rule judges it any more. UserError if it fails."""
    _write(folder, {"epoch": _read(folder).get("epoch", -1), "reason": None, "freed": True})
    try:
        (folder / STOP_FILE).unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{folder / STOP_FILE} cannot be removed ({error.strerror})") from error


def _is_trained(config: TrialConfig, curve: Curve) -> bool:
    """Whether all epochs are there, so that a stop would save nothing."""
    return len(curve) > config.optim.epochs


def _curve(history: Sequence[Metrics]) -> Curve:
    """The scores of epochs, as far as they have one."""
    return [metrics[SCORE] for metrics in history if SCORE in metrics]


def _read(folder: Path) -> dict[str, Any]:
    """What was decided of a trial; nothing, where that is not to be read."""
    try:
        found = json.loads((folder / DECIDED_FILE).read_text(encoding="utf-8"))
        return found if isinstance(found, dict) and isinstance(found.get("epoch"), int) else {}
    except (OSError, ValueError):
        return {}


def _write(folder: Path, decided: Mapping[str, Any]) -> None:
    with replaced(folder / DECIDED_FILE) as file:
        file.write_text(json.dumps(decided), encoding="utf-8")
