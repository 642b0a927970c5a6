"""The training objective: the weighted sum of its terms."""

import dataclasses
from collections.abc import Mapping

import torch
from torch import Tensor

from epropnp.data.dataset import Batch
from epropnp.data.schema import ObjectModel
from epropnp.losses.algebra import LossValue
from epropnp.losses.symmetry import closest_symmetry
from epropnp.models.network import Prediction
from epropnp.training.config import TrialConfig
from epropnp.training.parts import Parts
from epropnp.training.terms import Scene, training_loss


class Objective(Parts):
    """Computes the loss of a batch.

    Args:
        config: of the trial.
        objects: by id; their symmetries serve where `config.loss.symmetric`.
        norm_factor: where the running scale starts.

    Raises:
        UserError: an unknown loss term.
    """

    symmetries: Tensor

    def __init__(
        self, config: TrialConfig, objects: Mapping[int, ObjectModel], norm_factor: float = 1.0
    ) -> None:
        super().__init__(config, norm_factor)
        self.loss = training_loss(config.loss)
        self.register_buffer("symmetries", _symmetry_table(objects), persistent=False)

    def forward(self, prediction: Prediction, batch: Batch, generator: torch.Generator) -> LossValue:
        """The loss and its terms, scalars."""
        if self.config.loss.symmetric:
            batch = self._closest_target(prediction, batch)
        return self.loss(Scene(self, prediction, batch, generator))

    def _closest_target(self, prediction: Prediction, batch: Batch) -> Batch:
        """The batch whose true poses are those that the predicted coordinates are closest to."""
        target, T_sym = closest_symmetry(
            prediction.coords.detach(),
            batch.coords,
            batch.mask,
            batch.coord_scale,
            self.symmetries[batch.object_id],
        )
        return dataclasses.replace(batch, coords=target, T_cam_obj=batch.T_cam_obj @ T_sym)


def _symmetry_table(objects: Mapping[int, ObjectModel]) -> Tensor:
    """Symmetries by object id, repeated to the same number, (largest id + 1, S, 4, 4)."""
    most = max(len(model.symmetries) for model in objects.values())
    table = torch.eye(4).repeat(max(objects) + 1, most, 1, 1)
    for key, model in objects.items():
        given = torch.from_numpy(model.symmetries).float()
        table[key] = given[torch.arange(most) % len(given)]
    return table
