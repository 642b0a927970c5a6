"""What each setting of a trial is for: another value of it, what must change then, and what must not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from epropnp.data.config import AugmentConfig
from epropnp.inference.config import EvaluationConfig
from epropnp.models.config import ModelConfig
from epropnp.pnp import PnPConfig
from epropnp.training.config import DataConfig, LossConfig, OptimConfig, TrialConfig

BASE = TrialConfig(
    model=ModelConfig(backbone="test_resnet", input_px=64, deconv_stride=16, head_width=8, weight_norm="v2"),
    pnp=PnPConfig(amis_iterations=2, amis_samples=8),
    loss=LossConfig(mc=0.02, deriv_t=0.1, deriv_r=0.1),
    optim=OptimConfig(optimiser="adamw", lr=1e-3, milestones=(0.75,), epochs=4, batch_size=4),
    data=DataConfig(points=64, augment=AugmentConfig(background_real=0.0)),
    evaluation=EvaluationConfig(proposals=4, iterations=2, samples=8),
)

CROPS = ("crop.side", "crop.centre", "crop.camera", "crop.mask", "crop.coords", "crop.pixels", "order")
BOXES = (
    "validation.side",
    "validation.centre",
    "validation.pixels",
    "test.side",
    "test.centre",
    "test.pixels",
)
NETWORK = ("network.weights", "network.maps")
# What no setting of a group may touch, unless an entry says that it is for that.
KEPT_BY_GROUP = {
    "data.augment.": (*BOXES, *NETWORK, "rates", "visits", "order", "poses", "posterior"),
    "data.": (*BOXES, *NETWORK),
    "evaluation.": (*CROPS, *NETWORK, "rates", "loss.raw", "loss.total", "update.weights"),
    "loss.": (*CROPS, *BOXES, *NETWORK, "rates", "poses", "posterior"),
    "optim.": (*BOXES, *NETWORK),
    "pnp.": (*CROPS, *BOXES, *NETWORK, "rates"),
    "model.": ("visits", "order", "rates", "validation.side", "test.side"),
}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How one setting shows.

    Attributes:
        other: another value, as `--set` takes it.
        changes: what it is for, by the names of `observables`.
        keeps: what it must leave bit for bit, beside what its group leaves.
        now: what observables are worth with the other value.
        given: settings that it needs to matter, in both configs.
        along: settings that have to change with it.
    """

    other: str
    changes: Sequence[str] = ()
    keeps: Sequence[str] = ()
    now: tuple[tuple[str, Any], ...] = ()
    given: Sequence[str] = ()
    along: Sequence[str] = ()


def _solver(other: str, *given: str) -> Setting:
    """A setting of the solver, which training and evaluation share."""
    return Setting(other=other, changes=("mode", "poses"), given=given)


def _sampling(other: str, *given: str) -> Setting:
    """A setting of the Monte Carlo loss's importance sampling; evaluation has a way of its own."""
    return Setting(other=other, changes=("evidence", "loss.raw"), keeps=("mode", "poses"), given=given)


def _pixels(other: str, *given: str) -> Setting:
    """An augmentation of colours alone."""
    geometry = ("crop.side", "crop.centre", "crop.camera", "crop.mask", "crop.coords")
    return Setting(other=other, changes=("crop.pixels",), keeps=geometry, given=given)


def _term(other: str, name: str) -> Setting:
    """The weight of a loss term: the term itself stays."""
    return Setting(other=other, changes=("loss.weighted", "loss.total"), keeps=("loss.raw",))


