"""What the sweep tests share: a tiny recipe and made-up results."""

import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from epropnp.evaluation.estimate import Estimate
from epropnp.files import fill_folder
from epropnp.training.recipes import Recipe
from epropnp.training.result import TrialResult
from sweeps.results.columns import Row
from sweeps.running.cluster import environment
from sweeps.search.search import Planned
from tests.sweeps.cells import tiny_recipe, trials_of

os.environ.update(environment(None))  # before a test module imports Ray

SCORES = {
    "add_0.02d": 10.0,
    "add_0.05d": 44.0,
    "add_0.10d": 70.0,
    "add_mean3": 124 / 3,
    "add_area": 36.25,
    "2deg2cm": 20.0,
    "5deg5cm": 60.0,
    "10deg10cm": 90.0,
    "degcm_mean_1_10": 55.5,
}


@pytest.fixture(scope="session")
def empty_database(shared: Path) -> Callable[[Path], Path]:
    """Put an empty MLflow database into a folder, new or not: its migration takes seconds."""

    def make(work: Path) -> None:
        from mlflow import MlflowClient

        MlflowClient(f"sqlite:///{work / 'mlflow.db'}").search_experiments()

    def put(folder: Path) -> Path:
        folder.mkdir(exist_ok=True)
        shutil.copy(shared / "mlflow" / "mlflow.db", folder)
        return folder

    fill_folder(shared / "mlflow", shared / "mlflow.work", make)
    return put


@pytest.fixture(scope="session")
def uri(empty_database: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> str:
    """One MLflow database for all tests of a process."""
    return f"sqlite:///{empty_database(tmp_path_factory.mktemp('mlflow')) / 'mlflow.db'}"


@pytest.fixture
def tiny() -> Recipe:
    """Seconds per trial."""
    return tiny_recipe()


@pytest.fixture
def planned(tiny: Recipe) -> Planned:
    """One trial of the tiny recipe."""
    return trials_of(tiny, backbones=["test_resnet"])[0]


@pytest.fixture
def result(planned: Planned) -> TrialResult:
    """A finished trial with scores that are easy to recognise."""
    return TrialResult(
        recipe=planned.config.recipe,
        backbone=planned.config.model.backbone,
        head=planned.config.model.head,
        loss_weight=0.02,
        pretrained=False,
        weights_sha256=None,
        parameters=1_234_567,
        seconds=61.4,
        epochs=2,
        best_epoch=2,
        skipped=0,
        seed=0,
        config_hash="0" * 12,
        dataset_id="abc123def456",
        test_images=501,
        val_before={"add_0.10d": 0.5},
        val_after={"add_0.10d": 71.25},
        test=dict(SCORES),
    )


@pytest.fixture
def made_row(planned: Planned, result: TrialResult) -> Callable[..., Row]:
    """A finished trial of another recipe, backbone or seed, with intervals of +-5.

    No two trials are alike: the k-th one that is made has k points more in every score, and so on.
    """
    made: list[Row] = []

    def make(recipe: str = "tiny", backbone: str = "test_resnet", seed: int = 0) -> Row:
        k = len(made)
        model = dataclasses.replace(planned.config.model, backbone=backbone)
        scores = {key: value + k for key, value in SCORES.items()}
        row = Row(
            name=f"{recipe}-{backbone}-seed{seed}",
            config=dataclasses.replace(planned.config, recipe=recipe, model=model, seed=seed),
            dataset_id="abc123def456",
            result=dataclasses.replace(
                result,
                recipe=recipe,
                backbone=backbone,
                seed=seed,
                parameters=result.parameters + 100_000 * k,
                seconds=result.seconds + 10 * k,
                epochs=result.epochs + 20 * k,
                val_before={"add_0.10d": 0.5 + k},
                val_after={"add_0.10d": 71.25 + k},
                test={key: value + 0.25 for key, value in scores.items()},
                train_loss=[3.0 + k, 2.0 + k],
                val_add=[0.5 + k, 40.0 + k, 71.25 + k],
            ),
            scores={key: Estimate(value, value - 5, value + 5) for key, value in scores.items()},
        )
        made.append(row)
        return row

    return make
