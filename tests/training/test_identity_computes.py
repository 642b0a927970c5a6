"""What a trial computes, pinned: who changes one of these numbers raises COMPUTES of `training.identity`.

Results of another number are not taken over by other sweeps.
"""

from pathlib import Path

import pytest

from epropnp.evaluation.evaluator import predict
from epropnp.training.callbacks import Callback
from epropnp.training.identity import COMPUTES
from epropnp.training.result import StepReport
from epropnp.training.trainer import Trainer
from tests.training.tiny import Killed, tiny

LOSSES = [7.58647, 1.50647]  # of two updates
COST, POSE = 65.1608, 0.0425361  # means over the validation images after them


class Listening(Callback):
    """Takes down the losses, and ends the training after the last of them."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_step(self, report: StepReport) -> None:
        self.losses.append(float(report.loss))
        if len(self.losses) == len(LOSSES):
            raise Killed


def test_two_updates_and_an_evaluation_have_these_values(tiny_dataset: Path, tmp_path: Path) -> None:
    heard, trainer = Listening(), Trainer(tiny(), tiny_dataset, tmp_path, "cpu")
    with pytest.raises(Killed):
        trainer.fit([heard])
    predictions = predict(trainer._inference, trainer.data.evaluation("validation"))
    assert COMPUTES == 2
    assert heard.losses == pytest.approx(LOSSES, rel=1e-4)
    assert predictions.cost.mean() == pytest.approx(COST, rel=1e-4)
    assert predictions.T_pred.mean() == pytest.approx(POSE, rel=1e-4)
