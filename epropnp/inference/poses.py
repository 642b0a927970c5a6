"""From crops to poses: network, initial pose, solver over all cells of the maps.

Training sees some cells of a map, inference all of them. Both weight normalisations divide by the number of
cells, so that the cost of n cells is the training's divided by n / points; weights are multiplied by the root
of that here. The most likely pose stays where it is; cost, covariance and samples are then those of the
distribution that the Monte Carlo loss has trained, which `temperature` corrects by what held-out images say.
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from epropnp.data.dataset import Crops
from epropnp.inference.config import EvaluationConfig
from epropnp.inference.epnp import epnp_poses
from epropnp.inference.maps import correspondences
from epropnp.inference.onnx_net import OnnxNet
from epropnp.inference.precision import autocast
from epropnp.inference.temperature import Temperatures
from epropnp.models.config import ModelConfig
from epropnp.models.network import CorrespondenceNet, Prediction
from epropnp.pnp import Correspondences, EProPnP, Hypotheses, Solution, pose
from epropnp.pnp.draws import Randomness, SameDraws

STARTS_SEED = 20220331  # of the solver's random starts: the same for every image and every network


class Inferred(NamedTuple):
    """What B crops show."""

    found: Correspondences  # as training weighs them
    solution: Solution
    hypotheses: Hypotheses | None  # where several are asked for; `solution` is the first one


@dataclass(frozen=True, kw_only=True)
class Inference:
    """A network, and how its maps become poses.

    Attributes:
        net: left in evaluation mode; itself, or its export.
        layer: the pose layer.
        model: config of the network.
        settings: of initial poses and solver.
        points: cells of a map that training sees.
        precision: of the network; the layer computes in float32.
    """

    net: CorrespondenceNet | OnnxNet
    layer: EProPnP
    model: ModelConfig
    settings: EvaluationConfig
    points: int
    precision: str = "float32"

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.net.parameters()).device

    @torch.no_grad()
    def __call__(self, crops: Crops) -> Inferred:
        """Poses of crops on the device. That of an image depends on no other one, but for rounding."""
        return self.solved(self.maps(crops), crops)

    @torch.no_grad()
    def maps(self, crops: Crops) -> Prediction:
        """The network's part of it."""
        self.net.eval()
        with autocast(self.device, self.precision):
            found: Prediction = self.net(as_image(crops.image))
        return found

    @torch.no_grad()
    def solved(self, prediction: Prediction, crops: Crops) -> Inferred:
        """The pose layer's part of it, from the maps of these crops."""
        found = _as_trained(correspondences(prediction, crops, self.model), self.points)
        return Inferred(found, *self._solve(found, SameDraws(STARTS_SEED)))

    def _solve(self, found: Correspondences, starts: SameDraws) -> tuple[Solution, Hypotheses | None]:
        settings, layer = self.settings, self.layer
        if settings.hypotheses > 1:
            several = layer.hypotheses(
                found,
                count=settings.hypotheses,
                proposals=settings.proposals,
                iterations=settings.iterations,
                generator=starts,
            )
            return Solution(**{name: values[0] for name, values in vars(several.solution).items()}), several
        return best_pose(layer, found, settings, starts), None


def best_pose(
    layer: EProPnP, found: Correspondences, settings: EvaluationConfig, starts: Randomness
) -> Solution:
    """One pose of each object, from the starts that the settings name.

    EPnP knows the object's shape by four control points, which flat points do not determine: its pose may be
    far off at a cost that random starts undercut.
    """
    proposals, iterations = settings.proposals, settings.iterations
    if settings.initial == "random":
        return layer.solve(found, proposals=proposals, iterations=iterations, generator=starts)
    start = epnp_poses(found.points_obj, found.points_img, found.weights, found.camera.K)
    if settings.initial == "epnp":
        return layer.solve(found, init_pose=start, proposals=0, iterations=iterations, fast=True)
    return layer.solve(found, init_pose=start, proposals=proposals, iterations=iterations, generator=starts)


def described(inferred: Inferred, temperatures: Temperatures) -> dict[str, Tensor]:
    """Poses and how sure they are, by the names of `predictions.Predictions`, B rows each."""
    _, solution, hypotheses = inferred
    rows = {
        "T_pred": pose.to_matrix(solution.pose.double()),
        "covariance": temperatures.covariance.covariance_factor * solution.covariance,
        "cost": temperatures.posterior.scale**2 * solution.cost,
        "valid": solution.valid & solution.pose.isfinite().all(-1),
    }
    if hypotheses is not None:
        rows["T_hypotheses"] = pose.to_matrix(hypotheses.solution.pose.double()).transpose(0, 1)
        shares = temperatures.posterior.shares(hypotheses.solution.cost, hypotheses.log_mass)
        rows["probability"] = shares.T  # (B, K)
    return rows


def _as_trained(found: Correspondences, points: int) -> Correspondences:
    cells = found.weights.shape[1]
    return replace(found, weights=found.weights * math.sqrt(cells / min(points, cells)))


def as_image(image: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) -> float (B, 3, H, W) in [0, 1], channels last in memory."""
    return image.permute(0, 3, 1, 2).float().div(255)
