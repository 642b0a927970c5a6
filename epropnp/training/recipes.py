"""Recipes: functions of the sweep's axes that return a trial's config, beside what to sweep over by default.

`paper` is Table 1 of the report, the `official_...` are the published variants of EPro-PnP on LineMOD:
`v1b`, with derivative regularisation (`reg`), `v2`, and `v2` without coordinate loss (`v2_no_model`). `quick`
compares small members of the report's four families in minutes on two CPU cores. `best` is what trains best.

`small` turns any of them into the same method at the size of `quick`, so that methods can be compared where
their authors' sizes cannot be afforded.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from epropnp.data.config import AugmentConfig
from epropnp.inference.config import STUDY
from epropnp.models.config import ModelConfig, checked_head
from epropnp.training.config import DataConfig, LossConfig, OptimConfig, TrialConfig

STUDY_OBJECTS = (
    *("ape", "benchvise", "camera", "can", "cat", "driller", "duck"),
    *("eggbox", "glue", "holepuncher", "iron", "lamp", "phone"),
)

SKIPS = 0.001  # of all updates: one bad step does not end a day, many do
ONE_CYCLE = OptimConfig(
    optimiser="adamw",
    lr=2e-3,
    weight_decay=0.01,
    schedule="onecycle",
    milestones=(),
    clip_norm=5.0,
    precision="bf16",
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
        study_networks: whether networks have the study's stochastic depth, where it is not set.
    """

    name: str
    base: TrialConfig
    backbones: tuple[str, ...]
    objects: tuple[str, ...]
    loss_weights: tuple[float, ...]
    train: int
    validation: int
    test: int
    study_networks: bool = False

    @property
    def first(self) -> TrialConfig:
        """The config of the first cell of its comparison."""
        backbone = self.backbones[0]
        return self.trial(backbone, study_head(backbone), self.loss_weights[0], self.base.seed)

    def network(self, model: ModelConfig) -> ModelConfig:
        """A network as the recipe has it, with what depends on its backbone."""
        if not self.study_networks or model.drop_path is not None:
            return model
        return dataclasses.replace(model, drop_path=study_drop_path(model.backbone))

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
        base = self.base
        model = dataclasses.replace(base.model, backbone=backbone, head=checked_head(head))
        if pretrained is not None:
            model = dataclasses.replace(model, pretrained=pretrained)
        return dataclasses.replace(
            base,
            model=self.network(model),
            loss=dataclasses.replace(base.loss, mc=loss_weight),
            optim=dataclasses.replace(base.optim, epochs=base.optim.epochs if epochs is None else epochs),
            seed=seed,
        )


def study_drop_path(backbone: str) -> float:
    """The stochastic depth that the study gave to a backbone's family."""
    return 0.1 if backbone.startswith(("swin", "convnext")) else 0.0


def study_head(backbone: str) -> str:
    """The head that the study gave to a backbone's family."""
    return "direct" if backbone.startswith("hrnet") else "deconv"


def paper() -> Recipe:
    """Table 1 of the report: 160 epochs of RMSprop, 256 px, all 13 objects, ImageNet weights.

    As the released code has it, the coordinate loss is averaged over all cells of the map, and poses are
    started by EPnP and refined by three Gauss-Newton steps.
    """
    return Recipe(
        name="paper",
        base=TrialConfig(
            recipe="paper",
            model=ModelConfig(pretrained=True),
            loss=LossConfig(coord_mean="all"),
            optim=OptimConfig(skip_limit=SKIPS),
            evaluation=STUDY,
        ),
        backbones=(
            "resnet34.tv_in1k",
            "swin_tiny_patch4_window7_224.ms_in1k",
            "convnext_tiny.fb_in1k",
            "hrnet_w32.ms_in1k",
        ),
        objects=STUDY_OBJECTS,
        loss_weights=(0.02,),
        train=1000,
        validation=500,
        test=1000,
        study_networks=True,
    )


def official_v1b() -> Recipe:
    """The official 6DoF release, `basic`: the report's settings, ResNet-34 only."""
    return _variant(paper(), "official_v1b", backbones=("resnet34.tv_in1k",))


def official_reg() -> Recipe:
    """The official 6DoF release with derivative regularisation, both terms weighted 0.1."""
    loss = LossConfig(coord_mean="all", deriv_t=0.1, deriv_r=0.1)
    return _variant(official_v1b(), "official_reg", loss=loss)


