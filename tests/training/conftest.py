"""Datasets shared by the tests of training."""

from pathlib import Path

import pytest

from epropnp.data.reader import ArrowDataset
from tests.training.mixed_records import mixed_dataset


@pytest.fixture(scope="session")
def mixed(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs beside renderings, a symmetric object, detected boxes: see `mixed_records`."""
    return mixed_dataset(tmp_path_factory.mktemp("sets") / "mixed", ArrowDataset(tiny_dataset))
