"""Loss terms of one's own: found in a module by name, refused where they are none."""

import dataclasses
from pathlib import Path

import pytest

from epropnp.errors import UserError
from epropnp.training.config import LossConfig
from epropnp.training.terms import TERMS, training_loss
from epropnp.training.trainer import Trainer
from tests.training.tiny import with_optim

CODE = """
from epropnp.training.terms import loss_term

@loss_term("wide")
def wide(scene):
    return -scene.prediction.log_scale.mean()

@loss_term("listed")
def listed(scene):
    return scene.prediction.log_scale
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "losses_of_mine.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("epropnp.training.terms.TERMS", TERMS.copy())
    monkeypatch.delitem(__import__("sys").modules, "losses_of_mine", raising=False)
    return "losses_of_mine"


def test_a_term_of_another_module_is_trained_and_logged(
    module: str, tiny_dataset: Path, tmp_path: Path
) -> None:
    config = with_optim(epochs=1)
    config = dataclasses.replace(config, loss=LossConfig(own=((f"{module}.wide", 0.5),)))
    trainer = Trainer(config, tiny_dataset, tmp_path / "run", "cpu")
    trainer.fit()
    metrics = trainer.state.history[1]
    assert metrics["train/weighted_wide"] == pytest.approx(0.5 * metrics["train/loss_wide"], rel=1e-5)


def test_a_term_that_is_no_scalar_is_named(module: str, tiny_dataset: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(with_optim(epochs=1), loss=LossConfig(own=((f"{module}.listed", 1.0),)))
    trainer = Trainer(config, tiny_dataset, tmp_path / "run", "cpu")
    with pytest.raises(UserError, match=r"loss term 'listed' gave \(16, 2\), not a scalar"):
        trainer.fit()


@pytest.mark.parametrize(
    ("name", "message"), [("no_such_module.sharp", "No module named"), ("coort", "did you mean 'coord'")]
)
def test_a_term_that_is_not_found_says_why(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        training_loss(LossConfig(own=((name, 1.0),)))