def official_v2() -> Recipe:
    """EPro-PnP v2: softmax weights per pixel of the crop, other initialisation and loss weights.

    The authors start from the first stage of CDPN, which is not distributed with a licence to pass on: name
    its file in `model.released`; without, it starts from ImageNet weights.
    """
    base = official_v1b()
    model = dataclasses.replace(base.base.model, weight_norm="v2")
    loss = LossConfig(coord_mean="all", deriv_t=1.0, deriv_r=1.0)
    return _variant(base, "official_v2", model=model, loss=loss, loss_weights=(0.2,))


def official_v2_no_model() -> Recipe:
    """EPro-PnP v2 without coordinate loss: the network finds coordinates of its own from poses alone."""
    base = official_v2()
    return _variant(base, "official_v2_no_model", loss=dataclasses.replace(base.base.loss, coord=0.0))


def best() -> Recipe:
    """What trained best on photographs (README), at the size of the report; it wants long training.

    v2's weights and loss under AdamW with one cycle of warm-up and cosine, averaged weights, stronger
    augmentation, and true poses chosen among the equivalent ones of symmetric objects.

    The derivative terms grow with the training. From the start their gradients are a hundred times those of
    the other terms, and a network without pretraining learns little else (rendered cats: area 20 instead of
    31); without them, photographs come out 2 % too near.
    """
    base = TrialConfig(
        recipe="best",
        model=ModelConfig(pretrained=True, weight_norm="v2"),
        loss=LossConfig(deriv_t=1.0, deriv_r=1.0, deriv_ramp=1.0, symmetric=True),
        optim=dataclasses.replace(ONE_CYCLE, lr=1.5e-3, ema=0.998, skip_limit=SKIPS),
        data=DataConfig(
            real_repeats=10,
            augment=AugmentConfig(
                scale_jitter=0.15,
                shift_jitter=0.15,
                rotation_deg=15.0,
                occlusion=0.2,
                color=0.4,
                blur=0.3,
                noise=0.05,
            ),
        ),
    )
    return _variant(paper(), "best", base=base, loss_weights=(0.5,), study_networks=False)


def quick() -> Recipe:
    """Small networks, 128 px crops and one object: a first comparison in minutes without a GPU.

    The derivative terms earn their place: without them the coordinates of a half-trained network shrink,
    and depth comes out 1.5 % too small. So does the Monte Carlo loss: with weights of 0, 0.05, 0.2, 0.5 and 1
    the area of two of the networks is 27 and 29, 28 and 31, 33 and 35, 36 and 40, 35 and 37.
    """
    base = TrialConfig(
        recipe="quick",
        model=ModelConfig(weight_norm="v2"),
        loss=LossConfig(deriv_t=1.0, deriv_r=0.2),
        optim=ONE_CYCLE,
        data=DataConfig(augment=AugmentConfig(scale_jitter=0.1, shift_jitter=0.1, color=0.2)),
    )
    return small(_variant(paper(), "quick", base=base, loss_weights=(0.5,)))


def small(recipe: Recipe) -> Recipe:
    """The same method at the size of `quick`: small networks from scratch, 128 px, one object, 8 epochs.

    Loss, optimiser, learning rate and augmentation stay; milestones of the schedule keep their share of it,
    in whole epochs of the 8.
    """
    base = recipe.base
    optim = dataclasses.replace(base.optim, epochs=8, batch_size=16, precision="bf16")
    milestones = tuple(epoch / optim.epochs for epoch in optim.milestone_epochs)
    return dataclasses.replace(
        recipe,
        base=dataclasses.replace(
            base,
            model=dataclasses.replace(
                base.model, pretrained=False, input_px=128, deconv_stride=16, head_width=64
            ),
            pnp=dataclasses.replace(base.pnp, amis_samples=32),
            optim=dataclasses.replace(optim, milestones=milestones),
            data=dataclasses.replace(base.data, points=256),
            evaluation=dataclasses.replace(base.evaluation, proposals=32),
        ),
        backbones=("resnet10t", "swin_nano_patch4_window8", "convnext_zepto_rms", "hrnet_w18_small"),
        objects=("cat",),
        train=2000,
        validation=500,
        test=300,
        study_networks=False,
    )


def _variant(recipe: Recipe, name: str, **changes: Any) -> Recipe:
    """A recipe with another name; `changes` are of the recipe, or else of its base config."""
    of_recipe = {key: value for key, value in changes.items() if hasattr(recipe, key)}
    of_base = {key: value for key, value in changes.items() if key not in of_recipe}
    recipe = dataclasses.replace(recipe, name=name, **of_recipe)
    return dataclasses.replace(recipe, base=dataclasses.replace(recipe.base, recipe=name, **of_base))


RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        quick(),
        paper(),
        official_v1b(),
        official_reg(),
        official_v2(),
        official_v2_no_model(),
        best(),
    )
}
