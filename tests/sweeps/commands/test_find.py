"""The sweep and the trial that are meant, and what is said of those that are not there."""

import os
from pathlib import Path

import pytest

from epropnp.errors import UserError
from epropnp.training.result import TrialResult
from sweeps.commands.find import runs, the_sweep, the_trial
from tests.sweeps.commands.made import a_sweep, begin, held


def test_a_sweep_is_found_by_its_name_or_is_the_newest(tmp_path: Path) -> None:
    for name, time_s in (("first", 300), ("second", 100)):
        os.utime(a_sweep(tmp_path, name).folder / "sweep.json", (time_s, time_s))
    assert the_sweep(tmp_path, "second").folder == tmp_path / "second"
    assert the_sweep(tmp_path, None).folder == tmp_path / "first"
    with pytest.raises(UserError, match=r"^there is no sweep 'secnd' in .*; did you mean 'second'\?$"):
        the_sweep(tmp_path, "secnd")
    for name in ("xyz", "../x", "*", "firs[t]"):
        with pytest.raises(UserError, match="there is no sweep "):
            the_sweep(tmp_path, name)
    with pytest.raises(UserError, match=r"^--out: there is no sweep in "):
        the_sweep(tmp_path / "first", None)


def test_a_trial_is_found_by_a_part_of_its_name_that_no_other_has(tmp_path: Path) -> None:
    sweep = a_sweep(tmp_path, "mine", 3)
    names = [begin(sweep, seed, "waiting").name for seed in (0, 1)]
    for name in names:
        digits = name[-6:]
        assert the_trial(sweep, name) == the_trial(sweep, digits) == name
    assert the_trial(sweep, "seed1-") == names[1]
    with pytest.raises(UserError, match=r"^'test_resnet' fits 2 trials: tiny-.*seed0-\w{6}, tiny-.*seed1-"):
        the_trial(sweep, "test_resnet")
    with pytest.raises(UserError, match=rf"^sweep mine has no trial '.*'; did you mean '{names[1][-6:]}'\?$"):
        the_trial(sweep, names[1][-6:-1] + "z")
    with pytest.raises(UserError, match="`epropnp-sweeps status` names them"):
        the_trial(sweep, "()")
    with pytest.raises(UserError, match="has not begun"):
        the_trial(sweep, sweep.planned_names[2])


def test_the_whole_name_goes_before_parts(tmp_path: Path, result: TrialResult) -> None:
    sweep = a_sweep(tmp_path, "mine", 1)
    folder = begin(sweep, 0, "waiting")
    longer = folder.with_name(folder.name + "-again")
    longer.mkdir()
    (longer / "trial.json").write_bytes((folder / "trial.json").read_bytes())
    assert the_trial(sweep, folder.name) == folder.name


def test_a_sweep_runs_while_it_or_a_trial_is_held(tmp_path: Path) -> None:
    sweep = a_sweep(tmp_path, "mine")
    folder = begin(sweep, 0, "running")
    assert not runs(sweep)
    for each in (sweep.folder, folder):
        with held(each):
            assert runs(sweep)
        assert not runs(sweep)
