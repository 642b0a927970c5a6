"""A sweep's folder: made anew, or found again with all that it grew by; its trials keep their names."""

import dataclasses
import json
import os
import re
from pathlib import Path

import pytest

from epropnp.errors import UserError
from epropnp.plain import to_dict
from epropnp.training.identity import identity, trial_hash
from epropnp.training.recipes import Recipe
from sweeps.folder import find_sweeps, open_sweep
from sweeps.search.search import Planned
from sweeps.space import Axis
from tests.sweeps.cells import cells_of

DATASET = "0123456789ab"


def note(out: Path, name: str, time_s: float) -> None:
    """A sweep that was started or resumed at a time."""
    (out / name).mkdir(parents=True)
    file = out / name / "sweep.json"
    file.write_text(json.dumps({"sweep_id": f"id-{name}", "name": name, "commands": [["--seeds", name]]}))
    os.utime(file, (time_s, time_s))


def begin(folder: Path, planned: list[Planned]) -> None:
    """Make the folders of trials."""
    for trial in planned:
        open_sweep(folder).prepare(trial)


def test_sweeps_are_found_by_name_the_newest_last(tmp_path: Path) -> None:
    for name, time_s in (("b", 100.0), ("c", 300.0), ("a", 200.0), ("d", 50.0)):
        note(tmp_path, name, time_s)
    assert [folder.name for folder in find_sweeps(tmp_path)] == ["d", "b", "a", "c"]
    assert find_sweeps(tmp_path, "d") == [tmp_path / "d"]
    assert find_sweeps(tmp_path, "e") == find_sweeps(tmp_path / "a") == []
    found = open_sweep(tmp_path / "d")
    assert (found.name, found.sweep_id, found.commands) == ("d", "id-d", (("--seeds", "d"),))


def test_a_new_sweep_has_an_identity_of_its_own_and_writes_nothing_unasked(tmp_path: Path) -> None:
    first, second = (open_sweep(tmp_path / "mine") for _ in range(2))
    assert first.sweep_id != second.sweep_id
    assert not first.folder.exists()
    first.with_command(["--seeds", "1"]).write()
    assert open_sweep(tmp_path / "mine").sweep_id == first.sweep_id


def test_a_sweep_grows_by_command_lines_which_are_noted_once_and_without_resume(tmp_path: Path) -> None:
    for words in (
        ["--seeds", "0"],
        ["--resume", "--seeds", "1"],
        ["--resume"],
        ["--seeds", "1", "--resume-or-start"],
        ["--seeds", "1", "--resume_or_start"],  # which is the same
        ["--resume", "--seeds", "2", "--dry-run"],
    ):
        open_sweep(tmp_path / "mine").with_command(words).write()
    assert open_sweep(tmp_path / "mine").commands == (("--seeds", "0"), ("--seeds", "1"), ("--seeds", "2"))


def test_the_note_names_what_is_planned_also_before_it_begins(tmp_path: Path) -> None:
    sweep = open_sweep(tmp_path / "mine")
    dataclasses.replace(sweep, planned_names=["b", "a"]).write()
    assert open_sweep(tmp_path / "mine").planned_names == ("b", "a")
    assert open_sweep(tmp_path / "mine").trial_folders() == []


