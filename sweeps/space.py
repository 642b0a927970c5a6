"""Which trials a sweep runs: recipe x backbone x head x loss weight x seed, each a named config.

Every name and every pair of backbone and head is checked here, before anything is built or started.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from epropnp.errors import UserError, nearest
from epropnp.models.config import HEAD_NAMES
from epropnp.training.config import TrialConfig
from epropnp.training.overrides import override
from epropnp.training.recipes import Recipe, study_head

STUDY = "study"  # in the place of a head: the one that the study gave the backbone
HEAD_CHOICES = (STUDY, *HEAD_NAMES)
AXES = {  # settings that have a flag of their own, by which the trials are told apart
    "recipe": "--recipe",
    "model.backbone": "--backbones",
    "model.head": "--heads",
    "loss.mc": "--loss-weights",
    "seed": "--seeds",
}


@dataclass(frozen=True, kw_only=True)
class PlannedTrial:
    """One trial of a sweep; the name is unique in the sweep and names its folder."""

    name: str
    config: TrialConfig


def plan_trials(
    recipes: Sequence[Recipe],
    *,
    backbones: Sequence[str] | None = None,
    heads: Sequence[str] = (STUDY,),
    loss_weights: Sequence[float] | None = None,
    seeds: Sequence[int] = (0,),
    epochs: int | None = None,
    pretrained: bool | None = None,
    settings: Sequence[str] = (),
) -> tuple[PlannedTrial, ...]:
    """Expand the axes of a sweep into trials; None means each recipe's own choice.

    Args:
        recipes, backbones, heads, loss_weights, seeds: the axes.
        epochs, pretrained: for all trials.
        settings: `KEY=VALUE`, applied to every trial last.

    Raises:
        UserError: an unknown backbone or head (naming the nearest), a pair that does not fit, a setting
            that does not exist or has a flag of its own.
    """
    for setting in settings:
        key = setting.partition("=")[0].strip()
        if key in AXES:
            raise UserError(f"--set: {key} tells the trials of a sweep apart; use {AXES[key]}")
    for head in heads:
        if head not in HEAD_CHOICES:
            listed = ", ".join(HEAD_CHOICES)
            raise UserError(f"unknown head '{head}'{nearest(head, HEAD_CHOICES)}; heads: {listed}")
    trials: dict[str, PlannedTrial] = {}
    for recipe in recipes:
        prefix = f"{recipe.name}-" if len(recipes) > 1 else ""
        names = recipe.backbones if backbones is None else backbones
        weights = recipe.loss_weights if loss_weights is None else loss_weights
        for backbone, head, weight, seed in product(names, heads, weights, seeds):
            actual = study_head(backbone) if head == STUDY else head
            config = recipe.trial(backbone, actual, weight, seed, epochs=epochs, pretrained=pretrained)
            name = f"{prefix}{backbone}-{actual}-mc{weight:g}-seed{seed}"
            trials[name] = PlannedTrial(name=name, config=override(config, settings))
    _check_networks([trial.config for trial in trials.values()])
    return tuple(trials.values())


def fetch_weights(trials: Sequence[PlannedTrial]) -> None:
    """Bring the weights that trials start from into the cache that all of them read.

    Raises:
        UserError: weights that cannot be had: the sweep stops here, and not in a trial.
    """
    from epropnp.models.network import CorrespondenceNet

    for model in dict.fromkeys(trial.config.model for trial in trials):
        if model.pretrained or model.released is not None:
            CorrespondenceNet(model)


def _check_networks(configs: Sequence[TrialConfig]) -> None:
    """UserError where there is no such backbone, or no such network of backbone and head."""
    import torch  # only now: all that needs no networks is checked already

    from epropnp.models.backbones import check_backbone
    from epropnp.models.network import CorrespondenceNet

    models = dict.fromkeys(config.model for config in configs)
    for backbone in dict.fromkeys(model.backbone for model in models):
        check_backbone(backbone)
    for model in models:
        with torch.device("meta"):
            CorrespondenceNet(dataclasses.replace(model, pretrained=False, released=None))
