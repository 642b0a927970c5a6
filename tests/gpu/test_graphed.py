"""The objective as a CUDA graph gives what it gives kernel by kernel, to which it gives way where it must."""

import copy
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from epropnp.data.dataset import Batch
from epropnp.data.reader import ArrowDataset
from epropnp.losses.algebra import Loss, LossValue
from epropnp.models.network import Prediction
from epropnp.training.config import LossConfig
from epropnp.training.data import TrialData
from epropnp.training.graphed import Loss as GraphedLoss
from epropnp.training.graphed import graphed
from epropnp.training.objective import Objective
from epropnp.training.terms import TERMS
from tests.gpu.small_trial import TINY, near_truth

CONFIG = replace(TINY, pnp=replace(TINY.pnp, rslm_proposals=4, learn_delta=True))


def seen(dataset: Path, count: int) -> list[tuple[Prediction, Batch]]:
    """Batches with different predictions."""
    device = torch.device("cuda")
    data = TrialData(CONFIG, dataset, device)
    found = []
    for epoch in range(1, count + 1):
        (batch,) = next(data.batches(epoch))
        draw = torch.Generator(device).manual_seed(epoch)
        side, size = batch.mask.shape[-1], len(batch.mask)
        maps = Prediction(
            coords=0.02 * torch.randn(size, 3, side, side, device=device, generator=draw),
            weight_logits=0.1 * torch.randn(size, 2, side, side, device=device, generator=draw),
            log_scale=0.1 * torch.randn(size, 2, device=device, generator=draw),
        )
        found.append((near_truth(maps, batch), batch))
    return found


def results(
    loss_of: GraphedLoss, objective: Objective, given: list[tuple[Prediction, Batch]]
) -> list[dict[str, Tensor]]:
    """All that comes out of some steps, the state of the generator and of the objective included."""
    generator = torch.Generator("cuda").manual_seed(5)
    found = []
    for prediction, batch in given:
        leaves = {name: x.detach().clone().requires_grad_() for name, x in vars(prediction).items()}
        loss = loss_of(Prediction(**leaves), batch, generator)
        objective.zero_grad()
        (2 * loss.total).backward()
        out: dict[str, Any] = {"total": loss.total, **{f"raw {k}": v for k, v in loss.raw.items()}}
        out |= {f"weighted {k}": v for k, v in loss.weighted.items()}
        out |= {f"gradient of {name}": x.grad for name, x in leaves.items()}
        out |= {f"gradient of {name}": x.grad for name, x in objective.named_parameters()}
        out |= {name: x.clone() for name, x in objective.named_buffers()}
        found.append({name: x.detach().cpu() for name, x in out.items()} | {"rng": generator.get_state()})
    return found


def an_objective(dataset: Path, loss: LossConfig = CONFIG.loss) -> Objective:
    return Objective(replace(CONFIG, loss=loss), ArrowDataset(dataset).objects)


@pytest.mark.gpu
def test_replayed_losses_gradients_and_state_are_those_of_single_kernels(tiny_dataset: Path) -> None:
    given = seen(tiny_dataset, 3)
    plain = an_objective(tiny_dataset).cuda().train()
    recorded = copy.deepcopy(plain)
    loss_of = graphed(recorded, torch.device("cuda"))
    expected, found = results(plain, plain, given), results(loss_of, recorded, given)
    assert vars(loss_of)["_recordings"]  # it is a graph
    for one, other in zip(expected, found, strict=True):
        for name, value in one.items():
            torch.testing.assert_close(other[name], value, rtol=1e-4, atol=1e-6, msg=name)
    assert expected[0]["total"] != expected[1]["total"]


@pytest.mark.gpu
def test_what_cannot_be_recorded_runs_kernel_by_kernel(
    tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    given = seen(tiny_dataset, 2)
    objective = an_objective(tiny_dataset).cuda().train()
    reference = copy.deepcopy(objective)
    expected = results(reference, reference, given[:1])
    plain = Objective.forward

    def waits(self: Objective, *args: Any) -> LossValue:
        value = plain(self, *args)
        value.total.item()
        return value

    monkeypatch.setattr(Objective, "forward", waits)
    loss_of = graphed(objective, torch.device("cuda"))
    with caplog.at_level(logging.WARNING):
        found = results(loss_of, objective, given)
    torch.testing.assert_close(found[0]["total"], expected[0]["total"])
    assert [record.message.startswith("the losses run kernel by kernel") for record in caplog.records] == [
        True
    ]


def test_without_cuda_and_with_terms_of_ones_own_it_is_the_objective_itself(
    tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = an_objective(tiny_dataset)
    assert graphed(objective, torch.device("cpu")) is objective
    monkeypatch.setitem(TERMS, "mine", Loss.term("mine", lambda scene: scene.prediction.log_scale.mean()))
    own = an_objective(tiny_dataset, LossConfig(own=(("mine", 0.5),)))
    assert graphed(own, torch.device("cuda")) is own
