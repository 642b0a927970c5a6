"""Sweeps that tests search in."""

from pathlib import Path

import pytest

from epropnp.training.recipes import Recipe
from epropnp.training.result import TrialResult
from sweeps.folder import open_sweep
from tests.sweeps.search.bench import Bench


@pytest.fixture
def bench(tmp_path: Path, tiny: Recipe, result: TrialResult) -> Bench:
    return Bench(open_sweep(tmp_path / "mine"), tiny, result)


@pytest.fixture
def other(tmp_path: Path, tiny: Recipe, result: TrialResult) -> Bench:
    return Bench(open_sweep(tmp_path / "other"), tiny, result)
