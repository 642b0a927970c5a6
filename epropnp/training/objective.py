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

DERIVATIVES = ("deriv_t", "deriv_r")


class Objective(Parts):
    """Computes the loss of a batch.

    Args:
        config: of the trial.
        objects: by id; their symmetries serve where `config.loss.symmetric`.
        norm_factor: where the running scale starts.

    Raises:
        UserError: an unknown loss term.
    """

    object_ids: Tensor
    symmetries: Tensor
    deriv_share: Tensor

    def __init__(
        self, config: TrialConfig, objects: Mapping[int, ObjectModel], norm_factor: float = 1.0
    ) -> None:
        super().__init__(config, norm_factor)
        self.loss = training_loss(config.loss)
        # Ids may be large: a table of all ids up to the largest would not do.
        ids = torch.tensor(sorted(objects))
        self.register_buffer("object_ids", ids, persistent=False)
        self.register_buffer("symmetries", _symmetry_table(objects), persistent=False)
        self.register_buffer("deriv_share", torch.ones(()), persistent=False)  # follows from the update

    def start(self, done: float) -> None:
        """Prepare an update, before which a share `done` of the training lies."""
        if ramp := self.config.loss.deriv_ramp:
            self.deriv_share.fill_(min(1.0, done / ramp))

    def forward(self, prediction: Prediction, batch: Batch, generator: torch.Generator) -> LossValue:
        """The loss and its terms, scalars."""
        if self.config.loss.symmetric:
            batch = self._closest_target(prediction, batch)
        ramped = self.loss.terms.keys() & DERIVATIVES if self.config.loss.deriv_ramp else ()
        return self.loss(Scene(self, prediction, batch, generator), dict.fromkeys(ramped, self.deriv_share))

    def _closest_target(self, prediction: Prediction, batch: Batch) -> Batch:
        """The batch whose true poses are those that the predicted coordinates are closest to."""
        target, T_sym = closest_symmetry(
            prediction.coords.detach(),
            batch.coords,
            batch.mask,
            batch.coord_scale,
            self.symmetries[torch.searchsorted(self.object_ids, batch.object_id)],
        )
        return dataclasses.replace(batch, coords=target, T_cam_obj=batch.T_cam_obj @ T_sym)


def _symmetry_table(objects: Mapping[int, ObjectModel]) -> Tensor:
    """Symmetries in the order of the objects' ids, repeated to the same number, (objects, S, 4, 4)."""
    given = [torch.from_numpy(objects[key].symmetries).float() for key in sorted(objects)]
    most = max(map(len, given))
    return torch.stack([one[torch.arange(most) % len(one)] for one in given])
