"""On CUDA, the training objective as one graph: thousands of small kernels, launched at once.

Solver and sampling are some 4,000 kernels of a few microseconds each, more than a host can launch beside a
network. Recorded once for the shapes of a batch, loss and gradients are replayed: the same kernels on the
same random numbers, hence the same results.
"""

import logging
from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from epropnp.data.dataset import Batch
from epropnp.errors import first_line
from epropnp.losses.algebra import LossValue
from epropnp.models.network import Prediction
from epropnp.training.objective import Objective

Loss = Callable[[Prediction, Batch, torch.Generator], LossValue]
WARM_UP = 2  # runs before the recording: libraries are loaded and the layer is compiled in them

_log = logging.getLogger(__name__)


def graphed(objective: Objective, device: torch.device) -> Loss:
    """The objective in training mode, as a graph where the device can replay one.

    Terms of the user's own may do on the host what no graph replays: with them, and where CUDA refuses to
    record (the reason is logged once), every kernel is launched by itself.
    """
    if device.type != "cuda" or objective.config.loss.own:
        return objective
    return _Graphed(objective)


class _Graphed:
    """One recording for all batches of the same shapes."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self._recordings: dict[tuple[torch.Size, ...], _Recording] = {}
        self._refused = False

    def __call__(self, prediction: Prediction, batch: Batch, generator: torch.Generator) -> LossValue:
        shapes = tuple(x.shape for x in (*vars(prediction).values(), *vars(batch).values()))
        if not self._refused and shapes not in self._recordings:
            try:
                self._recordings[shapes] = _Recording(self.objective, prediction, batch)
            except Exception as error:  # CUDA and the libraries above raise anything
                why = first_line(error)
                _log.warning("the losses run kernel by kernel, for no graph of them can be made: %s", why)
                self._refused = True
        if self._refused:
            value: LossValue = self.objective(prediction, batch, generator)
            return value
        return self._recordings[shapes].replay(prediction, batch, generator)


class _Recording:
    """A graph of loss and gradients, and the memory that it reads and writes."""

    def __init__(self, objective: Objective, prediction: Prediction, batch: Batch) -> None:
        # In float32, so that a loss scale is applied before gradients are rounded to half precision.
        self._maps = {name: x.detach().float().clone() for name, x in vars(prediction).items()}
        self._batch = {name: x.clone() for name, x in vars(batch).items()}
        self._parameters = [p for p in objective.parameters() if p.requires_grad]
        self._generator = torch.Generator(batch.mask.device)
        before = [buffer.clone() for buffer in objective.buffers()]
        current, side = torch.cuda.current_stream(), torch.cuda.Stream()
        try:
            side.wait_stream(current)
            with torch.cuda.stream(side):
                for _ in range(WARM_UP):
                    self._run(objective)
            current.wait_stream(side)
        finally:
            for buffer, value in zip(objective.buffers(), before, strict=True):
                buffer.copy_(value)
        self._graph = torch.cuda.CUDAGraph()
        self._graph.register_generator_state(self._generator)
        # Only this thread: another may be pinning the next batch.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._loss, self._gradients = self._run(objective)

    def replay(self, prediction: Prediction, batch: Batch, generator: torch.Generator) -> LossValue:
        """The loss, with gradient in its total alone; the generator moves on as without a graph."""
        with torch.no_grad():
            for own, given in ((self._maps, prediction), (self._batch, batch)):
                for name, x in vars(given).items():
                    own[name].copy_(x)
        self._generator.set_state(generator.get_state())
        self._graph.replay()
        generator.set_state(self._generator.get_state())
        inputs = *vars(prediction).values(), *self._parameters
        total: Tensor = _Replayed.apply(self._loss.total, self._gradients, *inputs)
        raw, weighted = (
            {name: value.clone() for name, value in values.items()}
            for values in (self._loss.raw, self._loss.weighted)
        )
        return LossValue(total, raw, weighted)

    def _run(self, objective: Objective) -> tuple[LossValue, tuple[Tensor | None, ...]]:
        maps = {name: x.detach().requires_grad_() for name, x in self._maps.items()}
        loss = objective(Prediction(**maps), Batch(**self._batch), self._generator)
        gradients = torch.autograd.grad(loss.total, [*maps.values(), *self._parameters], allow_unused=True)
        raw = {name: value.detach() for name, value in loss.raw.items()}
        return LossValue(loss.total.detach(), raw, loss.weighted), gradients


class _Replayed(torch.autograd.Function):
    """A scalar whose gradients are known."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        total: Tensor,
        gradients: tuple[Tensor | None, ...],
        *inputs: Tensor,
    ) -> Tensor:
        # Copies: the next replay writes to the same memory.
        ctx.gradients = [None if x is None else x.clone() for x in gradients]  # type: ignore[attr-defined]
        return total.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: torch.autograd.function.FunctionCtx, grad_total: Tensor) -> tuple[Tensor | None, ...]:
        known = ctx.gradients  # type: ignore[attr-defined]
        return None, None, *(None if x is None else x * grad_total for x in known)
