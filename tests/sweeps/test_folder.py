"""A sweep's folder: made anew, or the newest one found again with all that it was started with."""

import json
import os
import time
from pathlib import Path

import pytest

from epropnp.errors import UserError
from epropnp.plain import to_dict
from epropnp.training.config import config_hash
from epropnp.training.recipes import Recipe
from sweeps.flags import SweepConfig
from sweeps.folder import Sweep, create_folders, find_sweep, started_with
from sweeps.space import plan_trials


def note(out: Path, name: str, time_s: float) -> None:
    """A sweep that was started or resumed at a time."""
    (out / name).mkdir(parents=True)
    file = out / name / "sweep.json"
    file.write_text(json.dumps({"sweep_id": f"id-{name}", "name": name, "arguments": ["--seeds", name]}))
    os.utime(file, (time_s, time_s))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Three sweeps, of which the newest is neither the first nor the last by name."""
    for name, time_s in (("b", 100.0), ("c", 300.0), ("a", 200.0), ("d", 50.0)):
        note(tmp_path, name, time_s)
    return tmp_path


def test_the_newest_sweep_is_resumed_where_none_is_named(out: Path) -> None:
    config = SweepConfig(out=out, resume=True)
    assert find_sweep(config, "quick") == Sweep(name="c", sweep_id="id-c", folder=out / "c")
    assert started_with(config) == ["--seeds", "c"]


def test_a_named_sweep_is_resumed_whatever_its_age(out: Path) -> None:
    config = SweepConfig(out=out, resume=True, name="d")
    assert find_sweep(config, "quick") == Sweep(name="d", sweep_id="id-d", folder=out / "d")
    assert started_with(config) == ["--seeds", "d"]


def test_a_name_that_is_not_there_is_no_reason_to_take_another(out: Path) -> None:
    with pytest.raises(UserError, match=f"no sweep 'e' in {out}"):
        find_sweep(SweepConfig(out=out, resume=True, name="e"), "quick")


def test_a_new_sweep_is_named_by_recipe_and_time_or_as_one_likes(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "strftime", lambda form: f"at {form}")
    first, second = (find_sweep(SweepConfig(out=out), "best") for _ in range(2))
    assert first.name == "best-at %Y%m%d-%H%M%S"
    assert first.folder == out / first.name
    assert first.sweep_id != second.sweep_id
    named = find_sweep(SweepConfig(out=out, name="mine"), "best")
    assert (named.name, named.folder) == ("mine", out / "mine")
    assert not named.folder.exists()


def test_folders_note_what_is_trained_and_how_the_sweep_was_started(out: Path, tiny: Recipe) -> None:
    sweep = Sweep(name="mine", sweep_id="a1", folder=out / "mine")
    trials = plan_trials([tiny])
    create_folders(sweep, trials, "0123456789ab", ["--seeds", "1", "2"])
    for trial in trials:
        assert sweep.trial_folder(trial.name) == out / "mine" / "trials" / trial.name
        text = (out / "mine" / "trials" / trial.name / "trial.json").read_text()
        assert json.loads(text) == {
            "hash": config_hash(trial.config),
            "dataset_id": "0123456789ab",
            "config": to_dict(trial.config),
        }
    found = SweepConfig(out=out, resume=True)
    assert find_sweep(found, "quick") == sweep
    assert started_with(found) == ["--seeds", "1", "2"]


def test_a_resumed_sweep_becomes_the_newest_and_keeps_its_words_without_resume(out: Path) -> None:
    sweep = find_sweep(SweepConfig(out=out, resume=True, name="d"), "quick")
    create_folders(sweep, [], "0123456789ab", ["--seeds", "d", "--resume", "--epochs", "3"])
    config = SweepConfig(out=out, resume=True)
    assert find_sweep(config, "quick") == sweep
    assert started_with(config) == ["--seeds", "d", "--epochs", "3"]


def test_a_sweep_whose_trials_are_refused_does_not_become_the_newest(out: Path, tiny: Recipe) -> None:
    trials, others = plan_trials([tiny]), plan_trials([tiny], epochs=9)
    sweep = Sweep(name="b", sweep_id="id-b", folder=out / "b")
    for trial in trials:
        folder = sweep.trial_folder(trial.name)
        folder.mkdir(parents=True)
        text = {"hash": config_hash(trial.config), "dataset_id": "x", "config": to_dict(trial.config)}
        (folder / "trial.json").write_text(json.dumps(text))
    with pytest.raises(UserError, match=r"started with optim\.epochs=2 \(now 9\)"):
        create_folders(sweep, others, "x", ["--epochs", "9"])
    assert find_sweep(SweepConfig(out=out, resume=True), "quick").name == "c"
    assert started_with(SweepConfig(out=out, resume=True, name="b")) == ["--seeds", "b"]
