"""A trial's folder of the version before, whose milestones were whole epochs, is read and gone on with."""

import json
from pathlib import Path

import pytest

from epropnp.errors import UserError
from epropnp.plain import to_dict
from epropnp.training.recipes import RECIPES
from sweeps.trial import prepare_folder, read


def test_a_trial_with_milestones_in_epochs_is_read_and_gone_on_with(tmp_path: Path) -> None:
    config = RECIPES["paper"].trial("resnet34", "deconv", 0.02, 0, epochs=40)
    values = to_dict(config)
    values["optim"]["milestones"] = [12, 25, 37]
    note = {"hash": "0123456789ab", "dataset_id": "ab", "config": values}
    (tmp_path / "trial.json").write_text(json.dumps(note))
    optim = read(tmp_path).config.optim
    assert (optim.milestones, optim.milestone_epochs) == ((12 / 40, 25 / 40, 37 / 40), (12, 25, 37))
    prepare_folder(tmp_path, config, "ab")  # the same trial: 12.5, 25 and 37.5 of 40, rounded down
    assert json.loads((tmp_path / "trial.json").read_text()) == note
    longer = RECIPES["paper"].trial("resnet34", "deconv", 0.02, 0, epochs=80)
    with pytest.raises(UserError, match=r"started with .*optim\.epochs=40 \(now 80\)"):
        prepare_folder(tmp_path, longer, "ab")
