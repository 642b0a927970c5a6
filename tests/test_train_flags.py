"""The command line of one trial: where each flag arrives, and which exit code each end of a trial has."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from epropnp import train
from epropnp.errors import UserError
from epropnp.plain import differing, to_dict
from epropnp.train import main
from epropnp.training import trainer as trainer_module
from epropnp.training.callbacks import Callback
from epropnp.training.config import TrialConfig
from epropnp.training.progress import TrialProgress
from epropnp.training.recipes import RECIPES, small
from epropnp.training.result import TrialResult
from epropnp.training.termination import Termination


@dataclasses.dataclass
class Given:
    """What the trainer was made with, and what it heard."""

    config: TrialConfig = dataclasses.field(default_factory=TrialConfig)
    dataset: Any = None
    out: Any = None
    device: Any = None
    keep_every: int = -1
    callbacks: list[Callback] = dataclasses.field(default_factory=list)
    ends: BaseException | float = 50.0  # ADD(-S) 0.10d on the test split, or what is raised


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    """In place of a training: notes what it was asked for."""
    noted = Given()

    class Fake:
        def __init__(
            self, config: TrialConfig, dataset: str, out: Path, device: str | None = None, keep_every: int = 0
        ) -> None:
            noted.config, noted.dataset, noted.out = config, dataset, out
            noted.device, noted.keep_every = device, keep_every

        def fit(self, callbacks: Sequence[Callback]) -> TrialResult:
            noted.callbacks = list(callbacks)
            if isinstance(noted.ends, BaseException):
                raise noted.ends
            return made_up(noted.ends)

    monkeypatch.setattr(trainer_module, "Trainer", Fake)
    monkeypatch.setattr(train, "_introduce", lambda *_: None)
    monkeypatch.setattr(train, "_report", lambda *_: None)
    return noted


def made_up(add: float) -> TrialResult:
    """The validation scores, and others of the test split, would pass."""
    kinds: dict[Any, Any] = {str: "", float: 0.0, int: 3, bool: False, dict: {}}
    fields = {f.name: kinds.get(f.type, {}) for f in dataclasses.fields(TrialResult)}
    scores = {"add_0.10d": 100.0, "add_0.05d": 100.0, "5deg5cm": 100.0}
    fields |= {"test": scores | {"add_0.10d": add}, "val_after": scores, "val_before": scores}
    return TrialResult(**fields)


def changes(given: Given, recipe: str = "quick") -> dict[str, Any]:
    """Settings that are not the recipe's."""
    start = RECIPES[recipe]
    head = "direct" if start.backbones[0].startswith("hrnet") else "deconv"
    plain = start.trial(start.backbones[0], head, start.loss_weights[0], 0)
    return {key: now for key, _, now in differing(to_dict(plain), to_dict(given.config))}


EPOCHS = 7
LATER = {"optim.lr": 0.25, "loss.mc": 3.0, "data.points": 9}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", {}),
        ("--seed 5", {"seed": 5}),
        (f"--epochs {EPOCHS}", {"optim.epochs": EPOCHS}),
        ("--epochs 0", {"optim.epochs": 0}),  # only the untrained network is tested
        ("--backbone resnet18", {"model.backbone": "resnet18"}),
        ("--backbone hrnet_w32", {"model.backbone": "hrnet_w32", "model.head": "direct"}),
        ("--head fpn", {"model.head": "fpn"}),
        ("--pretrained", {"model.pretrained": True}),
        ("--pretrained no", {}),
        ("--set optim.lr=0.5 loss.mc=3", {"optim.lr": 0.5, "loss.mc": 3.0}),
        ("--set optim.lr=0.25 data.points=9 --set loss.mc=3 optim.lr=0.25", LATER),
        ("--seed 5 --set seed=6", {"seed": 6}),
        ("--overfit 8", {"data.overfit": 8, "optim.batch_size": 8, "optim.epochs": 40}),
        ("--overfit 8 --epochs 3", {"data.overfit": 8, "optim.batch_size": 8, "optim.epochs": 3}),
        ("--overfit 8 --epochs 0", {"data.overfit": 8, "optim.batch_size": 8, "optim.epochs": 0}),
        ("--overfit 1000", {"data.overfit": 1000, "optim.epochs": 40}),
        (
            "--overfit 8 --set optim.batch_size=2",
            {"data.overfit": 8, "optim.batch_size": 2, "optim.epochs": 40},
        ),
    ],
)
def test_a_flag_changes_its_own_settings_and_no_other(
    words: str, expected: dict[str, Any], given: Given, tiny_dataset: Path, tmp_path: Path
) -> None:
    main(["--data", str(tiny_dataset), "--out", str(tmp_path), *words.split()])
    assert changes(given) == expected
    assert (given.device, given.keep_every) == (None, 0)


