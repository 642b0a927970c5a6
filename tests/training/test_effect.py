"""Settings without effect: a training with another value of them is the same one, of others it is not."""

from pathlib import Path

import pytest

from epropnp.training.config import TrialConfig
from epropnp.training.effect import effective
from epropnp.training.overrides import override
from epropnp.training.trainer import Trainer
from tests.training.tiny import tiny

# What makes a setting idle, what makes it count, and another value of it.
IDLE = {
    "head_width": ("model.head=direct", "model.head=deconv", "model.head_width=24"),
    "deconv_stride": ("model.head=direct", "model.head=deconv", "model.deconv_stride=8"),
    "milestones": ("optim.schedule=onecycle", "optim.schedule=step", "optim.milestones=0.0,0.1"),
    "coord_mean": ("loss.coord=0", "loss.coord=1", "loss.coord_mean=all"),
    "deriv_ramp": ("loss.deriv_t=0 loss.deriv_r=0", "loss.deriv_t=0.1", "loss.deriv_ramp=0.5"),
    "relative_delta": ("pnp.kernel=fixed", "pnp.kernel=adaptive", "pnp.relative_delta=0.01"),
    "delta": ("pnp.kernel=adaptive", "pnp.kernel=fixed", "pnp.delta=0.01"),
    "learn_delta": ("pnp.kernel=none", "pnp.kernel=adaptive", "pnp.learn_delta=yes"),
}


def pair(setting: str, idle: bool) -> tuple[TrialConfig, TrialConfig]:
    """The usual value, and another one."""
    without, having, other = IDLE[setting]
    base = override(tiny(), ["optim.epochs=1", "optim.batch_size=32", *(without if idle else having).split()])
    return base, override(base, [other])


@pytest.mark.parametrize("setting", IDLE)
def test_only_where_it_is_idle_it_does_not_count(setting: str) -> None:
    usual, other = pair(setting, idle=True)
    assert usual != other
    assert effective(usual) == effective(other)
    usual, other = pair(setting, idle=False)
    assert effective(usual) != effective(other)


@pytest.mark.slow
@pytest.mark.parametrize("setting", IDLE)
def test_what_is_said_to_train_alike_does(setting: str, tiny_dataset: Path, tmp_path: Path) -> None:
    results = [
        Trainer(config, tiny_dataset, tmp_path / str(at), "cpu").fit()
        for at, config in enumerate(pair(setting, idle=True))
    ]
    assert results[0].train_loss == results[1].train_loss
    assert results[0].test == results[1].test
