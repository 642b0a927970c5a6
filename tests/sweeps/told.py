"""What listeners are told of trials."""

from collections.abc import Sequence
from typing import Any

from epropnp.training.config import TrialConfig
from epropnp.training.record import Status
from epropnp.training.result import TrialResult
from sweeps.trial import Trial


def ended(name: str, status: Status, reason: str | None = None, result: TrialResult | None = None) -> Trial:
    """A trial as its folder would tell it at its end."""
    return Trial(
        name=name,
        config=TrialConfig(),
        dataset_id="0123456789ab",
        test_id=None,
        status=status,
        reason=reason,
        history=(),
        result=result,
        record=None,
        missing=None,
    )


def epoch(number: int, loss: float, earlier: Sequence[float] = ()) -> dict[str, Any]:
    """What a trial reports at the end of an epoch, whose loss tells what else it measures."""
    before = [{"train/loss": value, "val/add_0.10d": 1 / value} for value in earlier]
    metrics = {"train/loss": loss, "val/add_0.10d": 1 / loss}
    return {"epoch": number, "epochs": 9, "metrics": metrics, "earlier": before}
