"""Which networks of a sweep are timed, and when: what the timing itself finds is made up."""

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from epropnp.inference.latency import Latency
from epropnp.training.recipes import Recipe
from epropnp.training.result import TrialResult
from sweeps.folder import Sweep, open_sweep
from sweeps.running import latencies as module
from sweeps.running.latencies import measure_lacking
from sweeps.search.search import Planned
from sweeps.trial import read
from tests.inference.measured import latency
from tests.sweeps.cells import cells_of

BACKBONES = ("test_resnet", "test_convnext")


class Scene:
    """A sweep of two networks and three seeds, and what is done to it."""

    def __init__(self, folder: Path, tiny: Recipe, result: TrialResult) -> None:
        self.sweep: Sweep = open_sweep(folder)
        self._result, self.host = result, "here"
        cells = cells_of(tiny, backbones=BACKBONES, seeds=[0, 1, 2])
        planned = self.sweep.planned(cells, "0123456789ab")
        self.trials = {(each.config.model.backbone, each.config.seed): each for each in planned}
        self.done: list[str] = []
        self.said = io.StringIO()
        self.failing = ""

    def finish(self, *seeds: int, backbones: tuple[str, ...] = BACKBONES, kept: bool = True) -> None:
        for trial in (self.trials[name, seed] for name in backbones for seed in seeds):
            folder = self.sweep.prepare(trial)
            (folder / "result.json").write_text(self._result.to_json())
            if kept:
                (folder / "best.pt").touch()

    def timed(self, weights: Path) -> Latency:
        config = read(weights.parent).config
        self.done.append(config.model.backbone)
        if self.done[-1] == self.failing:
            raise RuntimeError("out of memory\nsomewhere")
        return latency(8.0 + BACKBONES.index(self.done[-1]), host=self.host)

    def measure(self, given_up: Callable[[], object] = lambda: None) -> list[str]:
        """Names of the trials that have a new one."""
        others: Any = SimpleNamespace(
            settle=lambda: self.done.append("table"), flush=lambda seconds: self.done.append("records")
        )
        console = Console(file=self.said, width=200)
        told = measure_lacking(self.sweep, console, others, others, given_up, console.print)
        return [trial.name for trial in told]

    def of(self, trial: Planned) -> float | None:
        """Milliseconds of a network, as its folder tells."""
        found = read(self.sweep.trial_folder(trial.name)).latency
        return None if found is None else found.batches[1].network_ms


@pytest.fixture
def scene(tmp_path: Path, tiny: Recipe, result: TrialResult, monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene(tmp_path / "mine", tiny, result)
    monkeypatch.setattr(module, "_of", made.timed)
    monkeypatch.setattr(module, "host_here", lambda: made.host)
    return made


def test_a_setting_is_timed_once_when_all_else_is_still_for_all_its_seeds_with_weights(scene: Scene) -> None:
    scene.finish(0, 1)
    scene.finish(2, kept=False)
    scene.finish(2, backbones=("test_convnext",))
    assert len(scene.measure()) == 5
    assert scene.done[:2] == ["table", "records"]
    assert sorted(scene.done[2:]) == sorted(BACKBONES)
    assert scene.said.getvalue() == "latency: networks are measured, each alone: 2\n"
    found = {key: scene.of(trial) for key, trial in scene.trials.items()}
    assert found == {
        **{("test_resnet", seed): 8.0 for seed in (0, 1)},
        ("test_resnet", 2): None,  # its weights are not kept
        **{("test_convnext", seed): 9.0 for seed in (0, 1, 2)},
    }


def test_what_is_not_finished_is_not_timed(scene: Scene) -> None:
    (scene.sweep.prepare(scene.trials["test_resnet", 0]) / "best.pt").touch()
    assert scene.measure() == []
    assert (scene.done, scene.said.getvalue()) == ([], "")


def test_a_sweep_that_is_gone_on_with_times_nothing_twice(scene: Scene) -> None:
    scene.finish(0)
    scene.measure()
    del scene.done[:]
    assert scene.measure() == []
    assert scene.done == []
    scene.finish(1)  # a seed more
    assert sorted(scene.measure()) == sorted(scene.trials[name, 1].name for name in BACKBONES)
    assert scene.done == ["table", "records"]
    assert [scene.of(scene.trials[name, 1]) for name in BACKBONES] == [8.0, 9.0]


def test_another_machine_times_all_again(scene: Scene) -> None:
    scene.finish(0, 1)
    scene.measure()
    del scene.done[:]
    scene.host = "there"
    assert len(scene.measure()) == 4
    assert sorted(scene.done[2:]) == sorted(BACKBONES)
    hosts = [read(folder).latency for folder in scene.sweep.trial_folders()]
    assert [each.host for each in hosts if each is not None] == ["there"] * 4


def test_a_damaged_file_is_written_anew(scene: Scene) -> None:
    scene.finish(0, backbones=("test_resnet",))
    scene.measure()
    trial = scene.trials["test_resnet", 0]
    (scene.sweep.trial_folder(trial.name) / "latency.json").write_text("{")
    assert scene.of(trial) is None
    assert scene.measure() == [trial.name]
    assert scene.of(trial) == 8.0


@pytest.mark.parametrize("failing", BACKBONES)
def test_one_that_fails_is_a_line_and_tried_by_the_next_call(scene: Scene, failing: str) -> None:
    scene.finish(0)
    scene.failing = failing
    (other,) = {*BACKBONES} - {failing}
    assert scene.measure() == [scene.trials[other, 0].name]
    lines = scene.said.getvalue().splitlines()
    assert lines[1:] == [f"latency of {scene.trials[failing, 0].name} is not measured: out of memory"]
    scene.failing = ""
    assert scene.measure() == [scene.trials[failing, 0].name]


def test_whoever_wants_the_sweep_to_end_waits_for_one_network_at_most(scene: Scene) -> None:
    scene.finish(0)
    assert len(scene.measure(lambda: len(scene.done) > 2)) == 1
    assert len(scene.done) == 3
