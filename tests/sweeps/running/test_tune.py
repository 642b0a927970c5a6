"""What Ray Tune is given to run, and what it is answered when it asks for trials; Tune itself is made up."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray import cloudpickle
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.search import Searcher

from epropnp.errors import UserError
from sweeps.running.worker import run_trial, trial_spec
from sweeps.search.grid import Grid
from sweeps.search.search import Planned
from tests.sweeps.running.listening import Ear, run


def test_tune_is_told_names_resources_limits_and_callbacks(
    given: dict[str, Any],
    trials: tuple[Planned, ...],
    prepare: Callable[[Planned], Path],
    tmp_path: Path,
) -> None:
    run(Grid(trials), prepare, tmp_path)
    assert given["fitted"]
    assert given["trainable"] == (run_trial, {"cpu": 5, "gpu": 0.5})
    assert "param_space" not in given
    config = given["tune_config"]
    assert (config.max_concurrent_trials, config.num_samples, config.reuse_actors) == (3, -1, True)
    spec = trial_spec(trials[1].name, trials[1].config, "d", tmp_path, tmp_path / "stop")
    ray_trial = SimpleNamespace(config={"trial": spec})
    assert config.trial_name_creator(ray_trial) == config.trial_dirname_creator(ray_trial) == trials[1].name
    ray_run = given["run_config"]
    assert (ray_run.name, ray_run.storage_path) == ("tune", str(tmp_path / "ray"))
    assert ray_run.failure_config.max_failures == 4
    assert not ray_run.failure_config.fail_fast  # a failed trial does not stop the others
    (relay,) = ray_run.callbacks
    assert isinstance(relay, TrialProgressCallback)  # else Tune would print tables of its own


@pytest.mark.parametrize("updates", [None, 2])
def test_each_trial_is_asked_for_in_turn_and_run_in_its_own_folder(
    given: dict[str, Any],
    trials: tuple[Planned, ...],
    prepare: Callable[[Planned], Path],
    tmp_path: Path,
    updates: int | None,
) -> None:
    run(Grid(trials), prepare, tmp_path, updates=updates)
    searcher = given["tune_config"].search_alg
    assert isinstance(searcher, Searcher)
    for trial in trials:
        assert not (tmp_path / trial.name).exists()  # made when it is asked for
        assert searcher.suggest("any id") == {
            "trial": trial_spec(
                trial.name,
                trial.config,
                "s3://bucket/lm",
                tmp_path / trial.name,
                tmp_path / "stop",
                updates,
            )
        }
        assert (tmp_path / trial.name / "trial.json").is_file()
        searcher.on_trial_complete("any id")
    assert searcher.suggest("any id") == Searcher.FINISHED


def test_each_trial_is_run_on_its_own_dataset(
    given: dict[str, Any],
    trials: tuple[Planned, ...],
    prepare: Callable[[Planned], Path],
    tmp_path: Path,
) -> None:
    run(Grid(trials), prepare, tmp_path, dataset=lambda trial: f"on {trial.name}")
    searcher = given["tune_config"].search_alg
    for trial in trials:
        assert searcher.suggest("any id")["trial"]["dataset"] == f"on {trial.name}"


def test_a_search_that_waits_for_others_to_end_is_asked_again(
    given: dict[str, Any],
    trials: tuple[Planned, ...],
    prepare: Callable[[Planned], Path],
    tmp_path: Path,
) -> None:
    answers = [None, trials[2], None]
    search: Any = SimpleNamespace(done=False, ask=lambda: answers.pop(0), tell=lambda trial: None)
    run(search, prepare, tmp_path)
    searcher = given["tune_config"].search_alg
    assert searcher.suggest("a") is None
    assert searcher.suggest("b")["trial"]["name"] == trials[2].name
    assert searcher.suggest("c") is None
    search.done = True
    assert searcher.suggest("d") == Searcher.FINISHED


def test_no_other_trial_starts_while_there_is_a_file_stop(
    given: dict[str, Any],
    trials: tuple[Planned, ...],
    prepare: Callable[[Planned], Path],
    tmp_path: Path,
) -> None:
    search = Grid(trials)
    run(search, prepare, tmp_path)
    searcher = given["tune_config"].search_alg
    assert searcher.suggest("a")["trial"]["name"] == trials[0].name
    (tmp_path / "stop").touch()
    assert searcher.suggest("b") == Searcher.FINISHED
    assert search.ask() == trials[1]  # none was lost


def test_a_folder_that_cannot_be_made_is_the_users_error(
    given: dict[str, Any], trials: tuple[Planned, ...], tmp_path: Path
) -> None:
    def full(planned: Planned) -> Path:
        raise UserError("free some space")

    run(Grid(trials), full, tmp_path)
    with pytest.raises(UserError, match="free some space"):
        given["tune_config"].search_alg.suggest("a")


def test_ray_can_store_what_it_is_given(
    given: dict[str, Any],
    trials: tuple[Planned, ...],
    prepare: Callable[[Planned], Path],
    tmp_path: Path,
) -> None:
    """Which it does before anything runs; listeners and folders hold what cannot be stored."""
    lock = threading.Lock()

    def locked(planned: Planned) -> Path:
        with lock:
            return prepare(planned)

    run(Grid(trials), locked, tmp_path, [Ear()])
    with pytest.raises(TypeError, match="lock"):
        cloudpickle.dumps(locked)
    for stored in (given["tune_config"], given["run_config"]):
        cloudpickle.loads(cloudpickle.dumps(stored))
    searcher = given["tune_config"].search_alg
    searcher.save_to_dir(str(tmp_path))
    searcher.restore(str(tmp_path / "nothing"))
    assert searcher.suggest("a")["trial"]["name"] == trials[0].name
