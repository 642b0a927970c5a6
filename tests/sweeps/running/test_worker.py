"""What a trial tells Ray Tune, epoch by epoch, and what its folder refuses; the training is made up."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from epropnp.errors import UserError
from epropnp.plain import to_dict
from epropnp.training.config import TrialConfig
from epropnp.training.halt import InterruptionError, StopError
from epropnp.training.record import Record, config_note, write_config
from sweeps.running import worker as module
from sweeps.running.trials import trial_spec
from sweeps.running.worker import run_trial
from sweeps.search.search import Planned
from sweeps.trial import read

Told = list[dict[str, Any]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """What is reported to Ray Tune."""
    reports: Told = []
    monkeypatch.setattr(module.tune, "report", lambda report: reports.append(report["told"]))
    monkeypatch.setattr(module.gc, "collect", lambda: None)  # a second in a process of many modules
    return reports


class FakeTrainer:
    """Trains `epochs` epochs after those that a checkpoint holds; epoch 0 is the one before training."""

    made: list["FakeTrainer"]
    done = 0  # epochs that the checkpoint holds
    error: Exception | None = None
    drawn: list[tuple[Path, str]]  # folders and datasets of pictures
    restored: list["FakeTrainer"]  # those that may only have their test left

    def __init__(self, config: TrialConfig, dataset: str, folder: Path, *, cores: int) -> None:
        self.config, self.given, self.cores = config, (dataset, folder), cores
        self.state = SimpleNamespace(history=[{"val/add_0.10d": 10.0 * i} for i in range(self.done)])
        self.data = SimpleNamespace(dataset=f"read from {dataset}")
        self.made.append(self)

    def fit(self, callbacks: list[Any]) -> None:
        for epoch in range(self.done, self.config.optim.epochs + 1):
            self.state.history.append({"val/add_0.10d": 10.0 * epoch})
            for callback in callbacks:
                callback.on_epoch(SimpleNamespace(epoch=epoch, epochs=self.config.optim.epochs))
            if self.error is not None:
                raise self.error


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeTrainer]:
    kind: type[FakeTrainer] = type("Fake", (FakeTrainer,), {"made": [], "drawn": [], "restored": []})
    monkeypatch.setattr(module, "Trainer", kind)
    monkeypatch.setattr(module, "restore_for_test", kind.restored.append)
    monkeypatch.setattr(module, "draw", lambda folder, dataset: kind.drawn.append((folder, dataset)))
    return kind


def space(planned: Planned, folder: Path, epochs: int = 3) -> dict[str, Any]:
    optim = dataclasses.replace(planned.config.optim, epochs=epochs)
    config = dataclasses.replace(planned.config, optim=optim)
    return {"trial": trial_spec("a name", config, folder, folder / "trial", folder / "stop")}


@pytest.fixture
def place(planned: Planned, tmp_path: Path) -> Path:
    """A dataset's folder that holds one of a trial."""
    write_config(tmp_path / "trial", config_note(planned.config, "0123456789ab"))
    return tmp_path


def test_every_epoch_is_told_once_with_its_own_metrics(
    told: Told, fake: type[FakeTrainer], planned: Planned, place: Path
) -> None:
    run_trial(space(planned, place))
    assert told == [
        {"epoch": epoch, "epochs": 3, "metrics": {"val/add_0.10d": 10.0 * epoch}, "earlier": []}
        for epoch in range(4)
    ]
    (trainer,) = fake.made
    assert fake.restored == fake.made
    assert trainer.given == (str(place), place / "trial")
    assert fake.drawn == [(place / "trial", f"read from {place}")]
    assert trainer.config == dataclasses.replace(
        planned.config, optim=dataclasses.replace(planned.config.optim, epochs=3)
    )


def test_the_first_report_of_a_process_carries_the_epochs_before_it(
    told: Told, fake: type[FakeTrainer], planned: Planned, place: Path
) -> None:
    fake.done = 2
    run_trial(space(planned, place))
    assert [report["epoch"] for report in told] == [2, 3]
    assert [report["metrics"] for report in told] == [{"val/add_0.10d": 20.0}, {"val/add_0.10d": 30.0}]
    assert [report["earlier"] for report in told] == [[{"val/add_0.10d": 0.0}, {"val/add_0.10d": 10.0}], []]