def test_the_note_of_the_version_before_is_one_command_line(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    old = {"sweep_id": "a1", "name": "mine", "arguments": ["--seeds", "0", "--resume", "--epochs", "3"]}
    (tmp_path / "mine" / "sweep.json").write_text(json.dumps(old))
    found = open_sweep(tmp_path / "mine")
    assert (found.sweep_id, found.commands) == ("a1", (("--seeds", "0", "--epochs", "3"),))
    found.with_command(["--resume", "--seeds", "1"]).write()
    assert open_sweep(tmp_path / "mine") == found.with_command(["--seeds", "1"])


def test_trials_have_readable_names_of_a_safe_alphabet_and_folders_that_say_what_they_are(
    tiny: Recipe, tmp_path: Path
) -> None:
    sweep = open_sweep(tmp_path / "mine")
    cells = cells_of(tiny, loss_weights=[0.02], seeds=[0, 3])
    planned = sweep.planned(cells, DATASET)
    digits = [trial_hash(cell.config, DATASET)[:6] for cell in cells]
    assert [trial.name for trial in planned] == [
        f"tiny-test_resnet-deconv-mc0.02-seed0-{digits[0]}",
        f"tiny-test_resnet-deconv-mc0.02-seed3-{digits[1]}",
        f"tiny-test_convnext-deconv-mc0.02-seed0-{digits[2]}",
        f"tiny-test_convnext-deconv-mc0.02-seed3-{digits[3]}",
    ]
    folder = sweep.prepare(planned[1])
    assert folder == tmp_path / "mine" / "trials" / planned[1].name
    assert json.loads((folder / "trial.json").read_text()) == {
        "hash": trial_hash(cells[1].config, DATASET),
        "dataset_id": DATASET,
        "settings": identity(cells[1].config),
        "config": to_dict(cells[1].config),
        "sweep": {"sweep_id": sweep.sweep_id, "name": "mine", "commands": []},
    }
    odd = dataclasses.replace(cells[0], config=dataclasses.replace(cells[0].config, recipe="ä/ b" * 60))
    (trial,) = sweep.planned([odd], DATASET)
    assert re.fullmatch(r"[A-Za-z0-9._-]{50,100}", trial.name)


def test_more_axes_and_recipes_rename_no_trial(tiny: Recipe, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    first = cells_of(tiny)
    before = {t.config: t.name for t in open_sweep(folder).planned(first, DATASET)}
    begin(folder, open_sweep(folder).planned(first, DATASET))
    other = dataclasses.replace(tiny, name="other", base=dataclasses.replace(tiny.base, recipe="other"))
    wider = cells_of([tiny, other], Axis.of("optim.lr", [tiny.base.optim.lr, 0.5]), seeds=[0, 1])
    for sweep in (open_sweep(folder), open_sweep(tmp_path / "new")):
        after = {trial.config: trial.name for trial in sweep.planned(wider, DATASET)}
        assert before.items() <= after.items()
        assert len(set(after.values())) == len(after) == 8 * len(before)


def test_a_trial_keeps_the_name_of_its_folder_whatever_it_is(tiny: Recipe, tmp_path: Path) -> None:
    sweep = open_sweep(tmp_path / "mine")
    cells = cells_of(tiny)
    begin(sweep.folder, sweep.planned(cells, DATASET)[1:])
    (only,) = (sweep.folder / "trials").iterdir()
    only.rename(only.with_name("renamed"))
    assert [t.name for t in sweep.planned(cells, DATASET)][1] == "renamed"
    assert [trial.name for trial in sweep.trials()] == ["renamed"]


def test_a_trial_on_another_dataset_is_refused(tiny: Recipe, tmp_path: Path) -> None:
    sweep = open_sweep(tmp_path / "mine")
    begin(sweep.folder, sweep.planned(cells_of(tiny), DATASET))
    with pytest.raises(UserError, match=f"started with dataset {DATASET}, and now it is ba9876543210"):
        sweep.planned(cells_of(tiny, seeds=[5]), "ba9876543210")


def test_trials_on_several_datasets_are_told_by_them_and_by_their_settings(
    tiny: Recipe, tmp_path: Path
) -> None:
    few, many, same = (("build.train=5",), ("build.train=50",), ("build.accept_geometry=yes",))
    sweep = open_sweep(tmp_path / "mine")
    (plain,) = cells_of(tiny, backbones=["test_resnet"])
    cells = [dataclasses.replace(plain, build=build) for build in ((), few, many, same)]
    ids = {(): DATASET, few: "111111111111", many: "222222222222", same: DATASET}
    planned = sweep.planned(cells, ids)
    assert [(trial.build, trial.dataset_id) for trial in planned] == list(ids.items())[
        :3
    ]  # the last is a double
    assert [trial.name[-6:] for trial in planned] == [
        trial_hash(plain.config, ids[trial.build])[:6] for trial in planned
    ]
    begin(sweep.folder, planned)
    notes = [json.loads((sweep.trial_folder(t.name) / "trial.json").read_text()) for t in planned]
    assert [note.pop("build", None) for note in notes] == [None, ["build.train=5"], ["build.train=50"]]
    assert [note["dataset_id"] for note in notes] == [DATASET, "111111111111", "222222222222"]
    assert {trial.name: trial.build for trial in sweep.trials()} == {t.name: t.build for t in planned}
    assert [t.name for t in sweep.planned(cells[2:], {many: ids[many], same: DATASET, few: ids[few]})] == [
        planned[2].name,
        planned[0].name,
    ]
    with pytest.raises(UserError, match=f"started with dataset 1{{12}}, and now it is {DATASET} or 2{{12}};"):
        sweep.planned(cells, {(): DATASET, many: ids[many], few: DATASET, same: DATASET})


def test_another_content_of_a_file_that_a_setting_names_is_another_trial(
    tiny: Recipe, tmp_path: Path
) -> None:
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"first")
    model = dataclasses.replace(tiny.base.model, pretrained=True, weights_file=str(weights))
    recipe = dataclasses.replace(tiny, base=dataclasses.replace(tiny.base, model=model))
    sweep = open_sweep(tmp_path / "mine")
    (before, _) = sweep.planned(cells_of(recipe), DATASET)
    begin(sweep.folder, [before])
    weights.write_bytes(b"second")
    assert sweep.planned(cells_of(recipe), DATASET)[0].name != before.name
    weights.write_bytes(b"first")
    assert sweep.planned(cells_of(recipe), DATASET)[0].name == before.name


@pytest.mark.parametrize("text", ["", "[]", '{"sweep_id": "a1"}', '{"sweep_id": "a1", "commands": [3]}'])
def test_a_damaged_note_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "sweep.json").write_text(text)
    with pytest.raises(UserError, match=r"mine/sweep\.json is damaged"):
        open_sweep(tmp_path / "mine")


@pytest.mark.parametrize("text", [None, "", "{", '{"sweep_id": "a1", "commands": [3]}'])
def test_a_sweep_whose_file_is_lost_is_told_by_its_trials(
    tiny: Recipe, tmp_path: Path, text: str | None
) -> None:
    sweep = open_sweep(tmp_path / "mine").with_command(["--recipe", "quick"])
    first, second, *_ = sweep.planned(cells_of(tiny, seeds=[0, 1]), DATASET)
    sweep.prepare(first)
    wider = sweep.with_command(["--seeds", "0", "1"])
    wider.prepare(second)
    wider.write()
    (tmp_path / "mine" / "trials" / first.name / "trial.json").write_text("{")  # it need not be all of them
    if text is None:
        (tmp_path / "mine" / "sweep.json").unlink()
    else:
        (tmp_path / "mine" / "sweep.json").write_text(text)
    (tmp_path / "other" / "trials").mkdir(parents=True)
    assert find_sweeps(tmp_path) == find_sweeps(tmp_path, "mine") == [tmp_path / "mine"]
    found = open_sweep(tmp_path / "mine")
    assert (found.sweep_id, found.name) == (sweep.sweep_id, "mine")
    assert found.commands == (("--recipe", "quick"), ("--seeds", "0", "1"))
