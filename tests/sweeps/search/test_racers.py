"""What a race knows of other sweeps: as much as when it began."""

from pathlib import Path

import pytest

from epropnp.training.recipes import Recipe
from sweeps.folder import open_sweep
from sweeps.search.objectives import objectives_of
from sweeps.search.racers import EARLIER_FILE, Racers
from sweeps.search.search import setting_key
from sweeps.space import Axis
from tests.sweeps.cells import cells_of

ID = "0123456789ab"


def test_what_other_sweeps_learn_later_changes_nothing(
    tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = cells_of(tiny, Axis.of("optim.lr", [1e-3, 3e-3]), backbones=["test_resnet"], seeds=[0, 1])
    own = setting_key(cells[0].config, ID)
    known = {"another": [50.0, 53.0], own: [1.0, 2.0]}
    monkeypatch.setattr("sweeps.search.racers.earlier_seeds", lambda *given: dict(known))
    sweep = open_sweep(tmp_path / "mine")

    def earlier(score: str = "val/add_area") -> list[list[float]]:
        race = Racers(cells=cells, objective=objectives_of(score)[0]).race(sweep, {(): ID}, 5.0)
        return [each.tolist() for each in race._earlier]

    assert earlier() == [[50.0, 53.0]]  # its own settings count once
    known["later"] = [60.0, 70.0]
    assert earlier() == [[50.0, 53.0]]
    assert earlier("val/5deg5cm") == [[50.0, 53.0], [60.0, 70.0]]  # another race
    for damaged in ("{", "[]", '{"score": "5deg5cm", "seeds": []}'):
        (sweep.folder / EARLIER_FILE).write_text(damaged)
        assert earlier("val/5deg5cm") == [[50.0, 53.0], [60.0, 70.0]]
