"""Trials to run, and their folders."""

from collections.abc import Callable
from pathlib import Path

import pytest

from epropnp.training.recipes import Recipe
from epropnp.training.record import config_note, write_config
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
