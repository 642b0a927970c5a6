"""The least value of each count and size in a trial's config: below it, training would fail or do nothing."""

from operator import attrgetter
from typing import Any

from epropnp.errors import UserError

LEAST = {
    "seed": 0,
    "threads": 1,
    "model.input_px": 1,
    "model.head_width": 1,
    "pnp.amis_iterations": 1,
    "pnp.amis_samples": 1,
    "optim.lr": 0,
    "optim.weight_decay": 0,
    "optim.epochs": 0,  # only the untrained network is tested
    "optim.batch_size": 1,
    "optim.clip_norm": 0,
    "optim.skip_limit": 0,
    "data.points": 4,
    "data.real_repeats": 0,  # photographs are left out
    "data.workers": 0,
    "data.overfit": 1,
    "evaluation.proposals": 1,
    "evaluation.iterations": 0,
    "evaluation.samples": 0,
    "evaluation.batch_size": 1,
}


def check_ranges(config: Any) -> None:
    """UserError naming the first setting of a `TrialConfig` that is below its least value."""
    for key, least in LEAST.items():
        value = attrgetter(key)(config)
        if value is not None and value < least:
            raise UserError(f"{key}: {value} is not at least {least}")
