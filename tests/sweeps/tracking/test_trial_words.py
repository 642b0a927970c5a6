"""What a run says of its trial: only what is telling, in a sentence, with its data."""

import dataclasses
from pathlib import Path

from epropnp.training.config import TrialConfig
from epropnp.training.record import Record
from epropnp.training.result import TrialResult
from sweeps.tracking.trial_words import AXES, NOTE_TAG, inputs_of, params_of, sentence, tags_of, varied_keys
from sweeps.trial import read
from tests.sweeps import told
from tests.sweeps.tracking.written import write_trial


def test_params_are_axes_what_is_changed_and_what_varies() -> None:
    default = TrialConfig()
    assert set(params_of(default, ())) == set(AXES)
    changed = dataclasses.replace(default, optim=dataclasses.replace(default.optim, lr=0.5))
    assert params_of(changed, ("build.train=8",)) == params_of(default, ()) | {"optim.lr": 0.5}
    assert params_of(default, ("build.train=8",), varied=["build.train"])["build.train"] == "8"
    assert params_of(default, (), varied=["optim.lr"])["optim.lr"] == default.optim.lr


def test_what_varies_is_told_beside_the_axes() -> None:
    one = told.ended("a", "finished")
    other = dataclasses.replace(one, config=dataclasses.replace(one.config, threads=7, seed=3))
    assert varied_keys([one, other]) == ["threads"]
    assert varied_keys([one]) == []


def test_a_sentence_says_what_it_is_how_it_ended_and_its_scores(result: TrialResult) -> None:
    text = sentence(told.ended("a", "finished", result=result))
    assert text.startswith("`resnet34` with head `")
    assert text.endswith(
        "Finished after 2 epochs in 61 s. "
        "ADD(-S) 0.10d 70.00 %, ADD(-S) area 36.25 %, 5deg5cm 60.00 % of 501 test images."
    )
    assert sentence(told.ended("a", "failed", "loss is not finite")).endswith(" Failed: loss is not finite.")


def test_code_machine_versions_and_data_come_from_the_folder(tmp_path: Path, result: TrialResult) -> None:
    write_trial(tmp_path / "a", result, [8.0])
    record = Record.read(tmp_path / "a")
    assert record is not None
    known = {"host": "box", "device": "cpu", "commit": "abc+", "test_id": "0" * 12}
    dataclasses.replace(record, versions={"torch": "2"}, **known).write(tmp_path / "a")  # type: ignore[arg-type]
    trial = read(tmp_path / "a")
    tags = tags_of(trial)
    assert tags.pop(NOTE_TAG) == sentence(trial)
    assert tags == {
        "epropnp.dataset_id": "0123456789ab",
        "epropnp.test_id": "0" * 12,
        "epropnp.host": "box",
        "epropnp.hardware": "cpu",
        "epropnp.versions": "torch 2",
        "epropnp.commit": "abc+",
        "mlflow.source.git.commit": "abc",
    }
    found = [(each["context"], each["digest"]) for each in inputs_of(trial)]
    assert found == [("train", "0123456789ab"), ("test", "0" * 12)]
