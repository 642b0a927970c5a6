"""Results of other sweeps: which are known, what is linked of them, and that nothing hangs on their sweep."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from epropnp.errors import UserError
from epropnp.files import share_file
from epropnp.training.identity import COMPUTES
from epropnp.training.recipes import Recipe
from epropnp.training.record import Record
from epropnp.training.result import TrialResult
from sweeps.folder import Sweep, open_sweep
from sweeps.known import KnownResults, told
from sweeps.results.read import read_rows
from sweeps.results.tables import notes
from sweeps.search.asked import Asked, Draw
from sweeps.search.search import Planned
from sweeps.space import Axis
from sweeps.trial import read
from tests.inference.measured import latency
from tests.sweeps.cells import cells_of

DATASET = "0123456789ab"
FILES = (
    "predictions.parquet",
    "validation.parquet",
    "predictions.errors.parquet",
    "validation.errors.parquet",
    "predictions.png",
    "calibration.png",
    "epochs.png",
    "epochs-last.png",
    "best.pt",
    "trial.log",
    "checkpoint.pt",
)
Plan = Callable[..., Planned]


@pytest.fixture
def plan(tmp_path: Path, tiny: Recipe) -> Plan:
    """A trial of a sweep, by the sweep's name and the trial's seed and rate."""

    def make(sweep: str, seed: int = 0, rate: float = 1e-3, dataset: str = DATASET) -> Planned:
        axes = Axis.of("optim.lr", [rate])
        (cell,) = cells_of(tiny, axes, backbones=["test_resnet"], seeds=[seed])
        (planned,) = open_sweep(tmp_path / sweep).planned([cell], dataset)
        return planned

    return make


@pytest.fixture
def finish(tmp_path: Path, result: TrialResult) -> Callable[..., Path]:
    """A trial that has come to its end, all files with its name and size."""

    def make(sweep: str, trial: Planned, computes: int | None = COMPUTES) -> Path:
        folder = open_sweep(tmp_path / sweep).prepare(trial)
        for name in FILES:
            (folder / name).write_text(f"{name} of {sweep}")
        Record(status="finished", host="alpha", computes=computes, history=({"val/add_area": 3.5},)).write(
            folder
        )
        (folder / "result.json").write_text(result.to_json())
        return folder

    return make


def mine(tmp_path: Path) -> tuple[Sweep, KnownResults]:
    sweep = open_sweep(tmp_path / "mine")
    return sweep, KnownResults(sweep)


def test_a_result_is_linked_with_all_that_readers_ask_for(
    plan: Plan, finish: Callable[..., Path], tmp_path: Path, result: TrialResult
) -> None:
    source = finish("first", plan("first"))
    sweep, known = mine(tmp_path)
    trial = plan("mine")
    assert known.link(trial)
    folder = sweep.trial_folder(trial.name)
    shutil.rmtree(tmp_path / "first")  # of which nothing is needed any more
    read_back = read(folder)
    assert (read_back.status, read_back.result, read_back.known) == (
        "finished",
        result,
        f"first/{source.name}",
    )
    assert read_back.history == ({"val/add_area": 3.5},)
    assert read_back.record is not None
    assert read_back.record.host == "alpha"
    left = {*FILES, "trial.json", "status.json", "result.json"} - {"checkpoint.pt"}
    assert {file.name for file in folder.iterdir()} == left
    assert json.loads((folder / "trial.json").read_text())["sweep"]["name"] == "mine"


def test_a_result_without_its_predictions_of_validation_is_linked_all_the_same(
    plan: Plan, finish: Callable[..., Path], tmp_path: Path
) -> None:
    (finish("first", plan("first")) / "validation.parquet").unlink()
    sweep, known = mine(tmp_path)
    assert known.link(plan("mine"))
    assert read(sweep.trial_folder(plan("mine").name)).status == "finished"


def test_a_latency_is_linked_so_that_nothing_is_timed_again(
    plan: Plan, finish: Callable[..., Path], tmp_path: Path
) -> None:
    latency(8.0).write(finish("first", plan("first")))
    sweep, known = mine(tmp_path)
    assert known.link(plan("mine"))
    assert read(sweep.trial_folder(plan("mine").name)).latency == latency(8.0)


def test_weights_take_no_space_twice(plan: Plan, finish: Callable[..., Path], tmp_path: Path) -> None:
    source = finish("first", plan("first"))
    sweep, known = mine(tmp_path)
    assert known.link(plan("mine"))
    assert (sweep.trial_folder(plan("mine").name) / "best.pt").samefile(source / "best.pt")


@pytest.mark.parametrize(
    ("wanted", "known"),
    [({}, True), ({"seed": 1}, False), ({"rate": 1e-2}, False), ({"dataset": "ba9876543210"}, False)],
)
def test_another_seed_setting_or_dataset_is_another_trial(
    plan: Plan, finish: Callable[..., Path], tmp_path: Path, wanted: dict[str, object], known: bool
) -> None:
    finish("first", plan("first"))
    assert mine(tmp_path)[1].link(plan("mine", **wanted)) == known


@pytest.mark.parametrize("computes", [None, COMPUTES - 1, COMPUTES + 1])
def test_results_of_another_way_to_compute_are_not_known(
    plan: Plan, finish: Callable[..., Path], tmp_path: Path, computes: int | None
) -> None:
    finish("first", plan("first"), computes=computes)
    assert not mine(tmp_path)[1].link(plan("mine"))


def test_what_is_not_finished_is_not_known(plan: Plan, finish: Callable[..., Path], tmp_path: Path) -> None:
    (finish("first", plan("first")) / "result.json").unlink()
    assert not mine(tmp_path)[1].link(plan("mine"))


def test_a_trial_that_was_begun_is_left_to_itself(
    plan: Plan, finish: Callable[..., Path], tmp_path: Path
) -> None:
    finish("first", plan("first"))
    sweep, known = mine(tmp_path)
    sweep.prepare(plan("mine"))
    assert not known.link(plan("mine"))
    assert not (sweep.trial_folder(plan("mine").name) / "result.json").exists()


def test_a_link_that_a_kill_cut_short_is_made_anew(
    plan: Plan, finish: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish("first", plan("first"))
    done: list[str] = []

    def killed(file: Path, name: Path) -> None:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(name.name)
        share_file(file, name)

    with monkeypatch.context() as patch:
        patch.setattr("sweeps.known.share_file", killed)
        patch.setattr("shutil.rmtree", lambda *given, **how: None)  # as nobody is there to do it
        with pytest.raises(KeyboardInterrupt):
            mine(tmp_path)[1].link(plan("mine"))
    sweep, known = mine(tmp_path)
    assert list(sweep.trials()) == []
    assert known.link(plan("mine"))
    (trial,) = sweep.trials()
    assert trial.status == "finished"
    assert {file.name for file in sweep.folder.iterdir()} == {"trials"}


def test_what_is_trained_after_all_is_known_no_more(
    plan: Plan, finish: Callable[..., Path], tmp_path: Path
) -> None:
    finish("first", plan("first"))
    sweep, known = mine(tmp_path)
    why = Asked(draw=Draw(number=1, params={"optim.lr": 1e-3}), refused=[Draw(number=0, params={})])
    trial = dataclasses.replace(plan("mine"), asked=why)
    assert known.link(trial)
    folder = sweep.trial_folder(trial.name)
    (folder / "result.json").unlink()
    assert read(folder).known is not None  # as long as nobody tests or trains it
    assert sweep.prepare(plan("mine")) == folder
    assert (read(folder).known, read(folder).asked) == (None, Asked.of(why.content()))


def test_what_cannot_be_linked_is_said_in_a_line(
    plan: Plan, finish: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish("first", plan("first"))
    monkeypatch.setattr("sweeps.known.share_file", Mock(side_effect=OSError(28, "No space left on device")))
    sweep, known = mine(tmp_path)
    with pytest.raises(UserError, match=r"cannot be linked to .*No space left.*--known no"):
        known.link(plan("mine"))
    assert list(sweep.trials()) == []


def test_damaged_folders_are_passed_over(plan: Plan, finish: Callable[..., Path], tmp_path: Path) -> None:
    (finish("a", plan("a")) / "trial.json").write_text("{")
    (finish("b", plan("b")) / "status.json").write_text("{")
    finish("c", plan("c"))
    sweep, known = mine(tmp_path)
    assert known.link(plan("mine"))
    assert (read(sweep.trial_folder(plan("mine").name)).known or "").startswith("c/")


def test_what_is_known_is_told_below_the_table(
    plan: Plan, finish: Callable[..., Path], tmp_path: Path
) -> None:
    trials = [plan("mine", seed=seed) for seed in range(3)]
    for seed, source in ((0, "first"), (1, "second")):
        finish(source, plan(source, seed=seed))
    sweep, known = mine(tmp_path)
    assert [known.link(trial) for trial in trials] == [True, True, False]
    assert told([trials[0], trials[1]]).startswith("2 trials are known from other sweeps: linked")
    (note,) = [note for note in notes(read_rows(sweep, trials)) if note.startswith("KNOWN")]
    assert note == "KNOWN: 2 trials were not trained again, but in other sweeps: first, second"
