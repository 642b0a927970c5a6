"""What a job advises: commands that can be pasted where it was called by one, else arguments."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from sweeps.program import go_on_command
from sweeps.running.cluster import Share
from sweeps.running.job import Job
from sweeps.running.options import Options
from sweeps.search.grid import Grid
from sweeps.trial import Trial
from tests.sweeps.told import ended

GO_ON = go_on_command("a sweep [x]", Path("/my runs"), None)
LACK = "cuda is out of memory with a at 256 px: give each trial more of the device (--trials-at-once 1)"


def _job(trials: list[Trial], go_on: str | None) -> tuple[Job, io.StringIO]:
    """One that runs nothing."""
    said = io.StringIO()
    sweep = SimpleNamespace(trials=lambda: trials, trial_folder=Path, folder=Path("/nowhere"), varied=())
    nothing: Any = SimpleNamespace()
    fake: Any = sweep
    console = Console(file=said, width=40)
    return Job(fake, Grid([]), {}, nothing, nothing, nothing, nothing, Options(), 1, console, go_on), said


@pytest.mark.parametrize(
    ("go_on", "again"),
    [(GO_ON, f"{GO_ON} --trials-at-once 1"), (None, "at_once=1")],
    ids=["program", "function"],
)
def test_trials_without_memory_are_tried_again_one_at_a_time(go_on: str | None, again: str) -> None:
    trials = [ended("a", "failed", LACK), ended("b", "failed", "diverged"), ended("c", "finished")]
    job, said = _job(trials, go_on)
    job._advise(Share(at_once=1, cpus=1))
    assert said.getvalue() == ""  # they had all of it
    job._advise(Share(at_once=2, cpus=1))
    assert said.getvalue() == f"without memory: 1 trials; to try them one at a time: {again}\n"


@pytest.mark.parametrize(
    ("go_on", "again"), [(GO_ON, f"{GO_ON} --check no"), (None, "check=False")], ids=["program", "function"]
)
def test_a_check_that_failed_says_how_to_train_the_others(
    go_on: str | None, again: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = [ended("good", "waiting"), ended("bad", "failed"), ended("other", "failed")]
    job, said = _job(trials, go_on)
    monkeypatch.setattr(Job, "_run", lambda *given: ["memory"])
    monkeypatch.setattr(Job, "_reason", lambda job: None)
    checked: Any = [SimpleNamespace(name=name) for name in ("good", "bad")]
    assert job._checked(checked, Share(at_once=2, cpus=1)) is None
    last = said.getvalue().splitlines()[-1]
    assert last.startswith("check: 1 of 2 settings failed")
    assert last.endswith(f"train the others all the same: {again}")
    trials[1] = ended("bad", "waiting")
    found: Any = job._checked(checked, Share(at_once=2, cpus=1))
    assert found == ["memory"]


def test_a_check_that_is_ended_early_asks_nothing_of_trials_that_were_not_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job, said = _job([ended("begun", "waiting")], None)
    monkeypatch.setattr(Job, "_run", lambda *given: ["memory"])
    monkeypatch.setattr(Job, "_reason", lambda job: "SIGTERM")
    checked: Any = [SimpleNamespace(name=name) for name in ("begun", "not begun")]
    assert job._checked(checked, Share(at_once=1, cpus=1)) is None
    assert said.getvalue().splitlines() == ["check: 2 updates of each of 2 settings"]


def test_whatever_ends_a_job_its_records_are_closed_and_it_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[Any] = []
    job, said = _job([], GO_ON)
    job.tracker = SimpleNamespace(  # type: ignore[assignment]
        finish=lambda *of, **more: told.append(of), close=lambda seconds: told.append(seconds)
    )

    def fail(job: Job) -> None:
        raise RuntimeError("a bug\nof ours")

    monkeypatch.setattr(Job, "_train", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        job.run()
    assert told == [("", "FAILED", "RuntimeError: a bug"), 8.0]
    assert said.getvalue() == f"go on with: {GO_ON}\n"


@pytest.mark.parametrize(
    ("interrupted", "done", "timed"),
    [(None, True, ["time", "a"]), ("SIGTERM", True, []), (None, False, [])],  # not done: a check failed
)
def test_networks_are_timed_between_the_end_of_ray_and_the_report_of_what_is_over(
    interrupted: str | None, done: bool, timed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    job, said = _job([], None)

    def measured(*given: Any) -> list[Trial]:
        assert given[:4] == (job.sweep, job.console, job.reporter, job.tracker)
        steps.append("time")
        return [ended("a", "finished")]

    def reported(*given: Any) -> Any:
        steps.append("report")
        return SimpleNamespace(rows=[], files=[])

    search: Any = SimpleNamespace(done=done, infeasible=(), files=dict, tables=tuple)
    session: Any = SimpleNamespace(close=lambda: steps.append("close"))
    tracker: Any = SimpleNamespace(say=lambda event: None, close=lambda seconds: True)
    monkeypatch.setattr("sweeps.running.job.end_of_sweep", lambda *of: {})
    tracking: Any = SimpleNamespace(ended=lambda trial: steps.append(trial.name))
    reporter: Any = SimpleNamespace(report=reported)
    job.search, job.session, job.reporter = search, session, reporter
    job.tracker, job.tracking = tracker, tracking
    monkeypatch.setattr(Job, "_train", lambda job: interrupted)
    monkeypatch.setattr("sweeps.running.job.measure_lacking", measured)
    job.run()
    assert steps == ["close", *timed, "report"]
    assert said.getvalue().splitlines() == ["sweep: comparing settings, drawing figures and examples"]


def test_what_a_search_has_found_is_said_once_when_it_asks_for_more() -> None:
    job, said = _job([], None)
    found: list[str] = []
    nothing: Any = SimpleNamespace(remarks=found)
    job.search = nothing
    for line in ("look 1: a is dropped", "look 2: b is dropped"):
        found.append(line)
        job.asked(nothing)
        job.asked(nothing)
    assert said.getvalue().splitlines() == ["look 1: a is dropped", "look 2: b is dropped"]
