"""Early stopping over real trial folders with made-up curves: what is judged, saved, and gone on with."""

import dataclasses
import json
import math
import random
from pathlib import Path

import pytest

from epropnp.errors import UserError
from epropnp.training.halt import stop_reason
from epropnp.training.recipes import Recipe
from epropnp.training.record import Record
from epropnp.training.result import Metrics, TrialResult
from sweeps.folder import Sweep, open_sweep
from sweeps.search.grid import Grid
from sweeps.search.search import Planned, Search
from sweeps.search.stopper import Stopper, free
from sweeps.search.stopping import Rule
from sweeps.space import Axis, Cell
from sweeps.sweep import _search
from sweeps.trial import Trial, read
from tests.sweeps.cells import cells_of
from tests.sweeps.search.bench import Bench

EPOCHS, DATASET = 9, "0123456789ab"
RATES = (3e-4, 1e-5, 1e-2, 1e-3, 1e-4, 3e-3)


def score(trial: Planned, epoch: int) -> float:
    """Rates near 1e-3 are better, from the first epoch on; seeds differ by half a point."""
    config = trial.config
    return (50 - 10 * abs(math.log10(config.optim.lr) + 3) + 0.5 * config.seed) * (1 - 0.5**epoch)


@dataclasses.dataclass
class Ground:
    """A sweep whose trials train one epoch after the other, one trial at a time, until something kills it."""

    sweep: Sweep
    recipe: Recipe
    result: TrialResult
    epochs: list[tuple[str, int]] = dataclasses.field(default_factory=list)

    def stopper(self, rule: Rule = "asha", seeds: tuple[int, ...] = (0, 1)) -> Stopper:
        """As a call begins."""
        axes = (Axis.of("optim.lr", RATES), Axis.of("optim.epochs", [EPOCHS]))
        cells = cells_of(self.recipe, *axes, backbones=["test_resnet"], seeds=seeds)
        stopper = Stopper(Grid(self.sweep.planned(cells, DATASET)), rule, self.sweep)
        for trial in self.sweep.trials():
            stopper.tell(trial)
        return stopper

    def train(self, trial: Planned, stopper: Stopper, left: int) -> int:
        """Up to its end, a stop, or as many epochs; how many are left then."""
        folder = self.sweep.prepare(trial)
        record = Record.read(folder)
        history: list[Metrics] = list(record.history) if record else []
        first = True
        while stop_reason(folder) is None and len(history) <= EPOCHS and left:
            epoch, left = len(history), left - 1
            earlier = history if first else []
            history = [*history, {"val/add_area": score(trial, epoch)}]
            first = False
            self.epochs.append((trial.name, epoch))
            Record(status="running", history=history).write(folder)
            if left:  # else it was killed before the sweep had heard of it
                stopper.reported(trial.name, {"epoch": epoch, "metrics": history[-1], "earlier": earlier})
        if stop_reason(folder) is not None:
            Record(status="stopped", reason=stop_reason(folder), history=history).write(folder)
        elif len(history) > EPOCHS:
            (folder / "result.json").write_text(self.result.to_json())
        return left

    def run(self, stopper: Search, epochs: int = 10_000) -> bool:
        """Whether it came to its end before so many epochs were trained."""
        assert isinstance(stopper, Stopper)
        while not stopper.done:
            trial = stopper.ask()
            if trial is None:
                break
            epochs = self.train(trial, stopper, epochs)
            if not epochs:
                return False
            stopper.tell(read(self.sweep.trial_folder(trial.name)))
        return True

    @property
    def outcome(self) -> dict[str, tuple[str, str | None, int | None]]:
        """Status, reason and last judged epoch of every trial."""
        return {trial.name: (trial.status, trial.reason, self.judged(trial)) for trial in self.sweep.trials()}

    def judged(self, trial: Trial) -> int | None:
        file = self.sweep.trial_folder(trial.name) / "decided.json"
        return int(json.loads(file.read_text())["epoch"]) if file.exists() else None


@pytest.fixture
def ground(tmp_path: Path, tiny: Recipe, result: TrialResult) -> Ground:
    return Ground(open_sweep(tmp_path / "mine"), tiny, result)


