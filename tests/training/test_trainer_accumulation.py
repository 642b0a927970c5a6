"""Accumulation: the gradient of a batch in parts is that of the whole batch, computed here from scratch."""

import copy
import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from epropnp.data.dataset import Batch
from epropnp.models.network import CorrespondenceNet
from epropnp.pnp import Correspondences
from epropnp.training.config import DataConfig, LossConfig
from epropnp.training.trainer import Trainer
from tests.training.tiny import with_optim

COORD, MC, NORM = 2.0, 0.3, 4.0  # weights of the terms, and the running scale


class Smooth(nn.Module):
    """In place of the pose layer: functions without random numbers, of each object by itself."""

    def monte_carlo(self, given: Correspondences, **_: Any) -> Any:
        moments = (given.weights * given.points_img).mean((1, 2))
        return SimpleNamespace(log_evidence=moments, delta=None)

    def cost(self, given: Correspondences, pose: Tensor, **_: Any) -> Tensor:
        return given.points_obj.square().sum((1, 2))


def whole_loss(net: CorrespondenceNet, batch: Batch) -> Tensor:
    """The same loss of a whole batch, from the maps themselves."""
    out = net(batch.image.permute(0, 3, 1, 2) / 255)
    cells = out.coords.shape[-1]
    coord = ((out.coords - batch.coords).abs() * batch.mask[:, None]).mean()
    share = out.weight_logits.flatten(2).softmax(2)  # (B, 2, h*w)
    weights = share * out.log_scale.exp()[..., None] * cells / batch.side[:, None, None]
    centre = (torch.arange(cells) + 0.5) / cells
    x, y = centre.repeat(cells), centre.repeat_interleave(cells)
    px = batch.corner[:, :, None] + torch.stack([x, y]) * batch.side[:, None, None]  # (B, 2, h*w)
    metres = out.coords * batch.coord_scale[:, :, None, None]
    mc = (metres.square().sum((1, 2, 3)) + (weights * px).mean((1, 2))).mean() / NORM
    return COORD * coord + MC * mc


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_a_batch_in_parts_is_updated_along_the_gradient_of_the_whole(
    tiny_dataset: Path, tmp_path: Path, parts: int
) -> None:
    """Without batch statistics, over all cells (in random order), and with the running scale at rest."""
    loss = LossConfig(coord=COORD, mc=MC, coord_mean="all")
    config = with_optim(accumulate=parts, batch_size=8, clip_norm=None)
    config = dataclasses.replace(config, loss=loss, data=DataConfig(points=256))
    trainer = Trainer(config, tiny_dataset, tmp_path, "cpu")
    trainer.net.eval()
    trainer.objective.eval()
    trainer.objective.layer = Smooth()  # type: ignore[assignment]
    trainer.objective.monte_carlo.norm_factor.fill_(NORM)
    nn.init.normal_(trainer.net.output.weight, std=0.1)
    reference = copy.deepcopy(trainer.net)
    gradients: list[Tensor] = []
    trainer.updates.optimiser.register_step_pre_hook(
        lambda *_: gradients.extend(p.grad.clone() for p in trainer.net.parameters() if p.grad is not None)
    )
    batches = next(trainer.data.batches(1))
    assert [len(part.index) for part in batches] == [8 // parts] * parts
    value = trainer._update(batches, 0)

    whole = Batch(**{name: torch.cat([vars(part)[name] for part in batches]) for name in vars(batches[0])})
    expected = whole_loss(reference, whole)
    expected.backward()
    assert value.item() == pytest.approx(expected.item(), rel=1e-4)
    assert len(gradients) == len(list(reference.parameters()))
    for found, p in zip(gradients, reference.parameters(), strict=True):
        assert p.grad is not None
        size = p.grad.abs().max().item()
        torch.testing.assert_close(found, p.grad, rtol=1e-3, atol=1e-4 * size + 1e-8)
