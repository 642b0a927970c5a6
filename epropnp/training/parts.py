"""What the terms of the training loss need that outlives a batch."""

from torch import nn

from epropnp.losses.derivative import DerivativeLoss
from epropnp.losses.monte_carlo import MonteCarloPoseLoss
from epropnp.pnp import EProPnP
from epropnp.training.config import TrialConfig

NORM_MOMENTUM = 0.01  # of the running scale of the Monte Carlo loss, per update


class Parts(nn.Module):
    """The pose layer, and terms with a state of their own.

    Args:
        config: of the trial.
        norm_factor: where the running scale of the Monte Carlo loss starts.
    """

    def __init__(self, config: TrialConfig, norm_factor: float = 1.0) -> None:
        super().__init__()
        self.config = config
        self.layer = EProPnP(config.pnp)
        per_part = 1 - (1 - NORM_MOMENTUM) ** (1 / config.optim.accumulate)
        self.monte_carlo = MonteCarloPoseLoss(per_part, initial_norm_factor=norm_factor)
        self.derivative = DerivativeLoss()
