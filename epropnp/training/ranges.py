"""The range of each number in a trial's config: outside of it, training would fail or mean something else."""

from operator import attrgetter
from typing import Any

from epropnp.errors import UserError

LEAST = {
    "seed": 0,
    "threads": 1,
    "model.input_px": 1,
    "model.head_width": 1,
    "pnp.lm_iterations": 0,
    "pnp.lm_min_relative_decrease": 0,
    "pnp.lm_min_diagonal": 0,
    "pnp.lm_epsilon": 0,
    "pnp.rslm_proposals": 0,
    "pnp.rslm_points": 3,
    "pnp.rslm_iterations": 0,
    "pnp.amis_iterations": 1,
    "pnp.amis_samples": 1,
    "pnp.dispersion": 0,
    "loss.coord": 0,
    "loss.mc": 0,
    "loss.deriv_t": 0,
    "loss.deriv_r": 0,
    "optim.lr": 0,
    "optim.weight_decay": 0,
    "optim.epochs": 0,  # only the untrained network is tested
    "optim.batch_size": 1,
    "optim.skip_limit": 0,
    "data.points": 4,
    "data.real_repeats": 0,  # photographs are left out
    "data.workers": 0,
    "data.overfit": 1,
    "data.augment.rotation_deg": 0,
    "data.augment.occluders": 1,
    "data.augment.blur_px": 0,
    "evaluation.proposals": 1,
    "evaluation.iterations": 0,
    "evaluation.samples": 0,
    "evaluation.batch_size": 1,
    "evaluation.detector.shift": 0,
}
ABOVE_ZERO = (
    *("pnp.relative_delta", "pnp.delta", "pnp.lm_initial_radius", "pnp.lm_max_diagonal"),
    "optim.clip_norm",
)
SHARES = (  # 0 to 1
    "model.cell_anchor",
    *("data.augment.shift_jitter", "data.augment.color", "data.augment.noise"),
    *("data.augment.background_synthetic", "data.augment.background_real"),
    *("data.augment.occlusion", "data.augment.occluder_crops", "data.augment.grey", "data.augment.blur"),
)
BELOW_ONE = ("optim.ema", "data.augment.scale_jitter", "evaluation.detector.scale")  # from 0 on


def check_ranges(config: Any) -> None:
    """UserError naming the first setting of a `TrialConfig` that is out of its range."""
    for key in (*LEAST, *ABOVE_ZERO, *SHARES, *BELOW_ONE):
        value = attrgetter(key)(config)
        missed = None if value is None else _missed_range(key, value)
        if missed is not None:
            raise UserError(f"{key}: {value} is not {missed}")


def _missed_range(key: str, value: float) -> str | None:
    """In words; None where the value is in its range. NaN is in none."""
    if key in LEAST and not value >= LEAST[key]:
        return f"at least {LEAST[key]}"
    if key in ABOVE_ZERO and not value > 0:
        return "above 0"
    if key in SHARES and not 0 <= value <= 1:
        return "between 0 and 1"
    if key in BELOW_ONE and not 0 <= value < 1:
        return "from 0 to below 1"
    return None
