"""The main job hands everything to its place: data, trials, tracker and rows; what is heavy is made up."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from epropnp.errors import UserError
from epropnp.training.recipes import RECIPES, Recipe
from epropnp.training.result import TrialResult
from sweeps import backbones
from sweeps.folder import started_with

TRIALS = [f"{name}-deconv-mc0.02-seed{seed}" for name in ("test_resnet", "test_convnext") for seed in (0, 4)]
Write = Callable[[Path, int], TrialResult]
World = SimpleNamespace


class FakeTracker:
    """Notes what it is told."""

    def __init__(self, **given: Any) -> None:
        self.given, self.calls, self.reachable = given, [], True
        self.uri = given["uri"]

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.calls.append((name, *arguments))

    def flush(self) -> bool:
        return self.reachable


@pytest.fixture
def write(result: TrialResult) -> Write:
    """Leave a result in a trial's folder that no other trial has."""

    def result_of(folder: Path, number: int) -> TrialResult:
        own = dataclasses.replace(result, epochs=100 + number)
        (folder / "result.json").write_text(own.to_json())
        return own

    return result_of


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tiny: Recipe, write: Write, tmp_path: Path) -> World:
    """All that a sweep calls; `fail` names the trials that end without a result, `stop` is raised."""
    world = World(ran=[], built=[], trackers=[], reported=[], fail={}, stop=None, environment=[])
    world.results = {}

    def build(config: Any, root: Path) -> Path:
        world.built.append((config, root))
        return tmp_path / "made"

    def run_trials(trials: Any, pending: Any, folders: Any, dataset: str, **others: Any) -> dict[str, str]:
        world.ran.append(SimpleNamespace(trials=trials, pending=pending, folders=folders, dataset=dataset))
        vars(world.ran[-1]).update(others)
        if world.stop is not None:
            raise world.stop
        for trial in pending:
            assert (folders[trial.name] / "trial.json").is_file()
            if trial.name not in world.fail:
                world.results[trial.name] = write(folders[trial.name], TRIALS.index(trial.name))
        return dict(world.fail)

    class Dataset(SimpleNamespace):
        dataset_id = "0123456789ab"
        objects: dict[int, Any] = {1: SimpleNamespace(name="ape"), 6: SimpleNamespace(name="cat")}  # noqa: RUF012

        def __init__(self, place: str) -> None:
            super().__init__(place=place)

        verified = classmethod(lambda kind, place: kind(place))

    def tracker(**given: Any) -> FakeTracker:
        world.trackers.append(FakeTracker(**given))
        return world.trackers[-1]

    patches = {
        "sweeps.backbones.RECIPES": dict(RECIPES) | {"quick": tiny},
        "epropnp.data.reader.ArrowDataset": Dataset,
        "pipelines.build.build": build,
        "sweeps.schedule.run_trials": run_trials,
        "sweeps.cluster.set_environment": world.environment.append,
        "sweeps.space.fetch_weights": lambda trials: world.environment.append(len(trials)),
        "sweeps.tracking.Tracker": tracker,
        "sweeps.report.report": lambda *given: world.reported.append(given),
        "sweeps.report.show": lambda *given: None,
    }
    for name, value in patches.items():
        monkeypatch.setattr(name, value)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    world.out = tmp_path / "runs"
    world.words = ["--recipe", "quick", "--out", str(world.out), "--datasets", str(tmp_path / "sets")]
    world.words += ["--name", "mine", "--seeds", "0", "4"]
    return world


def test_rows_hold_each_trials_own_result_or_reason_in_the_order_of_the_plan(world: World) -> None:
    world.fail = {TRIALS[1]: "diverged", TRIALS[2]: "broke"}
    assert backbones.main(world.words) == 1
    (sweep, rows, dataset, tracker), *_ = world.reported
    assert [row.name for row in rows] == TRIALS
    assert [f"{row.config.model.backbone}-deconv-mc0.02-seed{row.config.seed}" for row in rows] == TRIALS
    assert [row.result and row.result.epochs for row in rows] == [100, None, None, 103]
    assert [row.failure for row in rows] == [None, "diverged", "broke", None]
    assert {row.dataset_id for row in rows} == {"0123456789ab"}
    assert (sweep.name, sweep.folder) == ("mine", world.out / "mine")
    assert dataset.place == world.ran[0].dataset
    assert tracker is world.trackers[0]


