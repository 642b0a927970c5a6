"""A sweep from MLflow alone: the files of its trials, byte for byte, and the same tables."""

from pathlib import Path

import pytest

from epropnp.errors import UserError
from epropnp.training.result import TrialResult
from sweeps import compare
from sweeps.folder import Sweep, open_sweep
from sweeps.results.tested import read_tested
from sweeps.tracking.events import PARENT
from sweeps.tracking.fetch_sweep import FILES, fetch_sweep
from sweeps.tracking.mlflow_runs import MlflowRuns
from sweeps.tracking.place import place_at
from sweeps.tracking.tracker import Tracker
from sweeps.tracking.trial_events import facts_of
from tests.inference.measured import latency
from tests.sweeps import graded
from tests.sweeps.made_sweeps import begin, finish


@pytest.fixture
def recorded(tmp_path: Path, result: TrialResult) -> Sweep:
    """Three trials that finished and one that did not, of which MLflow has heard all."""
    for backbone in graded.SHIFT_M:
        finish(tmp_path / "one", result, backbone)
    begin(tmp_path / "one", "test_vit", 1)
    sweep, place = open_sweep(tmp_path / "one"), place_at(None, tmp_path)
    runs = MlflowRuns(
        uri=place.uri,
        sweep_id=sweep.sweep_id,
        sweep_name=sweep.name,
        root=sweep.folder,
        artifacts=place.artifacts,
        facts=facts_of(sweep.trial_folder, sweep.folder),
    )
    tracker = Tracker(runs, tmp_path / "spool.jsonl")
    tracker.start(PARENT, {})
    for trial in sweep.trials():
        if trial.status == "finished":
            read_tested(sweep.trial_folder(trial.name))  # leaves the errors that a trainer would
            latency(8.0).write(sweep.trial_folder(trial.name))
        for event in facts_of(sweep.trial_folder, sweep.folder)(trial.name):
            tracker.say(event)
    tracker.finish(PARENT, "FINISHED")
    assert tracker.close(120.0)
    return sweep


@pytest.mark.slow
def test_it_is_compared_as_from_its_folder(
    recorded: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    words = ["one", "--figures", "no", "--out", str(tmp_path), "--output"]
    assert compare.main([*words, str(tmp_path / "a")]) == 0
    recorded.folder.rename(tmp_path / "away")
    assert compare.main([*words, str(tmp_path / "b"), "--mlflow"]) == 0
    for name in ("accuracy.csv", "objects.csv", "networks.csv"):
        assert (tmp_path / "a" / name).read_text() == (tmp_path / "b" / name).read_text()
    fetched = fetch_sweep(place_at(None, tmp_path), "one", tmp_path / "fetched")
    for folder in (tmp_path / "away" / "trials").iterdir():
        for name in FILES:
            if (folder / name).exists():
                assert (fetched.trial_folder(folder.name) / name).read_bytes() == (folder / name).read_bytes()
    capsys.readouterr()
    assert compare.main(["oen", "--out", str(tmp_path), "--mlflow"]) == 2
    assert "there is no sweep 'oen' in MLflow" in capsys.readouterr().err


def test_without_a_database_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no runs are recorded in"):
        fetch_sweep(place_at(None, tmp_path), "one", tmp_path / "fetched")
