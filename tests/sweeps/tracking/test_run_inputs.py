"""The data of a run, as MLflow's column shows them: there once, however often it is told."""

from pathlib import Path

from epropnp.training.result import TrialResult
from sweeps.tracking.run_inputs import CONTEXT_TAG
from sweeps.tracking.trial_events import facts_of
from tests.sweeps import tracked
from tests.sweeps.tracking.written import write_trial

A = "resnet-seed0"


def test_the_dataset_is_an_input_once(uri: str, tmp_path: Path, result: TrialResult) -> None:
    write_trial(tmp_path / A, result, [8.0])
    for runs in (tracked.sender(uri, tmp_path), tracked.sender(uri, tmp_path)):
        for fact in facts_of(lambda name: tmp_path / name, tmp_path)(A):
            runs.carry(fact)
    (data,) = tracked.runs(uri, tmp_path)[A].inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("epropnp train", "0123456789ab")
    assert {tag.key: tag.value for tag in data.tags} == {CONTEXT_TAG: "train"}
