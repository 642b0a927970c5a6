"""When a sweep registers its best network: at its end, if MLflow has all of it, and if it is wanted."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from sweeps.called import Called
from sweeps.flags import SweepConfig
from sweeps.folder import Sweep
from sweeps.results.report import Report
from sweeps.running.outcome import Outcome
from sweeps.sweep import _registered
from sweeps.tracking import champion
from sweeps.tracking.place import Place
from tests.sweeps.commands.made import a_sweep


def outcome(interrupted: str | None = None, recorded: bool = True) -> Outcome:
    report = Report(title="mine", rows=[], summary=None)
    return Outcome(report=report, infeasible=(), interrupted=interrupted, recorded=recorded)


@pytest.mark.parametrize(
    ("name", "ended", "given"),
    [
        ("", outcome(), [None]),
        ("cats", outcome(), ["cats"]),
        (None, outcome(), []),
        ("", outcome(interrupted="SIGTERM"), []),
        ("", outcome(recorded=False), []),
    ],
)
def test_only_what_is_over_and_recorded_is_registered(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str | None,
    ended: Outcome,
    given: list[str | None],
) -> None:
    names: list[str | None] = []

    def crowned(sweep: Sweep, place: Place, name: str | None) -> str:
        assert place.uri == f"sqlite:///{tmp_path / 'mlflow.db'}"
        names.append(name)
        return "[a] is models:/cats/1"

    monkeypatch.setattr(champion, "crowned", crowned)
    told = io.StringIO()
    _registered(a_sweep(tmp_path, "mine"), None, name, ended, Console(file=told))
    assert names == given
    said = "MLflow: registering the network that validation prefers\n[a] is models:/cats/1\n"
    assert told.getvalue() == said * len(given)


@pytest.mark.parametrize(("flag", "name"), [(None, ""), ("cats", "cats"), ("no", None)])
def test_the_flag_names_the_model(flag: str | None, name: str | None) -> None:
    config = SweepConfig(register=flag)
    called = Called(commands=[config], words=())
    assert called.options.register == name
