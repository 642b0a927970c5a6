"""From the picture of an object to its pose: what a network says, solved, with how sure it is. No truths."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from epropnp.inference.predictor import Poses, Predictor

__all__ = ["Poses", "Predictor"]


def __getattr__(name: str) -> Any:
    """Loaded when asked for: torch takes its time."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from epropnp.inference import predictor

    return getattr(predictor, name)
