"""A trained network in files that do without this code: ONNX, and a program of `torch.export`.

Both hold the network from the crop to its maps, in float32, for any number of crops:

    image          float32 (batch, 3, input_px, input_px), RGB in [0, 1]: what `poses.as_image` makes of bytes
    coords         float32 (batch, 3, input_px / 4, input_px / 4)
    weight_logits  float32 (batch, 2, input_px / 4, input_px / 4)
    log_scale      float32 (batch, 2)

and, as a text (see `card`), all that prediction needs besides. A file gets its name only when it agrees with
the network.
"""

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from epropnp.errors import UserError, first_line
from epropnp.extras import require
from epropnp.files import replaced
from epropnp.inference.card import CARD, to_text
from epropnp.inference.model import TrainedModel, without_weights
from epropnp.inference.onnx_net import INPUT, OUTPUTS, OnnxNet
from epropnp.inference.poses import as_image
from epropnp.models.config import ModelConfig

CARD_FILE = f"{CARD}.json"  # in a program's archive
BATCHES = (1, 3)  # on which a file is compared
TOLERANCE = 1e-3  # relative, of each output


def export_onnx(model: TrainedModel, path: Path) -> float:
    """Write a network as ONNX, which `Predictor` and `load_model` take in the place of its `best.pt`.

    Returns:
        the largest deviation from the network on random crops, relative to the largest value of an output.

    Raises:
        UserError: a library is missing, the network cannot be exported, what was exported deviates from it
            by more than 1e-3, or the file cannot be written. What was at `path` stays.
    """
    require("an export to ONNX", "export")
    net = _named(model)
    program = _program(net, model.inference.model)
    with _said_in_a_line(model.inference.model):
        onnx = torch.onnx.export(
            program,
            dynamo=True,
            verbose=False,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_shapes={INPUT: {0: "batch"}},
        )
    assert onnx is not None
    onnx.model.metadata_props[CARD] = to_text(without_weights(model))
    with replaced(path) as unfinished:
        onnx.save(str(unfinished), external_data=False)
        written = OnnxNet(unfinished, torch.device("cpu"))
        return _compared(path, net, lambda image: vars(written(image)), model.inference.model)


def export_program(model: TrainedModel, path: Path) -> float:
    """Write a network as a program of `torch.export`, for `torch.export.load` and compilers of torch.

    Returns and raises: as `export_onnx`; no further library is needed.
    """
    net = _named(model)
    program = _program(net, model.inference.model)
    with replaced(path) as unfinished:
        with unfinished.open("wb") as file:
            torch.export.save(program, file, extra_files={CARD_FILE: to_text(without_weights(model))})
        with unfinished.open("rb") as file:
            written = torch.export.load(file).module()
        return _compared(path, net, written, model.inference.model)


class _Named(nn.Module):
    """A network whose outputs go by name in a dictionary: programs know no dataclasses."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        found: dict[str, Tensor] = vars(self.net(image))
        return found


def _named(model: TrainedModel) -> _Named:
    """A copy on the CPU that nothing trains."""
    if isinstance(model.inference.net, OnnxNet):
        raise UserError("this network is an export already: export the best.pt that it came from")
    net = copy.deepcopy(model.inference.net).cpu().to(memory_format=torch.contiguous_format)
    return _Named(net).eval().requires_grad_(False)


def _program(net: _Named, config: ModelConfig) -> ExportedProgram:
    example = torch.zeros(
        2, 3, config.input_px, config.input_px
    )  # a batch of 1 would be taken for a constant
    with _said_in_a_line(config):
        return torch.export.export(net, (example,), dynamic_shapes={INPUT: {0: Dim("batch")}})


@contextmanager
def _said_in_a_line(config: ModelConfig) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch about itself
            yield
    except Exception as error:  # the exporters raise many kinds
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise UserError(
            f"backbone '{config.backbone}' with head '{config.head}' cannot be exported ({reason})"
        ) from error


@torch.no_grad()
def _compared(
    path: Path, net: _Named, written: Callable[[Tensor], Mapping[str, Tensor]], config: ModelConfig
) -> float:
    """The largest relative deviation on random crops; a UserError where it is too large."""
    random, worst = torch.Generator().manual_seed(0), 0.0
    for batch in BATCHES:
        shape = (batch, config.input_px, config.input_px, 3)
        image = as_image(torch.randint(256, shape, generator=random, dtype=torch.uint8))
        expected = net(image)
        with _said_in_a_line(config):
            found = written(image)
        for name, values in expected.items():
            size = values.abs().max().clamp(min=torch.finfo(values.dtype).tiny)
            deviation = float((found[name] - values).abs().max() / size)
            if not deviation <= TOLERANCE:
                raise UserError(
                    f"{path} is not written: {name} would deviate from the network's by {deviation:.1e}, "
                    f"more than {TOLERANCE:g}; try other versions of torch and onnxruntime"
                )
            worst = max(worst, deviation)
    return worst
