"""The result of a finished trial, put together from what it was, how it went and what its test said."""

import dataclasses

from epropnp.evaluation.predictions import Predictions
from epropnp.training.checkpoint import TrialState
from epropnp.training.config import TrialConfig
from epropnp.training.data import TrialData
from epropnp.training.identity import trial_hash
from epropnp.training.result import Metrics, TrialResult, validation_scores


def trial_result(
    config: TrialConfig,
    data: TrialData,
    state: TrialState,
    parameters: int,
    validation: Metrics,
    predictions: Predictions,
    test: Metrics,
) -> TrialResult:
    """What `result.json` says.

    Args:
        config, data: what was trained on what.
        state: at the end of the training.
        parameters: of the network, their number.
        validation: scores of the best weights on all of the validation split, in percent.
        predictions, test: of the best weights on the test split, and their scores in percent.
    """
    history, model = state.history, config.model
    return TrialResult(
        recipe=config.recipe,
        backbone=model.backbone,
        head=model.head,
        loss_weight=config.loss.mc,
        pretrained=model.starts_from_weights,
        weights_sha256=state.weights_sha256,
        parameters=parameters,
        seconds=state.seconds,
        epochs=config.optim.epochs,
        best_epoch=state.best_epoch,
        skipped=state.skipped,
        seed=config.seed,
        config_hash=trial_hash(config, data.dataset.dataset_id),
        dataset_id=data.dataset.dataset_id,
        test_images=len(predictions.sample_id),
        test_boxes=data.test_boxes,
        val_before=validation_scores(history[0]),
        val_after=validation_scores(history[state.best_epoch]),
        test=test,
        validation=validation,
        temperatures=dataclasses.asdict(predictions.temperatures),
        train_loss=[metrics["train/loss"] for metrics in history[1:]],
        val_add=[metrics["val/add_0.10d"] for metrics in history],
    )