def test_only_trials_without_a_result_are_run_and_the_others_keep_theirs(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.fail = {TRIALS[1]: "diverged", TRIALS[3]: "broke"}
    backbones.main(world.words)
    world.fail = {}
    assert backbones.main(["--out", str(world.out), "--resume"]) == 0
    first, second = world.ran
    assert [trial.name for trial in first.pending] == TRIALS
    assert [trial.name for trial in second.pending] == [TRIALS[1], TRIALS[3]]
    assert [trial.name for trial in second.trials] == TRIALS
    assert "2 trials are finished already; kept" in capsys.readouterr().out
    rows = world.reported[1][1]
    assert [row.result for row in rows] == [world.results[name] for name in TRIALS]
    assert {row.failure for row in rows} == {None}
    assert backbones.main(["--out", str(world.out), "--resume"]) == 0
    assert len(world.ran) == 2  # nothing was left to run
    assert [row.result.epochs for row in world.reported[2][1]] == [100, 101, 102, 103]


def test_more_seeds_on_resume_run_beside_those_that_are_kept(world: World) -> None:
    backbones.main(world.words)
    words = ["--out", str(world.out), "--resume", "--name", "mine", "--seeds", "4"]
    assert backbones.main(words) == 0
    assert [row.config.seed for row in world.reported[1][1]] == [4, 4]
    assert [row.result.epochs for row in world.reported[1][1]] == [101, 103]


def test_run_trials_is_given_the_folders_and_flags_of_this_sweep(world: World) -> None:
    assert backbones.main([*world.words, "--trials-at-once", "3", "--ray-address", "h:1"]) == 0
    (ran,) = world.ran
    folder = world.out / "mine"
    assert ran.folders == {name: folder / "trials" / name for name in TRIALS}
    assert (ran.at_once, ran.address, ran.storage, ran.retries) == (3, "h:1", folder / "ray", 1)
    assert ran.tracker is world.trackers[0]
    assert world.environment == ["h:1", 4]


def test_a_dataset_is_built_as_the_recipe_says_and_from_what_the_flags_name(
    world: World, tiny: Recipe, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "lm").mkdir()
    counts = dataclasses.replace(tiny, train=8, validation=5, test=3)
    config = backbones._read_flags(world.words)[0]
    place, dataset_id = backbones._dataset(config, counts, ["ape"])
    assert (place, dataset_id) == (str(tmp_path / "made"), "0123456789ab")
    (built, root), *_ = world.built
    assert root == tmp_path / "sets"
    assert (built.objects, built.source, built.backgrounds) == (("ape",), None, None)
    assert (built.train, built.validation, built.test) == (8, 5, 3)

    words = [*world.words, "--data", str(tmp_path / "lm"), "--backgrounds", str(tmp_path / "photos")]
    backbones._dataset(backbones._read_flags(words)[0], counts, ["cat", "can"])
    built, _ = world.built[1]
    assert (built.objects, built.source) == (("cat", "can"), tmp_path / "lm")
    assert built.backgrounds == tmp_path / "photos"
    assert (built.train, built.validation, built.test) == (1000, 5, 3)  # renderings beside real images


@pytest.mark.parametrize(
    ("flags", "objects"), [([], ("ape",)), (["--objects", "can", "cat"], ("can", "cat"))]
)
def test_objects_are_those_of_the_flags_else_of_the_recipe(
    world: World, flags: list[str], objects: tuple[str, ...]
) -> None:
    assert backbones.main([*world.words, *flags]) == 0
    assert world.built[0][0].objects == objects


def test_a_built_dataset_is_taken_as_it_is(world: World, tmp_path: Path) -> None:
    (tmp_path / "lm").mkdir()
    (tmp_path / "lm" / "manifest.json").touch()
    words = [*world.words, "--data", str(tmp_path / "lm")]
    assert backbones.main(words) == 0
    assert world.ran[0].dataset == str(tmp_path / "lm")
    assert world.built == []
    config = backbones._read_flags([*words, "--objects", "cat", "can"])[0]
    with pytest.raises(UserError, match="holds ape, cat; leave --objects out"):
        backbones._dataset(config, RECIPES["quick"], ["cat", "can"])
    remote = dataclasses.replace(config, data="s3://bucket/lm", objects=("cat", "ape"))
    assert backbones._dataset(remote, RECIPES["quick"], ["cat", "ape"])[0] == "s3://bucket/lm"


def test_mlflow_is_the_sweeps_own_database_or_the_server_of_the_environment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbones.main(world.words)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server:5000")
    backbones.main(["--out", str(world.out), "--resume"])
    own, server = (tracker.given for tracker in world.trackers)
    assert own["uri"] == f"sqlite:///{world.out / 'mlflow.db'}"
    assert own["artifacts"] == world.out / "mlartifacts"
    assert own["spool"] == server["spool"] == world.out / "mine" / "mlflow-spool.jsonl"
    assert (server["uri"], server["artifacts"]) == ("http://server:5000", None)
    assert own["sweep_name"] == server["sweep_name"] == "mine"
    assert own["sweep_id"] == server["sweep_id"] == world.reported[0][0].sweep_id


def test_the_parent_run_holds_the_flags_that_were_given(world: World) -> None:
    backbones.main([*world.words, "--epochs", "9", "--set", "optim.lr=0.5"])
    (tracker,) = world.trackers
    assert tracker.calls[0] == ("connect",)
    kind, trial, params = tracker.calls[1]
    assert (kind, trial) == ("start", "")
    assert (params["recipe"], params["dataset_id"]) == ("tiny", "0123456789ab")
    assert (params["flag.seeds"], params["flag.epochs"], params["flag.name"]) == ((0, 4), 9, "mine")
    assert params["flag.set"] == (("optim.lr=0.5",),)
    assert not {"flag.backbones", "flag.data", "flag.pretrained"} & set(params)


@pytest.mark.parametrize(
    ("stop", "code"), [(KeyboardInterrupt(), 130), (UserError("no cluster"), 2)], ids=["Ctrl-C", "bad input"]
)
def test_a_stopped_sweep_is_closed_as_killed_and_can_be_resumed(
    world: World, stop: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    world.stop = stop
    assert backbones.main(world.words) == code
    assert world.trackers[0].calls[-1] == ("finish", "", "KILLED")
    assert world.reported == []
    assert ("go on with: --resume --name mine" in capsys.readouterr().out) == (code == 130)
    assert started_with(backbones.parse(backbones.SweepConfig, "", world.words, "x")) == world.words


def test_records_that_could_not_be_sent_are_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    printed: list[str] = []
    console = SimpleNamespace(print=lambda text, **_: printed.append(text))
    monkeypatch.setattr(backbones, "console_or_file", lambda: console)
    monkeypatch.setattr(FakeTracker, "flush", lambda self: False)
    assert backbones.main(world.words) == 0
    assert any("out of reach; later: --resume --name mine" in text for text in printed)
    assert printed[0] == "sweep mine: 4 trials on ape"
