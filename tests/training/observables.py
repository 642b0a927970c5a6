"""What one config makes of one small dataset: crops, losses, an update, schedule, boxes, poses, a network.

Everything is read off a `Trainer` that is not trained, so that the way from setting to number is that
of a real trial. Each observable is computed when it is asked for, once, and leaves no trace in the others.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from epropnp.data.dataset import Batch
from epropnp.evaluation.evaluator import predict
from epropnp.evaluation.predictions import Predictions
from epropnp.inference.poses import as_image
from epropnp.losses.algebra import LossValue
from epropnp.models.network import Prediction
from epropnp.training.config import TrialConfig
from epropnp.training.data import TrialData
from epropnp.training.guard import NonFiniteError
from epropnp.training.terms import Scene
from epropnp.training.trainer import Trainer


class Lab:
    """The observables of one config, by name: `lab["crop.side"]`."""

    def __init__(self, config: TrialConfig, dataset: Path, folder: Path) -> None:
        self.config = config
        self.trainer = Trainer(config, dataset, folder, device="cpu")
        self._seen: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._seen:
            self._seen[name] = OBSERVABLES[name](self)
        return self._seen[name]

    @cached_property
    def parts(self) -> tuple[Batch, ...]:
        """The parts of the first update's batch."""
        return next(self.trainer.data.batches(1))

    @cached_property
    def batch(self) -> Batch:
        """The first update's batch, as one."""
        return joined(self.parts)

    def photographs(self, synthetic: bool) -> Tensor:
        """Pixels of the batch's photographs, or of its renderings."""
        kind = torch.tensor(
            [self.trainer.data._train.records[i].synthetic for i in self.batch.index.tolist()]
        )
        return self.batch.image[kind == synthetic]

    def evaluation(self, split: str) -> Batch:
        """All evaluation crops of a split, as one batch."""
        crops = self.trainer.data.evaluation(split)
        return crops.__getitems__([(0, i, i) for i in range(len(crops))])

    @cached_property
    def scene(self) -> Scene:
        """What the loss terms of the first batch look at."""
        generator = torch.Generator().manual_seed(0)
        return Scene(self.trainer.objective, nearly_true(self.batch), self.batch, generator)

    @cached_property
    def loss(self) -> LossValue:
        """Of the first part of the first batch, after a tenth of the training."""
        with self._restored():
            self.trainer.net.train()
            self.trainer.objective.train()
            self.trainer.objective.start(0.1)
            loss = self.trainer._part_loss(self.parts[0], 0)
        return LossValue(*copy.deepcopy([_numbers(value) for value in loss]))

    @cached_property
    def update(self) -> dict[str, Tensor]:
        """What two updates of the same batch leave: the weights, those to evaluate, and the gradient."""
        trainer = self.trainer
        with self._restored():
            trainer.net.train()
            for step in range(2):
                trainer._update(self.parts, step)
            gradient = torch.cat(
                [p.grad.flatten() for p in trainer.updates._parameters if p.grad is not None]
            )
            return {
                "weights": _flat(trainer.net),
                "evaluated": _flat(trainer.updates.evaluated),
                "norm": gradient.norm(),
            }

    @cached_property
    def survives(self) -> bool:
        """Whether training goes on after an update that is not finite."""
        with self._restored():
            nn.init.constant_(self.trainer.net.output.weight, torch.nan)
            try:
                self.trainer._update(self.parts, 0)
            except NonFiniteError:
                return False
        return True

    @cached_property
    def predictions(self) -> Predictions:
        """Of the test split, by the `NearlyTrue` network."""
        updates = self.trainer.updates
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(updates, "net", self.oracle)
            patch.setattr(updates, "average", None)
            return predict(self.trainer._inference, self.trainer.data.evaluation("test"))

    @cached_property
    def oracle(self) -> "NearlyTrue":
        """In place of the network, in evaluation."""
        return NearlyTrue(self.trainer.data)

    @cached_property
    def precision(self) -> list[str]:
        """What the head computes in, in training and in evaluation."""
        seen: list[str] = []
        handle = self.trainer.net.head.register_forward_hook(lambda *call: seen.append(str(call[-1].dtype)))
        with self._restored():
            self.trainer._part_loss(self.parts[0], 0)
            predict(self.trainer._inference, self.trainer.data.epoch_images())
        handle.remove()
        return seen

    @contextmanager
    def _restored(self) -> Iterator[None]:
        trainer = self.trainer
        owners: tuple[Any, ...] = (trainer.net, trainer.objective, trainer.updates)
        before = copy.deepcopy([owner.state_dict() for owner in owners])
        try:
            yield
        finally:
            for owner, state in zip(owners, before, strict=True):
                owner.load_state_dict(state)
            trainer.updates.optimiser.zero_grad()


class NearlyTrue(nn.Module):
    """A network that knows the evaluation crops of a trial by heart: see `nearly_true`."""

    def __init__(self, data: TrialData) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.sizes: list[int] = []  # of the batches that it was given
        self._known: dict[bytes, Batch] = {}
        for crops in (data.evaluation(split) for split in ("validation", "test")):
            for i in range(len(crops)):
                sample = crops.__getitems__([(0, i, i)])
                self._known[as_image(sample.image).numpy().tobytes()] = sample

    def forward(self, images: Tensor) -> Prediction:
        self.sizes.append(len(images))
        return nearly_true(joined([self._known[image.numpy().tobytes()] for image in images]))


def joined(parts: Sequence[Batch]) -> Batch:
    """One batch of several."""
    return Batch(**{name: torch.cat([getattr(part, name) for part in parts]) for name in vars(parts[0])})