def test_a_trial_that_had_only_its_test_left_tells_its_last_epoch(
    told: Told, fake: type[FakeTrainer], planned: Planned, place: Path
) -> None:
    fake.done = 4
    run_trial(space(planned, place))
    (report,) = told
    assert (report["epoch"], report["epochs"]) == (3, 3)
    assert report["metrics"] == {"val/add_0.10d": 30.0}
    assert [metrics["val/add_0.10d"] for metrics in report["earlier"]] == [0.0, 10.0, 20.0]


def test_what_the_user_can_mend_is_told_and_noted_and_anything_else_is_raised(
    told: Told, fake: type[FakeTrainer], planned: Planned, place: Path
) -> None:
    fake.error = UserError("loss is not finite\nat step 3")
    run_trial(space(planned, place))
    assert [report.get("epoch") for report in told] == [0, None]
    assert told[1] == {"failed": "loss is not finite"}
    assert (read(place / "trial").status, read(place / "trial").reason) == ("failed", "loss is not finite")
    told.clear()
    fake.error = RuntimeError("out of memory")
    with pytest.raises(RuntimeError, match="out of memory"):
        run_trial(space(planned, place))
    assert [report.get("failed") for report in told] == [None]
    assert fake.drawn == []


@pytest.mark.parametrize("error", [InterruptionError("with its sweep"), StopError("too slow")])
def test_a_trial_that_was_halted_did_not_fail_and_has_no_pictures(
    told: Told, fake: type[FakeTrainer], planned: Planned, place: Path, error: Exception
) -> None:
    """Its folder says why, which the trainer writes."""
    fake.error = error
    run_trial(space(planned, place))
    assert [report.get("epoch") for report in told] == [0]
    assert Record.read(place / "trial") is None
    assert fake.drawn == []


def test_the_folder_of_a_trial_that_another_process_trains_is_left_to_it(
    told: Told,
    fake: type[FakeTrainer],
    planned: Planned,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "GHOST_S", 1.5)
    fake.error = UserError("another process trains here")
    monkeypatch.setattr(module, "is_claimed", lambda folder: folder == place / "trial")
    run_trial(space(planned, place))
    assert told[1] == {"failed": "another process trains here"}
    assert Record.read(place / "trial") is None


