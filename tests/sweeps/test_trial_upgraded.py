"""A trial's folder of the version before, whose milestones were whole epochs, is read and gone on with."""

import json
from pathlib import Path

from epropnp.plain import to_dict
from epropnp.training.recipes import RECIPES
from sweeps.folder import open_sweep
from sweeps.space import Cell
from sweeps.trial import read, read_note


def test_a_trial_with_milestones_in_epochs_is_read_and_gone_on_with(tmp_path: Path) -> None:
    config = RECIPES["paper"].trial("resnet34", "deconv", 0.02, 0, epochs=40)
    values = to_dict(config)
    values["optim"]["milestones"] = [12, 25, 37]
    note = {"hash": "0123456789ab", "dataset_id": "ab", "config": values}
    folder = tmp_path / "trials" / "as-it-was-called"
    folder.mkdir(parents=True)
    (folder / "trial.json").write_text(json.dumps(note))
    optim = read(folder).config.optim
    assert (optim.milestones, optim.milestone_epochs) == ((12 / 40, 25 / 40, 37 / 40), (12, 25, 37))
    # The same trial: 12.5, 25 and 37.5 of 40, rounded down.
    assert read_note(folder).is_of(config, "ab")
    sweep = open_sweep(tmp_path)
    (planned,) = sweep.planned([Cell(config=config)], "ab")
    assert planned.name == folder.name
    assert sweep.prepare(planned) == folder
    assert json.loads((folder / "trial.json").read_text()) == note
    longer = RECIPES["paper"].trial("resnet34", "deconv", 0.02, 0, epochs=80)
    assert not read_note(folder).is_of(longer, "ab")
    assert not read_note(folder).is_of(config, "ba")
    (planned,) = sweep.planned([Cell(config=longer)], "ab")
    assert planned.name != folder.name
