"""How sweeps fare, from folders made by hand: counts, state, best validation area, last change."""

import os
from pathlib import Path

from epropnp.training.result import TrialResult
from sweeps.commands.state import Damaged, SweepState, state_of, trials_of, waiting_names
from sweeps.folder import open_sweep
from tests.sweeps.commands.made import a_sweep, begin, finish, held


def test_a_sweep_with_trials_left_was_interrupted_and_runs_while_it_is_held(
    tmp_path: Path, result: TrialResult
) -> None:
    sweep = a_sweep(tmp_path, "mine", 6)
    finish(begin(sweep, 0, "finished", 1, 40, 30), result)
    begin(sweep, 1, "failed", 2, 50.5, reason="loss is NaN")
    (begin(sweep, 2, "stopped", 5) / "stop").touch()
    running = begin(sweep, 3, "running", 1)
    (begin(sweep, 4, "waiting", 99) / "trial.json").write_text("{")
    sweep = open_sweep(tmp_path / "mine")
    for file in (sweep.folder / "sweep.json", *sweep.folder.glob("trials/*/status.json")):
        os.utime(file, (1000, 1000))
    os.utime(running / "status.json", (5000, 5000))
    found = state_of(sweep)
    expected = {"finished": 1, "failed": 1, "stopped": 1, "waiting": 2, "damaged": 1}
    assert found == SweepState(
        name="mine", state="interrupted", counts=found.counts, best_area=50.5, changed=5000
    )
    assert dict(found.counts) == expected  # one that a dead process trained, and one that has not begun
    assert waiting_names(sweep) == [sweep.planned_names[5]]
    (damaged,) = (trial for trial in trials_of(sweep) if isinstance(trial, Damaged))
    assert "trial.json is damaged" in damaged.reason
    with held(running):
        assert state_of(sweep).state == "running"
        assert dict(state_of(sweep).counts) == expected | {"waiting": 1, "running": 1}


def test_a_sweep_is_finished_when_nothing_waits(tmp_path: Path, result: TrialResult) -> None:
    sweep = a_sweep(tmp_path, "mine", 2)
    assert (state_of(sweep).state, state_of(sweep).best_area) == ("interrupted", None)
    finish(begin(sweep, 0, "finished", 1), result)
    assert state_of(sweep).state == "interrupted"
    begin(sweep, 1, "failed")
    assert (state_of(sweep).state, state_of(sweep).best_area) == ("finished", 1)


def test_of_an_older_version_only_what_was_begun_is_known(tmp_path: Path, result: TrialResult) -> None:
    begin(a_sweep(tmp_path, "mine", 2), 0, "waiting")
    file = tmp_path / "mine" / "sweep.json"
    file.write_text('{"sweep_id": "a1", "name": "mine", "commands": []}')
    assert dict(state_of(open_sweep(tmp_path / "mine")).counts) == {"waiting": 1}