def nearly_true(batch: Batch) -> Prediction:
    """True coordinates with noise and outliers, trusted inside of the mask; depends on each image alone."""
    _, _, height, width = batch.coords.shape
    draws = [torch.Generator().manual_seed(1000 + index) for index in batch.index.tolist()]
    noise = torch.stack([torch.randn(6, height, width, generator=draw) for draw in draws])
    far = noise[:, 3:4] > 1.5  # one cell in fifteen
    coords = batch.coords + torch.where(far, 0.5, 0.03) * noise[:, :3]
    logits = torch.where(batch.mask[:, None], 0.0, -8.0) + 0.3 * noise[:, 4:]
    return Prediction(coords, logits, torch.full((len(draws), 2), 3.0))


def _numbers(value: Any) -> Any:
    return {k: v.detach() for k, v in value.items()} if isinstance(value, dict) else value.detach()


def _flat(module: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def _rates(lab: Lab) -> list[float]:
    updates, config = lab.trainer.updates, lab.config.optim
    return [updates.start(step) for step in range(config.epochs * lab.trainer.data.steps)]


def _maps(lab: Lab) -> Tensor:
    px = lab.config.model.input_px
    image = torch.rand(1, 3, px, px, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        out = lab.trainer.net.eval()(image)
    return torch.cat([out.coords.flatten(), out.weight_logits.flatten(), out.log_scale.flatten()])


def _middle(batch: Batch) -> Tensor:
    """Centres of the crops, to a hundredth of a pixel: corners are stored in single precision."""
    return (100 * (batch.corner + batch.side[:, None] / 2)).round()


OBSERVABLES: dict[str, Callable[[Lab], Any]] = {
    # What training sees.
    "crop.side": lambda lab: lab.batch.side,
    "crop.centre": lambda lab: _middle(lab.batch),
    "crop.camera": lambda lab: lab.batch.K,
    "crop.mask": lambda lab: lab.batch.mask,
    "crop.coords": lambda lab: lab.batch.coords,
    "crop.pixels": lambda lab: lab.batch.image,
    "crop.renderings": lambda lab: lab.photographs(synthetic=True),
    "crop.photographs": lambda lab: lab.photographs(synthetic=False),
    "crop.jitter": lambda lab: lab.trainer.data._train.__getitems__([(1, 0, 0)]).side,  # of one draw
    "crop.px": lambda lab: lab.batch.image.shape[1],
    "order": lambda lab: lab.batch.index,
    "visits": lambda lab: np.bincount(lab.trainer.data.sampler.indices, minlength=12).tolist(),
    "parts": lambda lab: [len(part.index) for part in lab.parts],
    "steps": lambda lab: lab.trainer.data.steps,
    "loaders": lambda lab: lab.trainer.data._loader.num_workers,
    # What training does with it.
    "points": lambda lab: lab.scene.found.points_img.shape[1],
    "places": lambda lab: lab.scene.found.points_img,
    "weights_img": lambda lab: lab.scene.found.weights,
    "samples": lambda lab: len(lab.scene.posterior.log_weights),
    "mode": lambda lab: lab.scene.posterior.solution.pose,
    "evidence": lambda lab: lab.scene.posterior.log_evidence,
    "loss.raw": lambda lab: lab.loss.raw,
    "loss.weighted": lambda lab: lab.loss.weighted,
    "loss.total": lambda lab: lab.loss.total,
    "norm_factor": lambda lab: lab.trainer.objective.monte_carlo.norm_factor.clone(),
    "trained": lambda lab: sorted(n for n, p in lab.trainer.objective.named_parameters() if p.requires_grad),
    "rates": _rates,
    "update.weights": lambda lab: lab.update["weights"],
    "update.evaluated": lambda lab: lab.update["evaluated"],
    "update.norm": lambda lab: lab.update["norm"],
    "survives": lambda lab: lab.survives,
    "precision": lambda lab: lab.precision,
    "threads": lambda lab: torch.get_num_threads(),
    # The network that it starts from.
    "network.shapes": lambda lab: {k: v.shape for k, v in lab.trainer.net.state_dict().items()},
    "network.weights": lambda lab: _flat(lab.trainer.net),
    "network.backbone": lambda lab: _flat(lab.trainer.net.backbone),
    "network.maps": _maps,
    "network.fingerprint": lambda lab: lab.trainer.state.weights_sha256,
    # What evaluation sees, and what it finds.
    "validation.side": lambda lab: lab.evaluation("validation").side,
    "validation.centre": lambda lab: _middle(lab.evaluation("validation")),
    "validation.pixels": lambda lab: lab.evaluation("validation").image,
    "test.side": lambda lab: lab.evaluation("test").side,
    "test.centre": lambda lab: _middle(lab.evaluation("test")),
    "test.pixels": lambda lab: lab.evaluation("test").image,
    "test.names": lambda lab: lab.predictions.sample_id,
    "poses": lambda lab: lab.predictions.T_pred,
    "covariance": lambda lab: lab.predictions.covariance,
    "hypotheses": lambda lab: None if (T := lab.predictions.T_hypotheses) is None else T.shape[1],
    "posterior": lambda lab: None if (p := lab.predictions.posterior) is None else vars(p),
}


def same(a: Any, b: Any) -> bool:
    """Whether two values of an observable are equal, bit for bit; NaN equals NaN."""
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, Tensor | np.ndarray):
        if a is None or b is None or a.shape != b.shape:
            return False
        return bool(np.array_equal(np.asarray(a), np.asarray(b), equal_nan=a.dtype not in (torch.bool,)))
    return bool(a == b)
