"""A `best.pt` of a network that nobody has trained, at once: what is written and read is the same."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch

from epropnp.data.schema import ObjectModel
from epropnp.inference.model import TrainedModel, load_model, portable, save_checkpoint
from epropnp.models.network import CorrespondenceNet
from epropnp.plain import to_dict
from epropnp.pnp import PnPConfig
from tests.training.tiny import tiny

OFF_ITS_MIDDLE = ObjectModel(
    object_id=3,
    name="hook",
    diameter_m=0.2,
    bounds_min=np.array([-0.015, -0.06, 0.02]),  # the origin lies near one side, and below
    bounds_max=np.array([0.105, 0.04, 0.15]),
    symmetric=False,
    symmetries=np.eye(4)[None],
    points=np.random.default_rng(0).uniform(-0.015, 0.04, (50, 3)).astype(np.float32),
)


def write_untrained(path: Path, objects: tuple[ObjectModel, ...] = (OFF_ITS_MIDDLE,), **model: Any) -> Path:
    """Weights are random, and so large that all cells of the maps differ."""
    config = tiny(
        model=dataclasses.replace(tiny().model, **model),
        pnp=PnPConfig(learn_delta=True),
        optim=dataclasses.replace(tiny().optim, precision="bf16"),
    )
    torch.manual_seed(0)
    net = CorrespondenceNet(config.model)
    with torch.no_grad():
        for readout in (net.output, net.scale):
            readout.weight.normal_(std=0.3)
    state = {
        "config": to_dict(config),
        "net": net.state_dict(),
        "objective": {"layer.log_delta": torch.tensor(-2.5)},
        **portable({each.object_id: each for each in objects}),
        "temperatures": {
            "posterior": {"scale": 1.5, "tail": 0.1},
            "covariance": {"scale": 0.5, "tail": 0.25},
        },
        "dataset_id": "0123456789ab",
        "boxes": "whole",
    }
    save_checkpoint(path, state)
    return path


def untrained(folder: Path, **model: Any) -> TrainedModel:
    """What `load_model` makes of such a file."""
    return load_model(write_untrained(folder / "best.pt", **model))
