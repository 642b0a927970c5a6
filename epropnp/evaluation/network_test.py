"""A trained network on the test split of any dataset of its objects, without training."""

import numpy as np

from epropnp.data.dataset import CropDataset, chosen_boxes
from epropnp.data.reader import ArrowDataset
from epropnp.errors import UserError
from epropnp.evaluation.evaluator import predict
from epropnp.evaluation.predictions import Predictions
from epropnp.inference.model import TrainedModel

_SAME_M = 1e-5  # of bounds: what a table rounds


def predict_test(model: TrainedModel, dataset: ArrowDataset) -> Predictions:
    """Predictions of every test image, in order; boxes and poses as the network's settings say.

    Raises:
        UserError: the dataset shows objects that the network does not know, or under other coordinates; or it
            lacks test images, or the boxes that the settings ask for.
    """
    records = dataset.split("test")
    if not len(records):
        raise UserError(f"{dataset.path} has no test images")
    _check_objects(model, dataset)
    settings, config = model.inference.settings, model.inference.model
    crops = CropDataset(
        dataset,
        "test",
        input_px=config.input_px,
        map_px=config.map_px,
        boxes=chosen_boxes(settings.test_boxes, records),
        noise=settings.detector,
    )
    return predict(model.inference, crops, model.temperatures)


def _check_objects(model: TrainedModel, dataset: ArrowDataset) -> None:
    shown = np.unique(dataset.split("test").column("object_id")).tolist()
    for object_id in shown:
        theirs, own = dataset.objects[object_id], model.objects.get(object_id)
        if own is None:
            known = ", ".join(each.name for each in model.objects.values())
            raise UserError(f"{dataset.path} shows {theirs.name}, which the network does not know ({known})")
        if np.abs(own.coord_scale - theirs.coord_scale).max() > _SAME_M:
            raise UserError(
                f"{dataset.path}: {theirs.name} has other bounds than the mesh that the network was trained "
                "on, so that its coordinates mean other points: build the dataset from the same meshes"
            )
