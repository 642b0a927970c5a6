"""Probabilistic perspective-n-points: a batched, differentiable pose layer in pure torch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # loaded when first asked for: the settings are read without torch
    from epropnp.pnp import pose
    from epropnp.pnp.camera import Camera
    from epropnp.pnp.config import PnPConfig
    from epropnp.pnp.correspondences import Correspondences
    from epropnp.pnp.layer import EProPnP
    from epropnp.pnp.results import Hypotheses, MonteCarlo, Solution

__all__ = [
    "Camera",
    "Correspondences",
    "EProPnP",
    "Hypotheses",
    "MonteCarlo",
    "PnPConfig",
    "Solution",
    "pose",
]

_HOMES = {
    "Camera": "camera",
    "Correspondences": "correspondences",
    "EProPnP": "layer",
    "Hypotheses": "results",
    "MonteCarlo": "results",
    "PnPConfig": "config",
    "Solution": "results",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name not in _HOMES:
        return import_module(f"{__name__}.{name}")
    globals()[name] = found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return found
