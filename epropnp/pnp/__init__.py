"""Probabilistic perspective-n-points: a batched, differentiable pose layer in pure torch."""

from epropnp.pnp import pose
from epropnp.pnp.camera import Camera
from epropnp.pnp.config import PnPConfig
from epropnp.pnp.layer import EProPnP
from epropnp.pnp.results import Hypotheses, MonteCarlo, Solution

__all__ = ["Camera", "EProPnP", "Hypotheses", "MonteCarlo", "PnPConfig", "Solution", "pose"]
