"""The file of a result: read back as it was written, and refused where it is none."""

import dataclasses
import json

import pytest

from epropnp.errors import UserError
from epropnp.training.result import TrialResult

RESULT = TrialResult(
    recipe="quick",
    backbone="resnet10t",
    head="deconv",
    loss_weight=0.05,
    pretrained=True,
    weights_sha256="ab12",
    parameters=123,
    seconds=4.5,
    epochs=2,
    best_epoch=1,
    skipped=3,
    seed=6,
    config_hash="0123456789ab",
    dataset_id="ba9876543210",
    test_images=12,
    val_before={"add_0.10d": 1.0},
    val_after={"add_0.10d": 2.0},
    test={"add_0.10d": 1 / 3},
    temperatures={"posterior": {"scale": 0.5, "tail": 0.1}},
    train_loss=[0.1, 1e-12],
    val_add=[1.0, 2.0, 3.0],
    validation={"add_0.10d": 1.5},
)


def test_a_result_is_read_back_to_the_last_digit() -> None:
    assert TrialResult.from_json(RESULT.to_json()) == RESULT
    assert json.loads(RESULT.to_json()) == dataclasses.asdict(RESULT)


def test_an_older_result_without_scores_of_all_validation_images_is_read_with_those_of_its_epochs() -> None:
    values = json.loads(RESULT.to_json())
    del values["validation"]
    older = TrialResult.from_json(json.dumps(values))
    assert (older.validation, older.validated) == ({}, {"add_0.10d": 2.0})
    assert RESULT.validated == {"add_0.10d": 1.5}


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"recipe": "quick"}'])
def test_another_file_is_no_result(text: str) -> None:
    with pytest.raises(UserError, match=r"not a trial result .*; delete the file and run the trial again"):
        TrialResult.from_json(text)


def test_a_result_of_another_version_is_refused() -> None:
    values = json.loads(RESULT.to_json())
    with pytest.raises(UserError, match="not a trial result"):
        TrialResult.from_json(json.dumps(values | {"rank": 1}))
    del values["seed"]
    with pytest.raises(UserError, match="not a trial result"):
        TrialResult.from_json(json.dumps(values))
