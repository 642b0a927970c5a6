"""A repeated sweep: whose flags it has, what must be the same, and what is said of its results."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from epropnp.errors import UserError
from epropnp.training.identity import COMPUTES
from epropnp.training.recipes import Recipe
from epropnp.training.record import Record, commit_here, versions_here
from epropnp.training.result import TrialResult
from sweeps.backbones import DESCRIPTION, PROG, parse
from sweeps.called import Called, called_of
from sweeps.flag_checks import check_flags
from sweeps.flags import SweepConfig
from sweeps.folder import Sweep, open_sweep
from sweeps.like import agreement, check_data, differences, lines_of, source_of
from tests.sweeps.cells import cells_of

DATASET = "0123456789ab"
LINES = (
    ("--recipe", "quick", "--name", "mine", "--seeds", "0", "1", "--out=runs", "--vary", "optim.lr", "1e-3"),
    ("--ray-address", "auto", "--hours", "3", "--seeds", "2"),
)


def recorded(out: Path, *lines: tuple[str, ...], name: str = "mine") -> Sweep:
    """A sweep that these command lines have made."""
    sweep = open_sweep(out / name)
    for words in lines:
        sweep = sweep.with_command(words)
    sweep.write()
    return sweep


def called(out: Path, *words: str) -> Called:
    line = ["--out", str(out), *words]
    return called_of(parse(SweepConfig, DESCRIPTION, line, PROG), line)


@pytest.fixture
def finish(tmp_path: Path, tiny: Recipe, result: TrialResult) -> Callable[..., Sweep]:
    """Trials of a sweep with seeds 0, 1, ... that have come to their end, by their area on test images."""

    def make(name: str, *areas: float, dataset: str = DATASET, **noted: object) -> Sweep:
        sweep = open_sweep(tmp_path / name)
        cells = cells_of(tiny, backbones=["test_resnet"], seeds=range(len(areas)))
        for trial, area in zip(sweep.planned(cells, dataset), areas, strict=True):
            folder = sweep.prepare(trial)
            here = Record(
                status="finished",
                started="2026-11-27T09:00:00+00:00",
                computes=COMPUTES,
                commit=commit_here(),
                versions=versions_here(),
            )
            dataclasses.replace(here, **noted).write(folder)  # type: ignore[arg-type]
            own = dataclasses.replace(result, test=result.test | {"add_area": area})
            (folder / "result.json").write_text(own.to_json())
        return sweep

    return make


def test_a_repeat_has_the_flags_but_for_place_and_name(tmp_path: Path) -> None:
    source = recorded(tmp_path, *LINES)
    assert lines_of(source) == [
        ["--recipe", "quick", "--seeds", "0", "1", "--vary", "optim.lr", "1e-3"],
        ["--seeds", "2"],
    ]
    other = recorded(tmp_path, ("--seeds", "2", "--ray_address", "auto", "--ray_address=auto"), name="other")
    assert lines_of(other) == [["--seeds", "2"]]  # which is how some spell it
    found = called(tmp_path, "--like", "mine", "--name", "again", "--seeds", "3")
    assert found.like == source
    assert found.sweep is None
    assert [command.seeds for command in found.commands] == [(0, 1), (2,), (3,)]
    config = found.config
    assert (config.name, config.out, config.ray_address, config.hours) == ("again", tmp_path, None, None)
    assert (config.recipe, config.vary) == (("quick",), (("optim.lr", "1e-3"),))


def test_all_is_trained_anew_unless_known_results_are_asked_for(tmp_path: Path) -> None:
    recorded(tmp_path, *LINES)
    assert not called(tmp_path, "--like", "mine").options.known
    assert called(tmp_path, "--like", "mine", "--known").options.known
    assert called(tmp_path, "--recipe", "quick").options.known
    recorded(tmp_path, (*LINES[0], "--known", "yes"), name="linked")
    assert not called(tmp_path, "--like", "linked").options.known


def test_a_repeat_is_gone_on_with_as_any_sweep_and_knows_what_it_repeats(tmp_path: Path) -> None:
    source = recorded(tmp_path, *LINES)
    line = ("--out", str(tmp_path), "--like", "mine", "--name", "again")
    recorded(tmp_path, *map(tuple, lines_of(source)), line, name="again")
    found = called(tmp_path, "--resume", "--name", "again")
    assert found.sweep is not None
    assert (found.sweep.name, found.like) == ("again", source)
    assert [command.seeds for command in found.commands] == [(0, 1), (2,), None, None]
    assert not found.options.known
    (source.folder / "sweep.json").unlink()  # which it does not need
    assert called(tmp_path, "--resume", "--name", "again").like is None


def test_a_sweep_is_named_or_given_by_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = recorded(tmp_path / "runs", *LINES)
    assert source_of("mine", tmp_path / "runs") == source
    assert source_of(str(source.folder), tmp_path / "elsewhere") == source
    with pytest.raises(UserError, match=r"--like: no sweep 'mime'.*'mine'"):
        source_of("mime", tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()  # which is no sweep, and hides none
    assert source_of("mine", tmp_path / "runs") == source
    for odd in ("", ".", "..", "[m]ine", "*"):
        with pytest.raises(UserError, match=r"--like: no sweep '"):
            source_of(odd, tmp_path / "runs")
    (tmp_path / "runs" / "other").mkdir()
    (tmp_path / "runs" / "other" / "sweep.json").write_text(
        json.dumps({"sweep_id": "a", "name": "other", "commands": []})
    )
    with pytest.raises(UserError, match=r"--like: no command line has made .*other"):
        source_of("other", tmp_path / "runs")


def test_it_starts_a_sweep_and_goes_on_with_none() -> None:
    with pytest.raises(UserError, match="--like: it starts a sweep"):
        check_flags(SweepConfig(like="mine", resume=True))


def test_other_data_is_refused(finish: Callable[..., Sweep]) -> None:
    source = finish("mine", 10.0)
    check_data(source, [DATASET, "ba9876543210"])
    with pytest.raises(UserError, match=f"mine was trained on dataset {DATASET}, and this is ba9876543210"):
        check_data(source, ["ba9876543210"])


def test_what_else_differs_is_said_and_only_that(finish: Callable[..., Sweep]) -> None:
    assert differences(finish("mine", 10.0)) == []
    versions = versions_here()
    other = finish("old", 10.0, versions=versions | {"torch": "1.0"}, computes=None)
    assert differences(other) == [
        f"torch 1.0 there, {versions['torch']} here",
        f"way of computing unknown there, {COMPUTES} here",
    ]


def test_a_library_that_is_not_here_is_said(finish: Callable[..., Sweep]) -> None:
    other = finish("old", 10.0, versions=versions_here() | {"cupy": "1.0"})
    assert differences(other) == ["cupy 1.0 there, none here"]


def test_results_without_a_score_in_common_are_not_compared(finish: Callable[..., Sweep]) -> None:
    source, repeat = finish("mine", 10.0, 20.0), finish("other", 10.0, 20.0)
    file = next(source.folder.glob("trials/*/result.json"))
    note = json.loads(file.read_text())
    file.write_text(json.dumps(note | {"test": {"of an older version": 1.0}}))
    assert agreement(source, repeat) == "like mine: 1 of 1 trials have the same test scores"


def test_results_are_compared_trial_by_trial(finish: Callable[..., Sweep], tmp_path: Path) -> None:
    source = finish("mine", 10.0, 20.0, 30.0)
    assert agreement(source, finish("same", 10.0, 20.0, 30.0)) == (
        "like mine: 3 of 3 trials have the same test scores"
    )
    told = agreement(source, finish("other", 10.0, 21.5))
    assert told.startswith(
        "like mine: 1 of 2 trials have the same test scores; the others differ by at most "
    )
    assert "1.50 points (add_area of tiny-test_resnet-" in told
    assert agreement(source, open_sweep(tmp_path / "none")) == "like mine: no trial is finished in both"
