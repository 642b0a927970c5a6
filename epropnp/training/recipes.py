"""Recipes: functions of the sweep's axes that return a trial's config, beside what to sweep over by default.

`paper` is Table 1 of the report to the letter. `quick` compares small members of the same four families in
minutes on two CPU cores. `real` trains one pretrained network on photographs, on a CPU too.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from epropnp.data.augment import AugmentConfig
from epropnp.models.heads import check_head
from epropnp.models.network import ModelConfig
from epropnp.pnp import PnPConfig
from epropnp.training.config import (
    DataConfig,
    EvaluationConfig,
    LossConfig,
    OptimConfig,
    TrialConfig,
)

STUDY_OBJECTS = (
    *("ape", "benchvise", "camera", "can", "cat", "driller", "duck"),
    *("eggbox", "glue", "holepuncher", "iron", "lamp", "phone"),
)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A way to train, and the comparison it is meant for.

    Attributes:
        name: as on the command line.
        base: the config that every trial derives from.
        backbones: compared by default.
        objects: trained on by default, one network for all.
        loss_weights: weights of the Monte Carlo loss compared by default.
        train, validation, test: rendered samples per object.
    """

    name: str
    base: TrialConfig
    backbones: tuple[str, ...]
    objects: tuple[str, ...]
    loss_weights: tuple[float, ...]
    train: int
    validation: int
    test: int

    @property
    def study_heads(self) -> Mapping[str, str]:
        """The study's pairing: `direct` for HRNet, `deconv` for the rest."""
        return {backbone: study_head(backbone) for backbone in self.backbones}

    def trial(
        self,
        backbone: str,
        head: str,
        loss_weight: float,
        seed: int,
        *,
        epochs: int | None = None,
        pretrained: bool | None = None,
    ) -> TrialConfig:
        """The config of one cell of the sweep; None keeps what the recipe says."""
        check_head(head)
        base = self.base
        model = dataclasses.replace(base.model, backbone=backbone, head=head)
        if pretrained is not None:
            model = dataclasses.replace(model, pretrained=pretrained)
        return dataclasses.replace(
            base,
            model=model,
            loss=dataclasses.replace(base.loss, mc=loss_weight),
            optim=dataclasses.replace(base.optim, epochs=epochs or base.optim.epochs),
            seed=seed,
        )


def study_head(backbone: str) -> str:
    """The head that the study gave to a backbone's family."""
    return "direct" if backbone.startswith("hrnet") else "deconv"


def paper() -> Recipe:
    """Table 1 of the report: 160 epochs of RMSprop, 256 px, all 13 objects, ImageNet weights."""
    return Recipe(
        name="paper",
        base=TrialConfig(recipe="paper", model=ModelConfig(pretrained=True)),
        backbones=("resnet34", "swin_tiny_patch4_window7_224", "convnext_tiny", "hrnet_w32"),
        objects=STUDY_OBJECTS,
        loss_weights=(0.02,),
        train=1000,
        validation=100,
        test=1000,
    )


def quick() -> Recipe:
    """Small networks, 128 px crops and one object: a first comparison in minutes without a GPU.

    The derivative terms earn their place: without them the coordinates of a half-trained network shrink,
    and depth comes out 1.5 % too small.
    """
    base = TrialConfig(
        recipe="quick",
        model=ModelConfig(input_px=128, deconv_stride=16, head_width=64, weight_norm="v2"),
        pnp=PnPConfig(amis_samples=32),
        loss=LossConfig(deriv_t=1.0, deriv_r=0.2),
        optim=OptimConfig(
            optimiser="adamw",
            lr=2e-3,
            weight_decay=0.01,
            schedule="onecycle",
            milestones=(),
            epochs=8,
            batch_size=16,
            clip_norm=5.0,
            precision="bf16",
        ),
        data=DataConfig(points=256, augment=AugmentConfig(scale_jitter=0.1, shift_jitter=0.1, color=0.2)),
        evaluation=EvaluationConfig(proposals=32),
    )
    return Recipe(
        name="quick",
        base=base,
        backbones=("resnet10t", "swin_nano_patch4_window8", "convnext_zepto_rms", "hrnet_w18_small"),
        objects=("cat",),
        loss_weights=(0.05,),
        train=2000,
        validation=100,
        test=300,
    )


def real() -> Recipe:
    """One pretrained network for photographs of one object, in half an hour on two CPU cores."""
    recipe = quick()
    base = recipe.base
    augment = AugmentConfig(
        scale_jitter=0.15,
        shift_jitter=0.15,
        rotation_deg=15.0,
        occlusion=0.2,
        color=0.4,
        blur=0.3,
        noise=0.05,
    )
    base = dataclasses.replace(
        base,
        recipe="real",
        threads=2,
        model=dataclasses.replace(base.model, pretrained=True, head_width=96),
        optim=dataclasses.replace(base.optim, lr=1.5e-3, epochs=30),
        data=dataclasses.replace(base.data, real_repeats=3, augment=augment),
    )
    return dataclasses.replace(
        recipe, name="real", base=base, backbones=("tf_efficientnet_lite0",), train=1000
    )


RECIPES: Mapping[str, Recipe] = {recipe.name: recipe for recipe in (quick(), paper(), real())}
