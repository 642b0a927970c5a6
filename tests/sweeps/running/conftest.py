"""Trials to run, and a Ray Tune that is made up."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from epropnp.training.recipes import Recipe
from epropnp.training.record import config_note, write_config
from sweeps.running import tune as module
from sweeps.search.search import Planned
from tests.sweeps.cells import trials_of


@pytest.fixture
def trials(tiny: Recipe) -> tuple[Planned, ...]:
    return trials_of(tiny, seeds=[0, 1])


@pytest.fixture
def prepare(tmp_path: Path) -> Callable[[Planned], Path]:
    """Makes the folder of a trial."""

    def prepare(planned: Planned) -> Path:
        folder = tmp_path / planned.name
        write_config(folder, config_note(planned.config, "0123456789ab"))
        return folder

    return prepare


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Ray Tune is given; it trains nothing."""
    given: dict[str, Any] = {}

    def with_resources(trainable: Any, resources: dict[str, float]) -> tuple[Any, dict[str, float]]:
        return trainable, resources

    def tuner(trainable: Any, **options: Any) -> Any:
        given.update(options, trainable=trainable)
        return SimpleNamespace(fit=lambda: given.update(fitted=True))

    monkeypatch.setattr(module.tune, "with_resources", with_resources)
    monkeypatch.setattr(module.tune, "Tuner", tuner)
    return given
