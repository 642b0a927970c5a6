"""A program that needs more than the library says in one line what to install, before it starts."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from epropnp import extras
from epropnp.errors import UserError
from epropnp.extras import LIBRARIES, require
from pipelines import prepare
from sweeps import backbones

SMALL = ["--train", "1", "--validation", "1", "--test", "1"]


def without(monkeypatch: pytest.MonkeyPatch, *absent: str) -> None:
    """As in an environment that lacks these modules."""
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name in absent else object())


def test_what_is_there_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    require("this", "data", "sweeps")  # as the tests are run
    without(monkeypatch, "ray")
    require("this", "data")


@pytest.mark.parametrize(
    ("absent", "asked", "message"),
    [
        (["ray", "mlflow"], ["sweeps"], "(ray, mlflow): pip install 'epropnp-sweeps[sweeps]'"),
        (["mlflow"], ["sweeps", "data"], "(mlflow): pip install 'epropnp-sweeps[sweeps]'"),
        (["ray", "embreex"], ["sweeps", "data"], "(ray, embreex): pip install 'epropnp-sweeps[sweeps,data]'"),
    ],
)
def test_what_is_missing_is_named_with_its_extras(
    monkeypatch: pytest.MonkeyPatch, absent: Sequence[str], asked: Sequence[str], message: str
) -> None:
    without(monkeypatch, *absent)
    with pytest.raises(UserError) as error:
        require("this", *asked)
    assert str(error.value) == f"this needs more than is installed {message}"


def test_a_sweep_and_a_build_end_at_once(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tiny_dataset: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    without(monkeypatch, *(name for names in LIBRARIES.values() for name in names))
    folders = ["--out", str(tmp_path / "runs"), "--datasets", str(tmp_path / "data")]
    root = ["--root", str(tmp_path / "data")]
    data, output = str(tiny_dataset), str(tmp_path / "out")
    cases = [
        (backbones.main, ["--recipe", "quick", *folders], "a sweep", "sweeps,data"),
        (backbones.main, ["--recipe", "quick", "--data", data, *folders], "a sweep", "sweeps"),
        (prepare.main, ["build", "--objects", "cat", *SMALL, *root], "building a dataset", "data"),
        (prepare.main, ["--objects", "cat", "--ray", "auto", *root], "building a dataset", "data,sweeps"),
        (prepare.main, ["inspect", data, "--output", output], "drawing a dataset", "data"),
        (prepare.main, ["export", data, "--output", output], "exporting a dataset", "data"),
    ]
    for main, words, task, wanted in cases:
        assert main(words) == 2
        out, err = capsys.readouterr()
        assert out == ""
        (line,) = err.splitlines()
        assert line.startswith(f"error: {task} needs more than is installed (")
        assert line.endswith(f"): pip install 'epropnp-sweeps[{wanted}]'")
    assert not list(tmp_path.iterdir())


def test_a_dataset_is_verified_and_networks_are_described_without_any_extra(
    monkeypatch: pytest.MonkeyPatch, tiny_dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without(monkeypatch, *(name for names in LIBRARIES.values() for name in names))
    assert prepare.main(["verify", str(tiny_dataset)]) == 0
    assert backbones.main(["--recipe", "quick", "--backbones", "test_resnet", "--describe"]) == 0
    assert "test_resnet" in capsys.readouterr().out
