"""Poses and their posteriors for one split: network, initial pose, solver over all cells of the maps.

Training sees `data.points` cells of a map, inference all of them. Both weight normalisations divide by the
number of cells, so that the cost of n cells is the training's divided by n / points; weights are multiplied
by the root of that here. The most likely pose stays where it is; cost, covariance and samples are then those
of the distribution that the Monte Carlo loss has trained, and `fit_temperatures` corrects them by what it
finds on the validation split.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from epropnp.data.dataset import Batch, CropDataset, evaluation_loader
from epropnp.evaluation.calibration import squared_distances
from epropnp.evaluation.epnp import epnp_poses
from epropnp.evaluation.posterior import PosteriorSampler
from epropnp.evaluation.predictions import Posterior, Predictions
from epropnp.evaluation.temperature import (
    Draws,
    Temperatures,
    covariance_temperature,
    posterior_temperature,
)
from epropnp.models.network import CorrespondenceNet
from epropnp.pnp import EProPnP, Hypotheses, Solution, pose
from epropnp.training.config import EvaluationConfig, TrialConfig
from epropnp.training.correspondences import Correspondences, correspondences
from epropnp.training.precision import autocast

EVALUATION_SEED = 20220331  # of the random starts; evaluation never draws from the training's random state
SAMPLED_SPLIT = "test"  # validation only selects, by its poses


class _Inferred(NamedTuple):
    """What a batch shows: its correspondences as training weighs them, and the poses that they make."""

    batch: Batch
    found: Correspondences
    solution: Solution
    hypotheses: Hypotheses | None  # where several are asked for; `solution` is the first one


@torch.no_grad()
def predict(
    net: CorrespondenceNet,
    layer: EProPnP,
    data: CropDataset,
    config: TrialConfig,
    temperatures: Temperatures | None = None,
) -> Predictions:
    """Predict every record of `data`, in order. The network is left in evaluation mode.

    The posteriors of the test split are sampled, unless `config.evaluation.samples` is 0; the poses are the
    same with and without, and at any temperatures.
    """
    temperatures = temperatures or Temperatures()
    samples = config.evaluation.samples if data.records.name == SAMPLED_SPLIT else 0
    sampler = PosteriorSampler(layer, samples, temperatures) if samples > 0 else None
    noise = _generator(net, 1)
    parts: list[dict[str, Tensor]] = []
    for batch, found, solution, hypotheses in _inferred(net, layer, data, config):
        part = {
            "T_pred": pose.to_matrix(solution.pose.double()),
            "crop": torch.cat([batch.corner, batch.side[:, None]], 1),  # (B, 3)
            "covariance": temperatures.covariance.covariance_factor * solution.covariance,
            "cost": temperatures.posterior.scale**2 * solution.cost,
            "valid": solution.valid & solution.pose.isfinite().all(-1),
        }
        if sampler is not None:
            truths = _true_poses(batch, data)
            drawn = sampler.draw(*found.given, pose=solution.pose, truths=truths, generator=noise)
            part |= sampler.describe(drawn)
        if hypotheses is not None:
            part["T_hypotheses"] = pose.to_matrix(hypotheses.solution.pose.double()).transpose(0, 1)
            shares = temperatures.posterior.shares(hypotheses.solution.cost, hypotheses.log_mass)
            part["probability"] = shares.T  # (B, K)
        parts.append({name: value.cpu() for name, value in part.items()})
    return _collect(parts, data, temperatures)


@torch.no_grad()
def fit_temperatures(
    net: CorrespondenceNet, layer: EProPnP, data: CropDataset, config: TrialConfig
) -> Temperatures:
    """The temperatures under which the true poses of `data`, the validation split, are most likely.

    The covariances' comes first, without samples; the samples are then drawn at their scale. Without samples
    (`config.evaluation.samples` 0) the posterior's is left at 1.
    """
    unsampled = replace(config, evaluation=replace(config.evaluation, samples=0))
    distances = squared_distances(predict(net, layer, data, unsampled), data.objects)
    found_first = Temperatures(covariance=covariance_temperature(distances))
    if config.evaluation.samples <= 0:
        return found_first
    sampler, noise = PosteriorSampler(layer, config.evaluation.samples, found_first), _generator(net, 1)
    parts: list[Draws] = []
    for batch, found, solution, _ in _inferred(net, layer, data, config):
        truths = _true_poses(batch, data)
        drawn = sampler.draw(*found.given, pose=solution.pose, truths=truths, generator=noise)
        parts.append(Draws(*(part[..., solution.valid].cpu() for part in drawn)))
    draws = Draws(*(torch.cat(part, -1) for part in zip(*parts, strict=True)))
    return replace(found_first, posterior=posterior_temperature(draws))


def as_image(image: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) -> float (B, 3, H, W) in [0, 1], channels last in memory."""
    return image.permute(0, 3, 1, 2).float().div(255)


def _inferred(
    net: CorrespondenceNet, layer: EProPnP, data: CropDataset, config: TrialConfig
) -> Iterator[_Inferred]:
    device = next(net.parameters()).device
    starts = _generator(net, 0)
    net.eval()
    for cpu_batch in evaluation_loader(data, config.evaluation.batch_size):
        batch = cpu_batch.to(device)
        with autocast(device, config.optim.precision):
            prediction = net(as_image(batch.image))
        found = _as_trained(correspondences(prediction, batch, config.model), config.data.points)
        yield _Inferred(batch, found, *_solve(layer, found, config.evaluation, starts))


def _generator(net: CorrespondenceNet, stream: int) -> torch.Generator:
    return torch.Generator(next(net.parameters()).device).manual_seed(EVALUATION_SEED + stream)


def _as_trained(found: Correspondences, points: int) -> Correspondences:
    cells = found.weights.shape[1]
    return replace(found, weights=found.weights * math.sqrt(cells / min(points, cells)))


def _solve(
    layer: EProPnP, found: Correspondences, settings: EvaluationConfig, generator: torch.Generator
) -> tuple[Solution, Hypotheses | None]:
    if settings.hypotheses > 1:
        several = layer.hypotheses(
            *found.given,
            count=settings.hypotheses,
            proposals=settings.proposals,
            iterations=settings.iterations,
            generator=generator,
        )
        return Solution(**{name: values[0] for name, values in vars(several.solution).items()}), several
    if settings.initial == "epnp":
        start = epnp_poses(found.points_obj, found.points_img, found.weights, found.camera.K)
        solution = layer.solve(
            *found.given, init_pose=start, proposals=0, iterations=settings.iterations, fast=True
        )
    else:
        solution = layer.solve(
            *found.given, proposals=settings.proposals, iterations=settings.iterations, generator=generator
        )
    return solution, None


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
