"""The terms of the training loss, and how to add your own, here in `my_losses.py`:

    from epropnp.training.terms import Scene, loss_term

    @loss_term("sharp")
    def sharp(scene: Scene) -> Tensor:
        return -scene.prediction.log_scale.mean()

and `--set loss.own=my_losses.sharp:0.01`, with the file's folder on the PYTHONPATH of all that trains.
"""

import importlib
from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from epropnp.data.dataset import Batch
from epropnp.errors import UserError, nearest
from epropnp.inference.maps import correspondences, random_cells
from epropnp.losses.algebra import Loss
from epropnp.losses.coordinate import coordinate_loss
from epropnp.losses.derivative import DerivativeTerms
from epropnp.models.network import Prediction
from epropnp.pnp import Correspondences, MonteCarlo, pose
from epropnp.training.config import LossConfig
from epropnp.training.parts import Parts


class Scene:
    """What a loss term may look at: a batch, its prediction, and what follows, computed once when asked for.

    Attributes:
        objective: holds the pose layer, the config and the state of the terms.
        prediction: of the network.
        batch: with the targets.
        generator: random numbers, on the device of the tensors.
    """

    def __init__(
        self, objective: Parts, prediction: Prediction, batch: Batch, generator: torch.Generator
    ) -> None:
        self.objective, self.prediction, self.batch, self.generator = objective, prediction, batch, generator

    @cached_property
    def found(self) -> Correspondences:
        """Those of random cells of the maps."""
        config = self.objective.config
        chosen = random_cells(self.prediction, config.data.points, self.generator)
        return correspondences(self.prediction, self.batch, config.model, chosen)

    @cached_property
    def pose_true(self) -> Tensor:
        """(B, 7)."""
        return pose.from_matrix(self.batch.T_cam_obj)

    @cached_property
    def posterior(self) -> MonteCarlo:
        """Samples and log-evidence of the pose distribution, and its mode."""
        layer = self.objective.layer
        return layer.monte_carlo(self.found, init_pose=self.pose_true, generator=self.generator)

    @cached_property
    def derivative(self) -> DerivativeTerms:
        """Distances of the solver's next step to the true pose."""
        mode = self.posterior.solution.pose
        step = self.objective.layer.gauss_newton_step(self.found, mode, delta=self.posterior.delta)
        return self.objective.derivative(step, self.pose_true)


Function = Callable[[Scene], Tensor]
TERMS: dict[str, Loss[Scene]] = {}


def loss_term(name: str) -> Callable[[Function], Function]:
    """Decorator: make a function of the `Scene` that gives a scalar known as the term `name`."""

    def register(function: Function) -> Function:
        TERMS[name] = Loss.term(name, function)
        return function

    return register


def training_loss(config: LossConfig) -> Loss[Scene]:
    """The weighted sum that a config asks for. UserError where a name is unknown or nothing is left."""
    parts = [weight * _term(name) for name, weight in config.weights.items()]
    if not parts:
        raise UserError("loss: all weights are 0; give at least one term a weight")
    return sum(parts[1:], start=parts[0])


def _term(name: str) -> Loss[Scene]:
    """The term `name`, or `MODULE.name` of a module that registers it."""
    module, _, short = name.rpartition(".")
    if module and short not in TERMS:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise UserError(f"loss.own: '{name}': {error}; set the PYTHONPATH to its folder") from error
    if short not in TERMS:
        raise UserError(f"loss.own: unknown term '{name}'{nearest(short, TERMS)}; see training.terms")
    return TERMS[short]


@loss_term("coord")
def _coord(scene: Scene) -> Tensor:
    batch = scene.batch
    mean = scene.objective.config.loss.coord_mean
    return coordinate_loss(scene.prediction.coords, batch.coords, batch.mask, mean)


@loss_term("mc")
def _mc(scene: Scene) -> Tensor:
    cost_true = scene.objective.layer.cost(scene.found, scene.pose_true, delta=scene.posterior.delta)  # (B,)
    weight_scale = scene.prediction.log_scale.detach().exp().mean()
    return scene.objective.monte_carlo(cost_true, scene.posterior.log_evidence, weight_scale)


@loss_term("deriv_t")
def _deriv_t(scene: Scene) -> Tensor:
    return scene.derivative.translation


@loss_term("deriv_r")
def _deriv_r(scene: Scene) -> Tensor:
    return scene.derivative.rotation
