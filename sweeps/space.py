"""Which trials a sweep runs: backbone x head x loss weight x seed, each a named config.

Every name and every pair of backbone and head is checked here, before anything is built or started.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import torch

from epropnp.errors import UserError, nearest
from epropnp.models.backbones import check_backbone
from epropnp.models.heads import HEADS
from epropnp.models.network import CorrespondenceNet, ModelConfig
from epropnp.training.config import TrialConfig
from epropnp.training.recipes import Recipe, study_head

STUDY = "study"  # in the place of a head: the one that the study gave the backbone
HEAD_CHOICES = (STUDY, *HEADS)


@dataclass(frozen=True, kw_only=True)
class PlannedTrial:
    """One trial of a sweep; the name is unique in the sweep and names its folder."""

    name: str
    config: TrialConfig


def plan_trials(
    recipe: Recipe,
    *,
    backbones: Sequence[str] | None = None,
    heads: Sequence[str] = (STUDY,),
    loss_weights: Sequence[float] | None = None,
    seeds: Sequence[int] = (0,),
    epochs: int | None = None,
    pretrained: bool | None = None,
) -> tuple[PlannedTrial, ...]:
    """Expand the axes of a sweep into trials; None means the recipe's own choice.

    Raises:
        UserError: an unknown backbone or head (naming the nearest), a pair that does not fit, or
            pretrained weights that cannot be had.
    """
    backbones = recipe.backbones if backbones is None else backbones
    loss_weights = recipe.loss_weights if loss_weights is None else loss_weights
    for backbone in backbones:
        check_backbone(backbone)
    for head in heads:
        if head not in HEAD_CHOICES:
            listed = ", ".join(HEAD_CHOICES)
            raise UserError(f"unknown head '{head}'{nearest(head, HEAD_CHOICES)}; heads: {listed}")
    trials: dict[str, PlannedTrial] = {}
    for backbone, head, weight, seed in product(backbones, heads, loss_weights, seeds):
        actual = study_head(backbone) if head == STUDY else head
        config = recipe.trial(backbone, actual, weight, seed, epochs=epochs, pretrained=pretrained)
        name = f"{backbone}-{actual}-mc{weight:g}-seed{seed}"
        trials[name] = PlannedTrial(name=name, config=config)
    _check_networks(trial.config.model for trial in trials.values())
    return tuple(trials.values())


def _check_networks(models: Iterable[ModelConfig]) -> None:
    """Build each network once, so that what cannot be built stops the sweep and not a trial.

    First all of them without memory or weights, then pretrained ones for real, which also brings their
    weights into the cache that all trials read.
    """
    distinct = list(dict.fromkeys(models))
    for model in distinct:
        with torch.device("meta"):
            CorrespondenceNet(dataclasses.replace(model, pretrained=False, released=None))
    for model in distinct:
        if model.pretrained or model.released is not None:
            CorrespondenceNet(model)