@pytest.fixture
def other(tmp_path: Path, tiny: Recipe, result: TrialResult) -> Ground:
    return Ground(open_sweep(tmp_path / "other"), tiny, result)


def test_hopeless_settings_end_early_and_their_other_seeds_are_saved(ground: Ground) -> None:
    assert ground.run(ground.stopper())
    by_rate: dict[float, list[Trial]] = {}
    for trial in ground.sweep.trials():
        by_rate.setdefault(trial.config.optim.lr, []).append(trial)
    # In their order: the first one has nobody beside it; 1e-2 and 1e-4 come after better ones.
    assert [trial.status for trial in by_rate[1e-3]] == ["finished"] * 2
    assert [trial.status for trial in by_rate[3e-4]] == ["finished"] * 2
    for rate in (1e-5, 1e-2, 1e-4):
        first, second = by_rate[rate]
        assert first.reason is not None
        assert first.reason.startswith("asha: ")
        assert len(first.history) == 2  # epochs 0 and 1
        assert second.reason == f"another seed of its setting was stopped: {first.reason}"
        assert second.history == ()


@pytest.mark.parametrize("rule", ["asha", "median"])
def test_gone_on_with_after_any_epoch_it_decides_the_same(ground: Ground, other: Ground, rule: Rule) -> None:
    assert ground.run(ground.stopper(rule))
    rng = random.Random(3)
    while not other.run(other.stopper(rule), rng.randrange(1, 9)):
        pass
    assert other.outcome == ground.outcome
    assert other.epochs == ground.epochs  # none twice, in the same order
    assert "stopped" in {status for status, _, _ in ground.outcome.values()}


