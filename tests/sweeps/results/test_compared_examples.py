"""Test images of a comparison: drawn where the datasets lie, else a line that says why not."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from epropnp.errors import UserError
from epropnp.training.result import TrialResult
from sweeps.folder import Sweep, open_sweep
from sweeps.results import compared
from sweeps.results import compared_examples as module
from sweeps.results.compared import drawn
from sweeps.results.findings import Findings, find
from sweeps.results.joined import join
from tests.sweeps import graded
from tests.sweeps.made_sweeps import DATA, finish


class Scene:
    """Two settings that finished, in a sweep that was called with some words; datasets that lie somewhere."""

    def __init__(self, folder: Path, result: TrialResult, patch: pytest.MonkeyPatch) -> None:
        for backbone in graded.SHIFT_M:
            finish(folder / "one", result, backbone)
        self.folder, self.drawn, self.failure = folder, list[Any](), ""
        self.there: dict[Path, str] = {}
        patch.setattr(module, "ArrowDataset", self._dataset)
        patch.setattr(module, "save_examples", self._save)
        patch.setattr(compared, "figures", lambda *_: {})

    def draw(self, *words: str) -> str | None:
        sweep = dataclasses.replace(open_sweep(self.folder / "one"), commands=(words,) if words else ())
        findings = drawn(self.findings(sweep), [sweep], self.folder / "page")
        return findings.remarks[-1] if findings.remarks else None

    def findings(self, sweep: Sweep) -> Findings:
        return find(join([sweep]), "one")

    def _dataset(self, place: Path) -> Any:
        if place not in self.there:
            raise UserError(f"no dataset at {place}")
        return SimpleNamespace(dataset_id=self.there[place], path=place)

    def _save(self, folder_of: Any, summary: Any, images: Any, datasets: Any, folder: Path) -> None:
        if self.failure:
            raise UserError(self.failure)
        rows = [row for group in summary.settings.values() for row in group]
        self.drawn = [(folder_of(row.name).name, images(row).sample_id[0]) for row in rows]
        self.used, self.to = datasets, folder


@pytest.fixture
def scene(tmp_path: Path, result: TrialResult, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(tmp_path, result, monkeypatch)


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (("--datasets", "kept"), Path("kept") / DATA),
        ((), Path("data") / DATA),  # where they lie if nothing else is said
        (("--data", "mine"), Path("mine")),
    ],
)
def test_datasets_are_found_where_the_sweep_had_them(
    scene: Scene, words: tuple[str, ...], place: Path
) -> None:
    scene.there = {place: DATA}
    assert scene.draw("--recipe", "quick", *words) is None
    assert {dataset.path for dataset in scene.used.values()} == {place}
    assert len(scene.drawn) == len(graded.SHIFT_M)
    assert all((scene.folder / "one" / "trials" / name).is_dir() for name, _ in scene.drawn)
    assert scene.to == scene.folder / "page" / "examples"


def test_a_dataset_that_is_gone_or_another_is_told_with_the_places_and_old_pictures_go(scene: Scene) -> None:
    old = scene.folder / "page" / "examples" / "best.png"
    old.parent.mkdir(parents=True)
    old.touch()
    scene.there = {Path("mine"): "another"}
    said = scene.draw("--recipe", "quick", "--data", "mine")
    assert said == f"Test images are not drawn: dataset {DATA} is not found in mine, data/{DATA}."
    assert not old.exists()
    assert scene.drawn == []


@pytest.mark.parametrize("words", [(), ("--a-flag-of-another-version",), ("--data", "s3://bucket/set")])
def test_where_no_place_is_known_that_is_told(scene: Scene, words: tuple[str, ...]) -> None:
    said = scene.draw(*words)
    assert said is not None
    assert ("no command line says where it lies" in said) == ("--data" not in words)
    assert "s3://" not in said


def test_what_cannot_be_drawn_is_told(scene: Scene) -> None:
    scene.there, scene.failure = {Path("data") / DATA: DATA}, "no best.pt of the best 3 settings is kept"
    said = scene.draw("--recipe", "quick")
    assert said == "Test images are not drawn: no best.pt of the best 3 settings is kept."
