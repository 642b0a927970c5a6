"""Scores of images without the poses that they might come from."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from epropnp.evaluation.pose_errors import PoseErrors
from sweeps.results.tested import ImageScores


def counted(sample_id: Sequence[str], object_id: np.ndarray, values: Mapping[str, np.ndarray]) -> ImageScores:
    """What these images count; their errors are unknown."""
    unknown = {field.name: np.full(len(sample_id), np.nan) for field in dataclasses.fields(PoseErrors)}
    return ImageScores(
        sample_id=list(sample_id),
        object_id=object_id,
        values=values,
        errors=PoseErrors(**unknown),
        T_true=np.tile(np.eye(4), (len(sample_id), 1, 1)),
        names={number: f"object {number}" for number in object_id.tolist()},
    )