SETTINGS: dict[str, Setting] = {
    "seed": Setting(
        other="1",
        changes=("order", "crop.jitter", "network.weights", "loss.raw"),
        keeps=(*BOXES, "rates", "poses", "posterior"),
    ),
    "model.backbone": Setting(other="test_efficientnet", changes=("network.shapes",), keeps=(*CROPS, *BOXES)),
    "model.head": Setting(other="upsample", changes=("network.shapes",), keeps=(*CROPS, *BOXES)),
    "model.input_px": Setting(
        other="96",
        changes=("crop.pixels", "test.pixels", "places"),
        keeps=("crop.side",),
        now=(("crop.px", 96),),
    ),
    "model.deconv_stride": Setting(other="8", changes=("network.shapes",), keeps=(*CROPS, *BOXES)),
    "model.head_width": Setting(other="12", changes=("network.shapes",), keeps=(*CROPS, *BOXES)),
    "model.weight_norm": Setting(
        other="v1b",
        changes=("network.weights", "weights_img", "poses"),
        keeps=("network.shapes", *CROPS, *BOXES),
    ),
    "model.cell_anchor": Setting(other="0", changes=("places", "poses"), keeps=(*NETWORK, *CROPS, *BOXES)),
    "pnp.kernel": _solver("none"),
    "pnp.relative_delta": _solver("0.01"),
    "pnp.delta": _solver("0.01", "pnp.kernel=fixed"),
    "pnp.learn_delta": Setting(other="yes", changes=("trained",), now=(("trained", ["layer.log_delta"]),)),
    "pnp.centred": _solver("no"),
    "pnp.lm_iterations": Setting(other="1", changes=("mode", "loss.raw"), keeps=("poses",)),
    "pnp.lm_initial_radius": _solver("0.1"),
    "pnp.lm_min_relative_decrease": _solver("2"),
    "pnp.lm_min_diagonal": _solver("1e6"),
    "pnp.lm_max_diagonal": _solver("1e-3"),
    "pnp.lm_epsilon": _solver("10"),
    "pnp.rslm_proposals": Setting(other="9", changes=("evidence", "loss.raw"), keeps=("poses",)),
    "pnp.rslm_points": _solver("5"),
    "pnp.rslm_iterations": _solver("0"),
    "pnp.amis_iterations": Setting(
        other="3", changes=("evidence",), keeps=("poses",), now=(("samples", 24),)
    ),
    "pnp.amis_samples": Setting(other="20", changes=("evidence",), keeps=("poses",), now=(("samples", 40),)),
    "pnp.sampler": _sampling("quasi"),
    "pnp.dispersion": _sampling("0.5"),
    "loss.coord": _term("2", "coord"),
    "loss.mc": _term("0.1", "mc"),
    "loss.deriv_t": _term("0.3", "deriv_t"),
    "loss.deriv_r": _term("0.3", "deriv_r"),
    "loss.deriv_ramp": Setting(other="0.5", changes=("loss.weighted", "loss.total"), keeps=("loss.raw",)),
    "loss.own": Setting(other="log_scale:0.5", changes=("loss.weighted", "loss.total")),
    "loss.coord_mean": Setting(other="all", changes=("loss.raw", "loss.total")),
    "loss.symmetric": Setting(other="yes", changes=("loss.raw", "loss.total")),
    "optim.optimiser": Setting(other="rmsprop", changes=("update.weights",), keeps=("loss.raw", "rates")),
    "optim.lr": Setting(other="2e-3", changes=("rates", "update.weights"), keeps=("loss.raw",)),
    "optim.weight_decay": Setting(other="0.1", changes=("update.weights",), keeps=("loss.raw", "rates")),
    "optim.schedule": Setting(other="onecycle", changes=("rates", "update.weights"), keeps=("loss.raw",)),
    "optim.milestones": Setting(other="0.25,0.5", changes=("rates",), keeps=("update.weights",)),
    "optim.epochs": Setting(other="6", changes=("rates",), keeps=("steps",)),
    "optim.batch_size": Setting(other="2", changes=("loss.raw",), now=(("parts", [2]), ("steps", 6))),
    "optim.clip_norm": Setting(
        other="1e-3",
        changes=("update.norm", "update.weights"),
        keeps=("loss.raw", "rates"),
        given=("optim.clip_norm=1e-2",),
    ),
    "optim.precision": Setting(
        other="bf16", changes=("loss.raw",), now=(("precision", 2 * ["torch.bfloat16"]),)
    ),
    "optim.accumulate": Setting(other="2", keeps=("order", "rates", "steps"), now=(("parts", [2, 2]),)),
    "optim.ema": Setting(
        other="0.1",
        changes=("update.evaluated",),
        keeps=("update.weights",),
        given=("optim.ema=0.9",),
    ),
    "optim.skip_limit": Setting(other="1", changes=("survives",), keeps=("update.weights",)),
    "data.points": Setting(
        other="32", changes=("loss.raw", "covariance"), keeps=CROPS, now=(("points", 32),)
    ),
    "data.real_repeats": Setting(other="3", changes=("steps",), now=(("visits", [1, 3] * 6), ("steps", 6))),
    "data.overfit": Setting(
        other="2",
        changes=BOXES,
        now=(("visits", [40, 40, *[0] * 10]), ("steps", 20)),
    ),
    "data.augment.scale_jitter": Setting(
        other="0.1", changes=("crop.side",), keeps=("crop.centre", "crop.camera")
    ),
    "data.augment.shift_jitter": Setting(
        other="0.1", changes=("crop.centre",), keeps=("crop.side", "crop.camera")
    ),
    "data.augment.rotation_deg": Setting(
        other="30", changes=("crop.camera", "crop.pixels", "crop.coords"), keeps=("crop.side", "crop.centre")
    ),
    "data.augment.background_synthetic": Setting(
        other="0", changes=("crop.renderings",), keeps=("crop.photographs", "crop.mask")
    ),
    "data.augment.background_real": Setting(
        other="1", changes=("crop.photographs",), keeps=("crop.renderings", "crop.mask")
    ),
    "data.augment.occlusion": Setting(
        other="1",
        changes=("crop.mask", "crop.pixels", "crop.coords"),
        keeps=("crop.side", "crop.centre"),
        given=("data.augment.occluders=4",),
    ),
    "data.augment.occluders": Setting(
        other="5",
        changes=("crop.mask", "crop.pixels"),
        keeps=("crop.side",),
        given=("data.augment.occlusion=1",),
    ),
    "data.augment.occluder_crops": Setting(
        other="1", changes=("crop.pixels",), keeps=("crop.mask",), given=("data.augment.occlusion=1",)
    ),
    "data.augment.color": _pixels("0.3"),
    "data.augment.grey": _pixels("1"),
    "data.augment.blur": _pixels("1"),
    "data.augment.blur_px": _pixels("6", "data.augment.blur=1"),
    "data.augment.noise": _pixels("0.2"),
    "evaluation.proposals": Setting(other="7", changes=("poses",)),
    "evaluation.iterations": Setting(other="4", changes=("poses",)),
    "evaluation.initial": Setting(other="epnp", changes=("poses",), keeps=BOXES),
    "evaluation.hypotheses": Setting(other="3", keeps=BOXES, now=(("hypotheses", 3),)),
    "evaluation.samples": Setting(other="0", keeps=("poses", *BOXES), now=(("posterior", None),)),
    "evaluation.test_boxes": Setting(
        other="detected",
        changes=("test.side", "test.centre", "test.pixels", "poses"),
        keeps=("validation.side", "validation.centre", "validation.pixels"),
    ),
    "evaluation.detector.scale": Setting(
        other="0.2",
        changes=("test.side", "validation.side", "poses"),
        keeps=("test.centre", "validation.centre"),
    ),
    "evaluation.detector.shift": Setting(
        other="0.2",
        changes=("test.centre", "validation.centre", "poses"),
        keeps=("test.side", "validation.side"),
    ),
}