@pytest.mark.parametrize("recipe", sorted(RECIPES))
@pytest.mark.parametrize("flag", [[], ["--small"]])
def test_a_recipe_is_trained_as_it_is_or_small(
    recipe: str, flag: list[str], given: Given, tiny_dataset: Path, tmp_path: Path
) -> None:
    assert main(["--data", str(tiny_dataset), "--out", str(tmp_path), "--recipe", recipe, *flag]) == 0
    wanted = small(RECIPES[recipe]) if flag else RECIPES[recipe]
    config = given.config
    assert (config.recipe, config.model.backbone) == (wanted.base.recipe, wanted.backbones[0])
    assert config.loss.mc == wanted.loss_weights[0]
    assert config.optim == wanted.base.optim
    assert config.model.input_px == wanted.base.model.input_px


def test_a_recipe_that_compares_several_gives_its_first_ones(
    given: Given, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = dataclasses.replace(
        RECIPES["quick"], backbones=("resnet18", "resnet34"), loss_weights=(0.25, 0.5, 0.125)
    )
    monkeypatch.setitem(RECIPES, "quick", several)
    main(["--data", str(tiny_dataset), "--out", str(tmp_path)])
    assert (given.config.model.backbone, given.config.loss.mc) == ("resnet18", 0.25)


def test_folders_device_and_kept_epochs_arrive(given: Given, tiny_dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "down"
    words = ["--data", str(tiny_dataset), "--out", str(out), "--device", "cpu", "--keep-every", "3"]
    assert main(words) == 0
    assert (given.dataset, given.out) == (str(tiny_dataset), out)
    assert (given.device, given.keep_every) == ("cpu", 3)
    assert out.is_dir()
    assert [type(callback) for callback in given.callbacks] == [Termination, TrialProgress]


@pytest.mark.parametrize(
    ("words", "ends", "code"),
    [
        ("", 0.0, 0),  # a poor network is a result, too
        ("--overfit 3", 100.0, 0),
        ("--overfit 3", 99.999, 1),
        ("--overfit 3", 0.0, 1),
        ("", UserError("no space"), 2),
        ("--overfit 3", UserError("no space"), 2),
        ("", KeyboardInterrupt(), 130),
    ],
)
def test_exit_codes(
    words: str,
    ends: BaseException | float,
    code: int,
    given: Given,
    tiny_dataset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given.ends = ends
    assert main(["--data", str(tiny_dataset), "--out", str(tmp_path), *words.split()]) == code
    said = capsys.readouterr()
    assert said.err == {2: "error: no space\n", 130: train_interrupted()}.get(code, "")
    assert ("not passed" in said.out) == (code == 1)


def train_interrupted() -> str:
    return "\nstopped: the same command goes on from the last checkpoint\n"


def test_a_bug_is_not_taken_for_bad_input(given: Given, tiny_dataset: Path, tmp_path: Path) -> None:
    given.ends = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        main(["--data", str(tiny_dataset), "--out", str(tmp_path)])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--seed -1", "--seed: -1 is not at least 0"),
        ("--device cuda", "--device: there is no CUDA device here; leave the flag out"),
        ("--device tpu", "--device"),
        ("--small yes no", "unexpected argument yes"),
        ("--set seed=-1", "--set: seed: -1 is not at least 0"),
    ],
)
def test_flags_that_cannot_be_are_refused_before_anything_is_made(
    words: str,
    message: str,
    given: Given,
    tiny_dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    out = tmp_path / "out"
    assert main(["--data", str(tiny_dataset), "--out", str(out), *words.split()]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said
    assert given.out is None
    assert not out.exists()
