"""Three trials that score differently, each the best in another score: real prediction files, made by hand.

Every predicted pose is the true one, moved by a known length: that length is ADD, and the angle is 0. What
the files must score is worked out here by plain means, without the code under test. The two objects have
other diameters and numbers of images, so that an average over all images is not that over objects.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from epropnp.data.schema import ObjectModel
from epropnp.evaluation.predictions import Predictions
from tests.evaluation import known_errors

DIAMETER_M = {6: 0.1, 8: 0.2}
OBJECT_ID = np.array([6, 8, 6, 6, 8, 6, 8, 6, 6, 8], np.int16)  # of each image: six cats, four drills
LOST = 0.4
SHIFT_M = {  # of each image, in the order of OBJECT_ID
    "test_resnet": (0.0095, 0.0195, 0.0095, 0.0095, 0.0195, 0.0095, 0.0195, 0.0095, LOST, LOST),
    "test_convnext": (0.0005, 0.001, 0.0005, 0.0005, 0.001, LOST, LOST, LOST, LOST, LOST),
    "test_vit": (0.0095, 0.035, 0.0095, 0.035, 0.035, 0.035, 0.035, 0.035, 0.035, 0.035),
}
BEST = {"ADD(-S) 0.10d": "test_resnet", "ADD(-S) area": "test_convnext", "5deg5cm": "test_vit"}

Count = Callable[[float, float], float]  # what an image counts, 0 to 1, from its shift and the diameter
COUNTS: dict[str, Count] = {
    "add_0.02d": lambda shift, diameter: shift < 0.02 * diameter,
    "add_0.05d": lambda shift, diameter: shift < 0.05 * diameter,
    "add_0.10d": lambda shift, diameter: shift < 0.1 * diameter,
    "add_mean3": lambda shift, diameter: sum(shift < part * diameter for part in (0.02, 0.05, 0.1)) / 3,
    "add_area": lambda shift, diameter: max(0.0, 1 - shift / (0.1 * diameter)),
    "2deg2cm": lambda shift, _: shift < 0.02,
    "5deg5cm": lambda shift, _: shift < 0.05,
    "10deg10cm": lambda shift, _: shift < 0.1,
    "degcm_mean_1_10": lambda shift, _: sum(shift < n / 100 for n in range(1, 11)) / 10,
}


def objects() -> dict[int, ObjectModel]:
    """The two models; the name of neither asks for a measure of its own."""
    return {
        i: dataclasses.replace(known_errors.model(f"object{i}"), object_id=i, diameter_m=size)
        for i, size in DIAMETER_M.items()
    }


def predictions(backbone: str) -> Predictions:
    """What one of the three trials predicted, each image under a name and a truth of its own."""
    places = [(0.01 * i, 0.02, 1.0 + 0.05 * i) for i in range(len(OBJECT_ID))]
    truth = np.concatenate(
        [known_errors.pose(known_errors.turn("z", 10.0 * i), t=place) for i, place in enumerate(places)]
    )
    found = truth.copy()
    found[:, 0, 3] += SHIFT_M[backbone]
    return dataclasses.replace(known_errors.predictions(found, truth), object_id=OBJECT_ID, objects=objects())


def write(backbone: str, folder: Path) -> None:
    """Put its prediction file into the folder of a trial."""
    folder.mkdir(parents=True, exist_ok=True)
    predictions(backbone).write(folder / "predictions.parquet")


def percent(backbone: str, key: str) -> float:
    """The score of a trial: mean over the images of each object, then over objects."""
    pairs = list(zip(SHIFT_M[backbone], OBJECT_ID.tolist(), strict=True))
    means = [
        np.mean([COUNTS[key](shift, DIAMETER_M[i]) for shift, i in pairs if i == object_id])
        for object_id in DIAMETER_M
    ]
    return 100 * float(np.mean(means))
