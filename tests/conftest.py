"""Datasets shared by the tests: built once, also when several test processes run side by side."""

import gc
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.forked import Origin

if TYPE_CHECKING:
    from epropnp.training.config import TrialConfig

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked `gpu` skip where there is none."""
    if item.get_closest_marker("gpu") is not None:
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests are a million objects: to look for garbage among them costs seconds, for nothing."""
    gc.disable()
    found = yield
    gc.freeze()
    gc.enable()
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start Ray come first: one process runs them one after the other, and none ends alone."""
    items.sort(key=lambda item: item.get_closest_marker("ray") is None)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests leave the user's cache alone, also in the processes that they start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EPROPNP_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _signals_reach_what_tests_start() -> None:
    """Under nohup or in a script's background they are ignored, which is inherited; a handler is not."""
    for number in (signal.SIGHUP, signal.SIGINT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.fixture
def bf16_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process bf16 is computed as such, also where the CPU has no instructions for it."""
    monkeypatch.setattr("epropnp.inference.precision.cpu_has_bf16", lambda: True)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder of all processes that run tests side by side."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


@pytest.fixture(scope="session")
def photographs(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The BOP folder of `tests.photographs`, written once for all processes."""
    from epropnp.files import locked
    from tests.photographs import write_photographs

    kept = _kept("photographs") or shared / "photographs"
    with locked(kept.with_suffix(".lock")):  # else each process would draw them
        if not kept.is_dir():
            write_photographs(tmp_path_factory.mktemp("photographs") / "bop", resolution=40).rename(kept)
    return kept


def _kept(name: str) -> Path | None:
    """Where runs of the tests keep something for the next ones, if they are told a folder for that."""
    root = os.environ.get("EPROPNP_TEST_DATA")
    return Path(root) / name if root else None


@pytest.fixture(scope="session")
def tiny_dataset(photographs: Path, shared: Path) -> Path:
    """The stand-in cat and the symmetric eggbox: 64 training, 12 validation and 12 test samples.

    Of each object train 8 photographs (see `photographs`) and 24 renderings, and 6 photographs validate. Test
    samples are 6 renderings of the cat and 6 photographs of the eggbox.
    """
    from tests.tiny_dataset import build_tiny

    root = _kept("datasets") or shared / "datasets"
    return build_tiny(photographs, root)


def _trained(name: str, config: "TrialConfig", dataset: Path, root: Path) -> Path:
    """Folder of a finished trial, which one of all processes has trained: only to be read."""
    from epropnp.files import fill_folder
    from epropnp.training.trainer import Trainer

    def train(work: Path) -> None:
        Trainer(config, dataset, work, "cpu").fit()

    fill_folder(root / name, root / f"{name}.work", train)
    return root / name


@pytest.fixture(scope="session")
def trained(tiny_dataset: Path, shared: Path) -> Path:
    """Folder of the trial of `tests.training.tiny`: only to be read."""
    from tests.training.tiny import tiny

    return _trained("trained", tiny(), tiny_dataset, shared)


@pytest.fixture(scope="session")
def trained_in_fives(tiny_dataset: Path, shared: Path) -> Path:
    """The same with evaluations in several batches; see `tests.inference.trials`."""
    from tests.inference.trials import tested_in_fives

    return _trained("fives", tested_in_fives(), tiny_dataset, shared)


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    """Starts processes that need not import again what trains."""
    found = Origin(tmp_path_factory.mktemp("forked"))
    yield found
    found.close()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real LineMOD data; tests that need it skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the real LineMOD data at {SHARED_DATA}")
    return SHARED_DATA
