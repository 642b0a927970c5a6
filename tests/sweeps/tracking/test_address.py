"""Where runs are looked at: as the database says, and without what an address holds of credentials."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sweeps.folder import open_sweep
from sweeps.tracking import address as module
from sweeps.tracking.address import address_in, runs_of
from sweeps.tracking.tracker import tracker_of
from sweeps.tracking.views import ALL


def test_a_sweep_in_a_local_database_has_the_address_of_its_view(
    empty_database: Callable[[Path], Path], tmp_path: Path
) -> None:
    empty_database(tmp_path)
    sweep = open_sweep(tmp_path / "rates")
    sweep.write()
    tracker = tracker_of(sweep)
    tracker.start_sweep((), {"recipe": "quick"})
    assert tracker.close(60.0)
    shown = "http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning&viewStateShareKey={}"
    own = shown.format(f"rates-{sweep.sweep_id[:6]}")
    assert runs_of(sweep.folder, None).startswith(f"runs: {own} once ")
    assert address_in(tmp_path / "mlflow.db", ALL) == shown.format("sweeps")
    assert "viewStateShareKey" not in address_in(tmp_path / "mlflow.db", "another")


def test_without_runs_it_is_the_start_page(tmp_path: Path) -> None:
    assert address_in(tmp_path / "none.db", ALL) == "http://127.0.0.1:5000/"


def test_no_password_of_a_server_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = open_sweep(tmp_path / "rates")
    sweep.write()
    monkeypatch.setattr(module, "_experiment", lambda place: "3")
    told = runs_of(sweep.folder, "https://me:hush@host:81/mlflow")
    assert told.startswith("runs: https://host:81/mlflow/#/experiments/3/runs?")
    assert "hush" not in told