def test_a_decision_stands_that_was_made_just_before_a_kill(
    ground: Ground, other: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ground.run(ground.stopper())

    def killed(stopper: Stopper, trial: Planned, reason: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Stopper, "_stop", killed)
        with pytest.raises(KeyboardInterrupt):
            other.run(other.stopper())
    assert other.run(other.stopper())
    assert other.outcome == ground.outcome
    assert other.epochs == ground.epochs


def test_what_is_decided_is_not_decided_again(ground: Ground) -> None:
    """Later settings are better, so that the first ones would be stopped now."""
    stopper = ground.stopper(seeds=(0,))
    ground.run(stopper, 4)  # of 3e-4: epochs 0 to 3
    for trial in ground.sweep.trials():
        assert ground.judged(trial) == 2  # the epoch of the kill had not been heard of
    late = ground.stopper(seeds=(0,))
    first = late.ask()
    assert first is not None
    assert ground.judged(read(ground.sweep.trial_folder(first.name))) == 3
    assert ground.run(ground.stopper(seeds=(0,)))
    before = ground.outcome
    assert ground.run(ground.stopper(seeds=(0,)))
    assert ground.outcome == before


def test_one_seed_of_a_setting_runs_at_a_time(ground: Ground) -> None:
    stopper = ground.stopper()
    asked = [stopper.ask() for _ in range(len(RATES) + 1)]
    assert asked[-1] is None
    assert not stopper.done
    assert {trial.config.optim.lr for trial in asked if trial is not None} == set(RATES)
    assert {trial.config.seed for trial in asked if trial is not None} == {0}
    first = asked[0]
    assert first is not None
    ground.train(first, stopper, 100)
    stopper.tell(read(ground.sweep.trial_folder(first.name)))
    second = stopper.ask()
    assert second is not None
    assert (second.config.optim.lr, second.config.seed) == (first.config.optim.lr, 1)


def stopped_seeds(ground: Ground) -> tuple[Trial, Trial]:
    """Of the rate of 1e-4: the one that was judged, and the one that was spared."""
    first, second = [trial for trial in ground.sweep.trials() if trial.config.optim.lr == 1e-4]
    return first, second


def test_seeds_that_ran_side_by_side_before_there_was_a_rule_are_saved_too(ground: Ground) -> None:
    for trial in ground.stopper().planned:
        if trial.config.optim.lr in (3e-4, 1e-4):
            history = [{"val/add_area": score(trial, epoch)} for epoch in range(3)]
            Record(status="running", history=history).write(ground.sweep.prepare(trial))
    assert ground.run(ground.stopper())
    first, second = stopped_seeds(ground)
    assert (first.status, second.status) == ("stopped", "stopped")
    assert second.reason == f"another seed of its setting was stopped: {first.reason}"
    assert len(second.history) == 3


@pytest.mark.parametrize(("rule", "which"), [("asha", 1), ("median", 0)])
def test_what_somebody_frees_is_trained_to_its_end_through_kills(
    ground: Ground, rule: Rule, which: int
) -> None:
    assert ground.run(ground.stopper(rule))
    freed = stopped_seeds(ground)[which]
    (ground.sweep.trial_folder(freed.name) / "stop").unlink()
    assert not ground.run(ground.stopper(rule), 1)
    assert not ground.run(ground.stopper(rule), 3)
    assert ground.run(ground.stopper(rule))
    found = stopped_seeds(ground)
    assert found[which].status == "finished"
    assert found[1 - which].status == "stopped"


def test_freed_by_a_call_it_is_judged_no_more(ground: Ground) -> None:
    assert ground.run(ground.stopper())
    none: list[Cell] = []
    _search(none, ground.sweep, {(): DATASET}, "none", 5.0)
    assert not ground.run(ground.stopper(), 1)
    assert ground.run(ground.stopper())
    assert {trial.status for trial in ground.sweep.trials()} == {"finished"}


def test_a_stop_that_cannot_be_removed_is_said_in_a_line(ground: Ground) -> None:
    assert ground.run(ground.stopper())
    file = ground.sweep.trial_folder(stopped_seeds(ground)[0].name) / "stop"
    file.unlink()
    file.mkdir()
    with pytest.raises(UserError, match=r"stop cannot be removed \(Is a directory\)"):
        free(file.parent)


def test_what_only_its_test_is_left_of_is_not_stopped_with_its_setting(ground: Ground) -> None:
    assert ground.run(ground.stopper())
    folder = ground.sweep.trial_folder(stopped_seeds(ground)[1].name)
    (folder / "stop").unlink()
    history = [{"val/add_area": 1.0}] * (EPOCHS + 1)
    Record(status="finished", history=history).write(folder)  # its result was removed
    assert ground.run(ground.stopper())
    assert read(folder).status == "finished"


def test_epochs_after_a_stop_do_not_count(ground: Ground) -> None:
    """A trial that trained on for a while until it heard of it is not compared at later rungs."""
    stopper = ground.stopper(seeds=(0,))
    ground.run(stopper)
    stopped = next(trial for trial in ground.sweep.trials() if trial.status == "stopped")
    folder = ground.sweep.trial_folder(stopped.name)
    more = [*stopped.history, *({"val/add_area": 99.0} for _ in range(4))]
    Record(status="stopped", reason=stopped.reason, history=more).write(folder)
    again = ground.stopper(seeds=(0,))
    (known,) = [s for s in again._settings.values() if stopped.name in s.curves]
    assert [len(curve) for curve in known.curves.values()] == [2]
    assert known.stopped == stopped.reason


def test_a_damaged_decision_is_made_again(ground: Ground) -> None:
    ground.run(ground.stopper(seeds=(0,)), 3)
    (trial,) = ground.sweep.trials()
    (ground.sweep.trial_folder(trial.name) / "decided.json").write_text("[")
    assert ground.run(ground.stopper(seeds=(0,)))


def test_of_a_cell_that_cannot_be_trained_no_other_seed_is_tried(bench: Bench) -> None:
    study = bench.search("optim.lr=1e-5:1e-1:log", cells=2, sampler="random", seeds=(0, 1))
    stopper, asked = Stopper(study, "asha", bench.sweep), []
    running = [stopper.ask(), stopper.ask()]
    assert stopper.ask() is None  # the other seeds are held back
    first = running[0]
    assert first is not None
    bench.fate = lambda config: "diverged" if config.optim.lr == first.config.optim.lr else "finished"
    while not stopper.done:
        trial = running.pop(0) if running else stopper.ask()
        if trial is not None:
            asked.append(trial.config)
            bench.end(trial)
            stopper.tell(read(bench.sweep.trial_folder(trial.name)))
    assert [(config.optim.lr == first.config.optim.lr, config.seed) for config in asked] == [
        (True, 0),
        (False, 0),
        (False, 1),
    ]
    assert study.remarks[0].startswith("search: best of 1 cells is ")
