"""The end of a sweep: the answer, and the scores of the setting that validation prefers."""

import dataclasses
from pathlib import Path

import pytest

from epropnp.training.result import TrialResult
from sweeps.folder import open_sweep
from sweeps.tracking.events import TEXT_CHARACTERS
from sweeps.tracking.sweep_events import end_of_sweep, preferred_setting
from sweeps.tracking.trial_words import NOTE_TAG
from sweeps.trial import Trial
from tests.sweeps import told, tracked
from tests.sweeps.tracking.written import write_trial


def trial(result: TrialResult, rate: float, seed: int, area: float | None, tested: float = 0.0) -> Trial:
    """One whose validation found an area, if it finished."""
    own = dataclasses.replace(result, validation={"add_area": area or 0.0}, test={"add_area": tested})
    made = told.ended(f"{rate}-{seed}", "finished", result=own) if area else told.ended("x", "failed")
    config = dataclasses.replace(
        made.config, optim=dataclasses.replace(made.config.optim, lr=rate), seed=seed
    )
    return dataclasses.replace(made, config=config)


def test_validation_prefers_the_best_mean_of_those_that_lack_no_seed(result: TrialResult) -> None:
    better = [trial(result, 0.1, 0, 30.0), trial(result, 0.1, 1, 50.0)]
    worse = [trial(result, 0.2, 0, 60.0), trial(result, 0.2, 1, 10.0)]
    lacking = [trial(result, 0.3, 0, 90.0), trial(result, 0.3, 1, None)]
    assert preferred_setting([*worse, *better, *lacking]) == better
    assert preferred_setting(lacking) == lacking[:1]
    assert preferred_setting([]) == []


def test_the_parent_says_the_answer_and_the_scores_once(
    uri: str, tmp_path: Path, result: TrialResult
) -> None:
    sweep = open_sweep(tmp_path)
    sweep.write()
    write_trial(sweep.trial_folder("a"), result, [8.0])
    section = "x" * (TEXT_CHARACTERS - 100)
    (tmp_path / "summary.md").write_text(
        f"# Sweep\n\n- best is a\n\n## first\n\nfew\n\n## second\n\n{section}"
    )
    (tmp_path / "report.html").write_text("page")
    event = end_of_sweep(sweep, "FINISHED")
    for runs in (tracked.sender(uri, tmp_path), tracked.sender(uri, tmp_path)):
        runs.carry(event)
    run = tracked.runs(uri, tmp_path)["sweep"]
    note = run.data.tags[NOTE_TAG]
    assert note.startswith("# Sweep\n\n- best is a\n\nValidation prefers `resnet34` ")
    assert "## first" in note
    assert "## second" not in note  # a table that is cut off is none
    assert tracked.history(uri, run, "test/add_mean3") == [(0, 41.3333)]
    assert run.data.metrics["test/add_0.10d"] == pytest.approx(result.test["add_0.10d"])
    assert set(tracked.artifacts(uri, run)) == {"summary.md", "report.html"}


def test_a_sweep_without_results_says_so(tmp_path: Path) -> None:
    event = end_of_sweep(open_sweep(tmp_path / "rates"), "KILLED", "SIGTERM")
    assert event["tags"][NOTE_TAG] == "Sweep rates: no trial has finished."
    assert (event["scores"], event["files"]) == ({}, [])