# The same settings where they go another way; what stands in brackets is only a name.
SETTINGS |= {
    "evaluation.iterations (epnp)": Setting(
        other="4", changes=("poses",), given=("evaluation.initial=epnp", "evaluation.iterations=1")
    ),
    "evaluation.proposals (epnp_or_random)": Setting(
        other="7", changes=("poses",), given=("evaluation.initial=epnp_or_random",)
    ),
    "evaluation.iterations (hypotheses)": Setting(
        other="4", changes=("poses",), given=("evaluation.hypotheses=2",)
    ),
    "evaluation.proposals (hypotheses)": Setting(
        other="7", changes=("poses",), given=("evaluation.hypotheses=2",)
    ),
    "evaluation.samples (hypotheses)": Setting(
        other="12", changes=("posterior",), keeps=("poses",), given=("evaluation.hypotheses=2",)
    ),
    "optim.weight_decay (rmsprop)": Setting(
        other="0.1", changes=("update.weights",), keeps=("loss.raw",), given=("optim.optimiser=rmsprop",)
    ),
    "optim.lr (onecycle)": Setting(other="2e-3", changes=("rates",), given=("optim.schedule=onecycle",)),
    "optim.epochs (onecycle)": Setting(
        other="2", changes=("rates", "update.weights"), given=("optim.schedule=onecycle",)
    ),
    "data.real_repeats (none)": Setting(other="0", now=(("visits", [1, 0] * 6), ("steps", 1))),
    "pnp.learn_delta (fixed)": Setting(
        other="yes", now=(("trained", ["layer.log_delta"]),), given=("pnp.kernel=fixed",)
    ),
    "pnp.delta (learnt)": _solver("0.01", "pnp.kernel=fixed", "pnp.learn_delta=yes"),
    "pnp.relative_delta (learnt)": _solver("0.01", "pnp.learn_delta=yes"),
}

# Settings that a test of their own watches, and why they are not in the table.
ELSEWHERE = {
    "recipe": "a name: it changes no number, only what the result is filed under",
    "threads": "changes numbers by rounding at most",
    "data.workers": "changes no number at all",
    "optim.compile": "changes numbers by rounding at most",
    "pnp.compile": "changes numbers by rounding at most",
    "evaluation.batch_size": "changes numbers by rounding at most",
    "evaluation.temperature": "shows at the end of a training alone",
    "pnp.dof": "a trial has 6 degrees of freedom; another value is refused (test_config.py)",
    "model.drop_path": "needs a backbone that has it (tests/models/test_families.py)",
    "model.swin_window": "needs a Swin (tests/models/test_families.py)",
    "model.pretrained": "needs a file of weights",
    "model.weights_file": "needs a file of weights",
    "model.released": "needs a released checkpoint",
    "model.start": "needs a trained network (tests/models/test_own_weights.py)",
}


def kept(name: str) -> set[str]:
    """Observables that an entry's setting must leave as they are."""
    setting = SETTINGS[name]
    group = next((names for prefix, names in KEPT_BY_GROUP.items() if name.startswith(prefix)), ())
    meant = {*setting.changes, *(observable for observable, _ in setting.now)}
    return {*group, *setting.keeps} - meant