def test_a_failure_that_cannot_be_noted_is_told_all_the_same(
    told: Told,
    fake: type[FakeTrainer],
    planned: Planned,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(folder: Path, reason: str, failure: object) -> None:
        raise UserError("status.json cannot be written")

    fake.error = UserError("checkpoint.pt cannot be written")
    monkeypatch.setattr(module, "note_failure", full)
    run_trial(space(planned, place))
    assert told[1] == {"failed": "checkpoint.pt cannot be written"}


@pytest.mark.parametrize(("missing", "flag"), [("dataset", "--datasets"), ("folder", "--out")])
def test_a_node_that_does_not_see_a_folder_says_which_flag_names_it(
    told: Told, fake: type[FakeTrainer], planned: Planned, place: Path, missing: str, flag: str
) -> None:
    given = space(planned, place)
    given["trial"][missing] = "/no/such/place"
    run_trial(given)
    (report,) = told
    assert "does not see /no/such/place" in report["failed"]
    assert f"let {flag} name" in report["failed"]
    assert fake.made == []
    noted = None if missing == "folder" else report["failed"]
    assert read(place / "trial").reason == noted
    assert not Path("/no/such").exists()


def test_a_dataset_elsewhere_is_not_looked_for_on_the_disk(
    told: Told, fake: type[FakeTrainer], planned: Planned, place: Path
) -> None:
    given = space(planned, place)
    given["trial"]["dataset"] = "s3://bucket/lm"
    run_trial(given)
    assert fake.made[0].given[0] == "s3://bucket/lm"
    assert len(told) == 4


@pytest.mark.parametrize("updates", [None, 2])
def test_what_ray_sends_is_plain_and_whole(planned: Planned, updates: int | None) -> None:
    spec = trial_spec("a name", planned.config, Path("d"), Path("f"), Path("s"), updates)
    assert json.loads(json.dumps(spec)) == spec
    assert spec == {
        "name": "a name",
        "config": to_dict(planned.config),
        "dataset": "d",
        "folder": "f",
        "stop_file": "s",
        "updates": updates,
        "keep": "all",
        "gpus": 0.0,
        "cpus": 1.0,
        "left_out": [],
    }


@pytest.mark.parametrize(("cpus", "cores"), [(0.5, 1), (1.0, 1), (9.0, 9)])
def test_a_trial_uses_the_cores_that_it_was_given(
    told: Told, fake: type[FakeTrainer], planned: Planned, place: Path, cpus: float, cores: int
) -> None:
    run_trial(
        {"trial": trial_spec("a name", planned.config, place, place / "trial", place / "stop", cpus=cpus)}
    )
    assert [trainer.cores for trainer in fake.made] == [cores]


@pytest.mark.parametrize("error", [None, UserError("a full disk")])
def test_weights_go_at_the_end_as_the_sweep_wants_it(
    error: Exception | None, told: Told, fake: type[FakeTrainer], planned: Planned, place: Path
) -> None:
    (place / "trial" / "checkpoint.pt").touch()
    (place / "trial" / "best.pt").touch()
    if error is None:
        (place / "trial" / "result.json").touch()
    fake.error = error
    spec = trial_spec("a name", planned.config, place, place / "trial", place / "stop", keep="last")
    run_trial({"trial": spec})
    left = {file.name for file in (place / "trial").glob("*.pt")}
    assert left == ({"checkpoint.pt"} if error is None else {"checkpoint.pt", "best.pt"})


@pytest.mark.parametrize(
    ("cuda", "reason"),
    [
        (None, "this torch was built without CUDA: install another wheel"),
        ("13.0", "The NVIDIA driver is too old"),
    ],
)
def test_a_trial_with_a_gpu_that_torch_cannot_use_fails_with_the_reason(
    told: Told,
    fake: type[FakeTrainer],
    planned: Planned,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    cuda: str | None,
    reason: str,
) -> None:
    def zeros(*of: Any, **more: Any) -> None:
        raise RuntimeError(f"{reason}\nsee the manual")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch, "zeros", zeros)
    given = space(planned, place)
    given["trial"]["gpus"] = 0.5
    run_trial(given)
    assert fake.made == []
    assert [
        report["failed"].partition(" gave this trial a GPU that torch cannot use: ")[2] for report in told
    ] == [reason]
    assert read(place / "trial").status == "failed"
    given["trial"]["gpus"] = 0.0
    run_trial(given)
    assert len(fake.made) == 1


def test_a_process_on_a_node_that_is_left_out_only_keeps_the_place(
    told: Told, fake: type[FakeTrainer], planned: Planned, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(seconds: float) -> None:
        if len(told) > 3:
            raise SystemExit  # as Tune ends it
        told.append({"slept": seconds})

    monkeypatch.setattr(module.ray.util, "get_node_ip_address", lambda: "10.0.0.7")
    monkeypatch.setattr(module.time, "sleep", sleep)
    monkeypatch.setattr(module.tune, "report", lambda report: told.append(report.get("told", {})))
    given = space(planned, place)
    given["trial"]["left_out"] = ["10.0.0.8", "10.0.0.7"]
    with pytest.raises(SystemExit):
        run_trial(given)
    assert told[0] == {"left_out": True}
    assert fake.made == []
    given["trial"]["left_out"] = ["10.0.0.8"]
    run_trial(given)
    assert len(fake.made) == 1


def test_a_process_of_another_node_that_still_holds_the_folder_is_waited_for(
    told: Told, fake: type[FakeTrainer], planned: Planned, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(module, "is_claimed", lambda folder: folder == place / "trial" and len(slept) < 5)
    monkeypatch.setattr(module.time, "sleep", lambda seconds: (slept.append(seconds), fake.made.clear()))
    run_trial(space(planned, place))
    assert len(slept) == 5
    assert len(fake.made) == 1
