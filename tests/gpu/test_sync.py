"""A training step waits for its device nowhere between the batch and the gradients.

The trainer waits once a step, when it asks whether loss and gradient are finite.
"""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from epropnp.data.dataset import Batch
from epropnp.data.reader import ArrowDataset
from epropnp.inference.poses import as_image
from epropnp.inference.precision import autocast
from epropnp.models.network import CorrespondenceNet
from epropnp.training.objective import Objective
from tests.gpu.small_trial import TINY, first_batch, moved, random_net
from tests.gpu.waiting import NoWaiting, cuda_waits_are_errors

CONFIG = replace(TINY, pnp=replace(TINY.pnp, rslm_proposals=4))


def gradients(net: CorrespondenceNet, objective: Objective, batch: Batch, generator: torch.Generator) -> None:
    with autocast(batch.image.device, "bf16"):
        prediction = net(as_image(batch.image))
    objective(prediction, batch, generator).total.backward()


def test_a_training_step_never_waits(device: str, tiny_dataset: Path) -> None:
    net = moved(random_net(CONFIG.model), device).train()
    objective = Objective(CONFIG, ArrowDataset(tiny_dataset).objects).to(device)
    batch, generator = first_batch(tiny_dataset, CONFIG, device), torch.Generator(device).manual_seed(0)
    gradients(net, objective, batch, generator)  # loads kernels and libraries
    if device == "cuda":
        with cuda_waits_are_errors():
            gradients(net, objective, batch, generator)
    else:
        with NoWaiting(device) as guard:
            gradients(net, objective, batch, generator)
        assert guard.seen > 1000


@pytest.mark.gpu
def test_cuda_tells_of_a_wait() -> None:
    with pytest.raises(RuntimeError, match="synchroniz"), cuda_waits_are_errors():
        torch.ones(1, device="cuda").item()
