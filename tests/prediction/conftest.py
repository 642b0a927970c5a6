"""A network that knows a dataset's test crops by heart, whole pictures of them, and what its test says."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import Record
from epropnp.evaluation.evaluator import predict
from epropnp.evaluation.predictions import Predictions
from epropnp.inference.model import TrainedModel
from epropnp.inference.temperature import Temperature, Temperatures
from epropnp.prediction.pose_predictor import PosePredictor
from epropnp.training.trainer import Trainer
from tests.inference.trials import whole_picture
from tests.training.observables import NearlyTrue
from tests.training.tiny import tiny

WARM = Temperatures(posterior=Temperature(scale=0.8, tail=0.05), covariance=Temperature(scale=0.7, tail=0.1))


@dataclasses.dataclass(frozen=True)
class Shown:
    """The predictor, the records of the test split, whole pictures of them, and what the evaluation finds."""

    predictor: PosePredictor
    records: list[Record]
    pictures: list[np.ndarray]
    expected: Predictions


@pytest.fixture(scope="session")
def shown(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    trainer = Trainer(tiny(), tiny_dataset, tmp_path_factory.mktemp("shown"), "cpu")
    inference = dataclasses.replace(
        trainer._inference,
        net=NearlyTrue(trainer.data),  # type: ignore[arg-type]
        settings=dataclasses.replace(trainer._inference.settings, batch_size=5, proposals=32),
    )
    dataset = ArrowDataset(tiny_dataset)
    model = TrainedModel(
        inference=inference,
        objects=dataset.objects,
        temperatures=WARM,
        config={},
        dataset_id=dataset.dataset_id,
    )
    records = list(dataset.split("test"))
    return Shown(
        predictor=PosePredictor(model, samples=64),
        records=records,
        pictures=[whole_picture(record) for record in records],
        expected=predict(inference, trainer.data.evaluation("test"), WARM),
    )
