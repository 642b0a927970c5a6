"""Datasets shared by the tests: built once, also when several test processes run side by side."""

from collections.abc import Iterator
from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked `gpu` skip where there is none."""
    if item.get_closest_marker("gpu") is not None:
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests leave the user's cache alone, also in the processes that they start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EPROPNP_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A rendered stand-in cat: 64 training, 12 validation and 12 test samples."""
    from pipelines.build import BuildConfig, build

    base = tmp_path_factory.getbasetemp()
    root = (base if worker_id == "master" else base.parent) / "datasets"
    config = BuildConfig(
        objects=("cat",), train=64, validation=12, test=12, mesh_resolution=40, background_count=8
    )
    return build(config, root, workers=1, progress=False)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real LineMOD data; tests that need it skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the real LineMOD data at {SHARED_DATA}")
    return SHARED_DATA
