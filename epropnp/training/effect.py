"""Settings on which, given the others, nothing depends."""

import dataclasses

from epropnp.training.config import TrialConfig

_USUAL = TrialConfig()


def effective(config: TrialConfig) -> TrialConfig:
    """The config with the settings that are without effect at their defaults: two that agree train alike."""
    optim, loss, pnp, model = config.optim, config.loss, config.pnp, config.model
    if model.head == "direct":  # it has no layers, and reads stride 4
        own = ("head_width", "deconv_stride")
        model = dataclasses.replace(model, **{name: getattr(_USUAL.model, name) for name in own})
    if optim.schedule != "step":
        optim = dataclasses.replace(optim, milestones=_USUAL.optim.milestones)
    if not loss.coord:
        loss = dataclasses.replace(loss, coord_mean=_USUAL.loss.coord_mean)
    if not (loss.deriv_t or loss.deriv_r):
        loss = dataclasses.replace(loss, deriv_ramp=_USUAL.loss.deriv_ramp)
    if pnp.kernel != "adaptive":
        pnp = dataclasses.replace(pnp, relative_delta=_USUAL.pnp.relative_delta)
    if pnp.kernel != "fixed":
        pnp = dataclasses.replace(pnp, delta=_USUAL.pnp.delta)
    if pnp.kernel == "none":
        pnp = dataclasses.replace(pnp, learn_delta=_USUAL.pnp.learn_delta)
    return dataclasses.replace(config, optim=optim, loss=loss, pnp=pnp, model=model)
