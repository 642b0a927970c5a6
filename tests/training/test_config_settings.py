"""Every setting of a trial reaches what it is for, and nothing else; some must change no number."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from epropnp.plain import flatten
from epropnp.training.overrides import override
from epropnp.training.terms import TERMS, Scene, loss_term
from tests.training.observables import Lab, same
from tests.training.settings import BASE, ELSEWHERE, SETTINGS, kept

MakeLab = Callable[[Sequence[str]], Lab]


@pytest.fixture(scope="module")
def lab(mixed: Path, tmp_path_factory: pytest.TempPathFactory) -> MakeLab:
    """Makes the lab of the base config with some settings changed; each is made once."""
    made: dict[tuple[str, ...], Lab] = {}
    nowhere = tmp_path_factory.mktemp("trials") / "none"

    def make(settings: Sequence[str]) -> Lab:
        key = tuple(settings)
        if key not in made:
            made[key] = Lab(override(BASE, settings), mixed, nowhere)
        return made[key]

    return make


def test_every_setting_says_what_it_is_for() -> None:
    """A new setting needs an entry in `tests/training/settings.py`; one that reaches nothing has to go."""
    entries = {entry.partition(" ")[0] for entry in SETTINGS} | ELSEWHERE.keys()
    missing = flatten(BASE).keys() - entries
    assert not missing, f"no entry in tests/training/settings.py for {sorted(missing)}"
    gone = entries - flatten(BASE).keys()
    assert not gone, f"tests/training/settings.py still lists {sorted(gone)}"


@pytest.fixture
def _own_term() -> object:
    @loss_term("log_scale")
    def log_scale(scene: Scene) -> torch.Tensor:
        return scene.prediction.log_scale.mean()

    yield
    del TERMS["log_scale"]


@pytest.mark.usefixtures("bf16_anywhere")
@pytest.mark.slow
@pytest.mark.usefixtures("_own_term")
@pytest.mark.parametrize("entry", SETTINGS)
def test_a_setting_changes_what_it_is_for_and_nothing_else(entry: str, lab: MakeLab) -> None:
    setting, name = SETTINGS[entry], entry.partition(" ")[0]
    before = lab(setting.given)
    after = lab([*setting.given, f"{name}={setting.other}"])
    still = [what for what in setting.changes if same(before[what], after[what])]
    assert not still, f"{name}={setting.other} does not reach {still}"
    touched = [what for what in sorted(kept(entry)) if not same(before[what], after[what])]
    assert not touched, f"{name}={setting.other} changes {touched}, too"
    for what, value in setting.now:
        assert before[what] != value
        assert after[what] == value, what
