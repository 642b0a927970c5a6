"""What a trial tells Ray Tune, epoch by epoch, and what its folder refuses; the training is made up."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from epropnp.errors import UserError
from epropnp.plain import to_dict
from epropnp.training.config import TrialConfig
from epropnp.training.result import TrialResult
from sweeps import trial as module
from sweeps.space import PlannedTrial
from sweeps.trial import one_line, prepare_folder, read_result, run_trial, trial_spec

Told = list[dict[str, Any]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """What is reported to Ray Tune."""
    reports: Told = []
    monkeypatch.setattr(module.tune, "report", reports.append)
    monkeypatch.setattr(module.gc, "collect", lambda: None)  # a second in a process of many modules
    return reports


class FakeTrainer:
    """Trains `epochs` epochs after those that a checkpoint holds; epoch 0 is the one before training."""

    made: list["FakeTrainer"]
    done = 0  # epochs that the checkpoint holds
    error: Exception | None = None

    def __init__(self, config: TrialConfig, dataset: str, folder: Path) -> None:
        self.config, self.given = config, (dataset, folder)
        self.state = SimpleNamespace(history=[{"val/add_0.10d": 10.0 * i} for i in range(self.done)])
        self.made.append(self)

    def fit(self, callbacks: list[Any]) -> None:
        for epoch in range(self.done, self.config.optim.epochs + 1):
            self.state.history.append({"val/add_0.10d": 10.0 * epoch})
            for callback in callbacks:
                callback.on_epoch(SimpleNamespace(epoch=epoch))
            if self.error is not None:
                raise self.error


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeTrainer]:
    kind = type("Fake", (FakeTrainer,), {"made": []})
    monkeypatch.setattr(module, "Trainer", kind)
    return kind


def space(planned: PlannedTrial, folder: Path, epochs: int = 3) -> dict[str, Any]:
    optim = dataclasses.replace(planned.config.optim, epochs=epochs)
    config = dataclasses.replace(planned.config, optim=optim)
    return {"trial": trial_spec("a name", config, folder, folder / "trial")}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "trial").mkdir()
    return tmp_path


def test_every_epoch_is_told_once_with_its_own_metrics(
    told: Told, fake: type[FakeTrainer], planned: PlannedTrial, place: Path
) -> None:
    run_trial(space(planned, place))
    assert told == [
        {"epoch": epoch, "epochs": 3, "metrics": {"val/add_0.10d": 10.0 * epoch}, "earlier": []}
        for epoch in range(4)
    ]
    (trainer,) = fake.made
    assert trainer.given == (str(place), place / "trial")
    assert trainer.config == dataclasses.replace(
        planned.config, optim=dataclasses.replace(planned.config.optim, epochs=3)
    )


def test_the_first_report_of_a_process_carries_the_epochs_before_it(
    told: Told, fake: type[FakeTrainer], planned: PlannedTrial, place: Path
) -> None:
    fake.done = 2
    run_trial(space(planned, place))
    assert [report["epoch"] for report in told] == [2, 3]
    assert [report["metrics"] for report in told] == [{"val/add_0.10d": 20.0}, {"val/add_0.10d": 30.0}]
    assert [report["earlier"] for report in told] == [[{"val/add_0.10d": 0.0}, {"val/add_0.10d": 10.0}], []]


def test_a_trial_that_had_only_its_test_left_tells_its_last_epoch(
    told: Told, fake: type[FakeTrainer], planned: PlannedTrial, place: Path
) -> None:
    fake.done = 4
    run_trial(space(planned, place))
    (report,) = told
    assert (report["epoch"], report["epochs"]) == (3, 3)
    assert report["metrics"] == {"val/add_0.10d": 30.0}
    assert [metrics["val/add_0.10d"] for metrics in report["earlier"]] == [0.0, 10.0, 20.0]


def test_what_the_user_can_mend_is_told_and_anything_else_is_raised(
    told: Told, fake: type[FakeTrainer], planned: PlannedTrial, place: Path
) -> None:
    fake.error = UserError("loss is not finite\nat step 3")
    run_trial(space(planned, place))
    assert [report.get("epoch") for report in told] == [0, None]
    assert told[1] == {"failed": "loss is not finite"}
    told.clear()
    fake.error = RuntimeError("out of memory")
    with pytest.raises(RuntimeError, match="out of memory"):
        run_trial(space(planned, place))
    assert [report.get("failed") for report in told] == [None]


@pytest.mark.parametrize(("missing", "flag"), [("dataset", "--datasets"), ("folder", "--out")])
def test_a_node_that_does_not_see_a_folder_says_which_flag_names_it(
    told: Told, fake: type[FakeTrainer], planned: PlannedTrial, place: Path, missing: str, flag: str
) -> None:
    given = space(planned, place)
    given["trial"][missing] = "/no/such/place"
    run_trial(given)
    (report,) = told
    assert "does not see /no/such/place" in report["failed"]
    assert f"let {flag} name" in report["failed"]
    assert fake.made == []


def test_a_dataset_elsewhere_is_not_looked_for_on_the_disk(
    told: Told, fake: type[FakeTrainer], planned: PlannedTrial, place: Path
) -> None:
    given = space(planned, place)
    given["trial"]["dataset"] = "s3://bucket/lm"
    run_trial(given)
    assert fake.made[0].given[0] == "s3://bucket/lm"
    assert len(told) == 4


def test_what_ray_sends_is_plain_and_whole(planned: PlannedTrial) -> None:
    spec = trial_spec("a name", planned.config, Path("d"), Path("f"))
    assert json.loads(json.dumps(spec)) == spec
    assert spec == {"name": "a name", "config": to_dict(planned.config), "dataset": "d", "folder": "f"}


def test_the_same_trial_finds_its_folder_again(planned: PlannedTrial, tmp_path: Path) -> None:
    prepare_folder(tmp_path / "t", planned.config, "id")
    before = (tmp_path / "t" / "trial.json").read_text()
    workers = dataclasses.replace(planned.config.data, workers=3)  # changes no number
    prepare_folder(tmp_path / "t", dataclasses.replace(planned.config, data=workers), "id")
    assert (tmp_path / "t" / "trial.json").read_text() == before


def test_a_folder_of_other_settings_or_data_is_refused_in_words(
    planned: PlannedTrial, tmp_path: Path
) -> None:
    config = planned.config
    prepare_folder(tmp_path, config, "id")
    with pytest.raises(UserError, match="started with dataset id, and now it is other;"):
        prepare_folder(tmp_path, config, "other")
    changed = dataclasses.replace(
        config,
        loss=dataclasses.replace(config.loss, mc=0.5, deriv_t=0.25),
        optim=dataclasses.replace(config.optim, lr=0.5, batch_size=2),
    )
    with pytest.raises(UserError) as caught:
        prepare_folder(tmp_path, changed, "id")
    words = "started with loss.mc=0.02 (now 0.5), loss.deriv_t=1.0 (now 0.25), optim.lr=0.002 (now 0.5);"
    assert words in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_result_is_that_of_its_folder_or_none(result: TrialResult, tmp_path: Path) -> None:
    for name, epochs in (("a", 2), ("b", 5)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "result.json").write_text(dataclasses.replace(result, epochs=epochs).to_json())
    assert read_result(tmp_path / "a") == result
    assert read_result(tmp_path / "b") == dataclasses.replace(result, epochs=5)
    assert read_result(tmp_path) is None


def test_an_error_without_words_is_named_by_its_kind() -> None:
    assert one_line(MemoryError()) == "MemoryError"
    assert one_line(ValueError("\n  \nfirst\nsecond\n")) == "first"
