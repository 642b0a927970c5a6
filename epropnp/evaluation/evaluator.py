"""Poses and their posteriors for one split, beside its true poses."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from epropnp.data.dataset import Batch, CropDataset
from epropnp.data.loader import evaluation_loader
from epropnp.evaluation.calibration import squared_distances
from epropnp.evaluation.predictions import Posterior, Predictions
from epropnp.inference.poses import Inference, Inferred, described
from epropnp.inference.posterior import PosteriorSampler
from epropnp.inference.temperature import (
    Draws,
    Temperatures,
    covariance_temperature,
    posterior_temperature,
)
from epropnp.pnp import pose

SAMPLED_SPLIT = "test"  # validation selects, by its poses; its samples only fit the temperatures


@torch.no_grad()
def predict(
    inference: Inference,
    data: CropDataset,
    temperatures: Temperatures | None = None,
    after_batch: Callable[[], None] = lambda: None,
) -> Predictions:
    """Predict every record of `data`, in order. The network is left in evaluation mode.

    The posteriors of the test split are sampled, unless `settings.samples` is 0; the poses are the same with
    and without, and at any temperatures.

    Args:
        inference: network, layer and settings.
        data: crops of a split.
        temperatures: of covariance and posterior; None: 1.
        after_batch: is called after each; what it raises ends this.
    """
    temperatures = temperatures or Temperatures()
    samples = inference.settings.samples if data.records.name == SAMPLED_SPLIT else 0
    sampler = PosteriorSampler(inference.layer, samples, temperatures) if samples > 0 else None
    parts: list[dict[str, Tensor]] = []
    for batch, inferred in _inferred(inference, data):
        part = described(inferred, temperatures)
        part["crop"] = torch.cat([batch.corner, batch.side[:, None]], 1)  # (B, 3)
        if sampler is not None:
            truths, found = _true_poses(batch, data), inferred.found
            drawn = sampler.draw(found, pose=inferred.solution.pose, truths=truths)
            part |= sampler.describe(drawn)
        parts.append({name: value.cpu() for name, value in part.items()})
        after_batch()
    return _collect(parts, data, temperatures)


@torch.no_grad()
def fit_temperatures(
    inference: Inference,
    data: CropDataset,
    predictions: Predictions,
    after_batch: Callable[[], None] = lambda: None,
) -> Temperatures:
    """The temperatures under which the true poses of `data`, the validation split, are most likely.

    The covariances' comes first, from the predictions; samples are then drawn at their scale. Without samples
    (`settings.samples` 0) the posterior's is left at 1.

    Args:
        inference: network, layer and settings.
        data: crops of the split.
        predictions: what `predict` says of them at temperatures of 1.
        after_batch: is called after each batch that is sampled; what it raises ends this.
    """
    samples = inference.settings.samples
    distances = squared_distances(predictions, data.objects)
    found_first = Temperatures(covariance=covariance_temperature(distances))
    if samples <= 0:
        return found_first
    sampler = PosteriorSampler(inference.layer, samples, found_first)
    parts: list[Draws] = []
    for batch, (found, solution, _) in _inferred(inference, data):
        truths = _true_poses(batch, data)
        drawn = sampler.draw(found, pose=solution.pose, truths=truths)
        parts.append(Draws(*(part[..., solution.valid].cpu() for part in drawn)))
        after_batch()
    draws = Draws(*(torch.cat(part, -1) for part in zip(*parts, strict=True)))
    return replace(found_first, posterior=posterior_temperature(draws))


def _inferred(inference: Inference, data: CropDataset) -> Iterator[tuple[Batch, Inferred]]:
    for batch in evaluation_loader(data, inference.settings.batch_size):
        there = batch.to(inference.device)
        yield there, inference(there)


def _true_poses(batch: Batch, data: CropDataset) -> Tensor:
    """True poses (S, B, 7), all of an object's symmetries applied, repeated to the same number."""
    of_object = {i: torch.from_numpy(np.asarray(model.symmetries)) for i, model in data.objects.items()}
    symmetries = [of_object[i] for i in batch.object_id.tolist()]
    most = max(map(len, symmetries))
    T_sym = torch.stack([s[torch.arange(most) % len(s)] for s in symmetries], 1)  # (S, B, 4, 4)
    return pose.from_matrix(batch.T_cam_obj.double() @ T_sym.to(batch.T_cam_obj.device))


def _collect(parts: list[dict[str, Tensor]], data: CropDataset, temperatures: Temperatures) -> Predictions:
    rows = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    arrays = {name: (v.double() if v.is_floating_point() else v).numpy() for name, v in rows.items()}
    sampled = {name: arrays.pop(name) for name in Posterior.__dataclass_fields__ if name in arrays}
    records = list(data.records)
    return Predictions(
        sample_id=[r.sample_id for r in records],
        object_id=np.array([r.object_id for r in records]),
        T_true=np.stack([r.T_cam_obj for r in records]),
        K=np.stack([r.K for r in records]),
        image_size=np.stack([r.image_size for r in records]).astype(np.float64),
        posterior=Posterior(**sampled) if sampled else None,
        temperatures=temperatures,
        objects=data.objects,
        **arrays,
    )
