"""Mixed precision where it belongs: backbone and head in half, readouts, pose layer and loss in float32."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from epropnp.evaluation.evaluator import predict
from epropnp.inference.precision import autocast, computed
from epropnp.pnp import Correspondences
from epropnp.training.inference import inference_of
from epropnp.training.trainer import Trainer
from tests.training.tiny import with_optim

pytestmark = pytest.mark.usefixtures("bf16_anywhere")

DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@pytest.mark.parametrize("precision", DTYPES)
def test_matrix_products_run_in_the_precision_that_was_asked_for(precision: str) -> None:
    with autocast(torch.device("cpu"), precision):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == DTYPES[precision]
    assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_a_cpu_without_instructions_for_bf16_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epropnp.inference.precision.cpu_has_bf16", lambda: False)
    with autocast(torch.device("cpu"), "bf16"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    assert computed(torch.device("cuda"), "bf16") == "bf16"  # whatever the CPU beside it
    assert computed(torch.device("cpu"), "fp16") == "fp16"


def trainer_of(precision: str, dataset: Path, folder: Path) -> Trainer:
    """Of two images, without augmentation."""
    config = with_optim(precision=precision, batch_size=2)
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, overfit=2, points=16))
    return Trainer(config, dataset, folder, "cpu")


def watch(trainer: Trainer) -> dict[str, list[torch.dtype]]:
    """Dtypes that leave each part of the network and enter the pose layer; whether autocast is on there."""
    seen: dict[str, list[torch.dtype]] = {}

    def note(name: str, module: nn.Module) -> None:
        module.register_forward_hook(lambda *call: seen.setdefault(name, []).append(call[-1].dtype))

    net, layer = trainer.net, trainer.objective.layer
    convolutions = [module for module in net.backbone.modules() if isinstance(module, nn.Conv2d)]
    for name, module in [
        ("first", convolutions[0]),
        ("last", convolutions[-1]),
        ("head", net.head),
        ("maps", net.output),
        ("scales", net.scale),
    ]:
        note(name, module)

    def inside(function: Any) -> Any:
        def called(given: Correspondences, **named: Any) -> Any:
            assert not torch.is_autocast_enabled("cpu")
            tensors = (given.points_obj, given.points_img, given.weights)
            seen.setdefault("layer", []).extend(t.dtype for t in tensors)
            return function(given, **named)

        return called

    layer.monte_carlo = inside(layer.monte_carlo)  # type: ignore[method-assign]
    layer.solve = inside(layer.solve)  # type: ignore[method-assign]
    return seen


HALF, FULL = ("first", "last", "head"), ("maps", "scales", "layer")


@pytest.mark.parametrize("precision", DTYPES)
def test_training_and_evaluation_run_the_network_in_the_configs_precision_and_nothing_else(
    tiny_dataset: Path, tmp_path: Path, precision: str
) -> None:
    trainer = trainer_of(precision, tiny_dataset, tmp_path)
    seen = watch(trainer)
    (batch,) = next(trainer.data.batches(1))
    loss = trainer._part_loss(batch, 0)
    expected = {name: {DTYPES[precision] if name in HALF else torch.float32} for name in (*HALF, *FULL)}
    assert {name: set(dtypes) for name, dtypes in seen.items()} == expected
    assert {value.dtype for value in (loss.total, *loss.raw.values())} == {torch.float32}
    assert {p.grad.dtype for p in trainer.net.parameters() if p.grad is not None} == {torch.float32}
    seen.clear()
    predict(
        inference_of(trainer.net, trainer.objective.layer, trainer.config),
        trainer.data.evaluation("validation"),
    )
    assert {name: set(dtypes) for name, dtypes in seen.items()} == expected
