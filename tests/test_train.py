"""The command line of one trial: trains, goes on, checks itself, and says in one line what is wrong."""

import json
from pathlib import Path

import pytest

from epropnp.inference.model import load_checkpoint
from epropnp.train import Arguments, main, trial_config
from epropnp.training.progress import TrialProgress
from epropnp.training.recipes import RECIPES, small
from epropnp.training.result import EpochReport
from tests.pictures import picture_in

TINY = (
    *("model.backbone=test_resnet", "model.input_px=64", "model.head_width=32", "optim.precision=float32"),
    *("pnp.amis_samples=16", "data.points=64", "evaluation.proposals=16", "evaluation.iterations=5"),
    *("evaluation.samples=0", "loss.deriv_t=0", "loss.deriv_r=0"),
)


@pytest.mark.slow
def test_a_training_that_was_stopped_goes_on(
    tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "runs" / "a"
    words = ["--data", str(tiny_dataset), "--out", str(out), "--epochs", "9", "--keep-every", "1"]
    words += ["--set", *TINY, "--set", "optim.epochs=2"]

    class Interrupted(TrialProgress):
        def on_epoch(self, report: EpochReport) -> None:
            super().on_epoch(report)
            if report.epoch == 1:
                raise KeyboardInterrupt  # what Ctrl-C does

    with monkeypatch.context() as patch:
        patch.setattr("epropnp.training.progress.TrialProgress", Interrupted)
        assert main(words) == 130
    said = capsys.readouterr()
    assert said.err == "\nstopped: the same command goes on from the last checkpoint\n"
    lines = said.out.splitlines()
    assert lines[0].startswith("recipe quick: test_resnet + deconv, 0.2 M parameters, from scratch, on ")
    assert lines[1].endswith(": cat, eggbox; 2 epochs of 4 updates on 64 images")
    assert lines[2].startswith("epoch 0/2  val ADD(-S) 0.10d ")
    assert lines[3].startswith("epoch 1/2  loss ")
    assert len(lines) == 4

    assert main(words) == 0
    said = capsys.readouterr()
    assert said.err == ""
    result = json.loads((out / "result.json").read_text())
    lines = said.out.splitlines()
    assert lines[2] == "continuing from epoch 1 of 2, which is finished"
    assert lines[3].startswith("epoch 2/2  loss ")
    assert f"test: 12 images, weights of epoch {result['best_epoch']}, percent with 95 % intervals" in lines
    row = next(line for line in lines if "add_area" in line)
    assert f"{result['test']['add_area']:.1f} [" in row
    for name in ("predictions", "calibration", "curves", "epochs"):
        assert f"{name}: {out / name}.png" in lines
        assert picture_in(out / f"{name}.png").std() > 10
    assert lines[-1] == f"more scores: python -m epropnp.evaluate {out / 'predictions.parquet'}"
    assert (out / "epoch-0002.pt").is_file()
    assert load_checkpoint(out / "checkpoint.pt")["config"]["model"]["input_px"] == 64


@pytest.mark.slow
def test_a_training_is_stopped_by_a_file_and_goes_on_without_it(
    tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", str(tiny_dataset), "--out", str(tmp_path), "--set", *TINY, "--set", "optim.epochs=1"]
    (tmp_path / "stop").write_text("not today\nnor tomorrow")
    assert main(words) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert said == f"stopped: not today; to go on, remove {tmp_path / 'stop'} and give the same command"
    assert not (tmp_path / "result.json").exists()
    (tmp_path / "stop").unlink()
    assert main(words) == 0
    assert (tmp_path / "result.json").is_file()


@pytest.mark.slow
def test_overfit_passes(tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", str(tiny_dataset), "--out", str(tmp_path), "--overfit", "1", "--epochs", "6"]
    assert main([*words, "--set", *TINY, "optim.lr=5e-3", "optim.batch_size=4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "overfit: ADD(-S) 0.10d 100.00 on the 1 image it was trained on: passed"


def test_overfit_fails_and_a_terminal_gets_a_bar(
    tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes its output for a terminal
    monkeypatch.setenv("COLUMNS", "120")
    words = ["--data", str(tiny_dataset), "--out", str(tmp_path), "--overfit", "3", "--epochs", "1"]
    assert main([*words, "--set", *TINY, "optim.lr=1e-9", "optim.batch_size=4"]) == 1
    printed = capsys.readouterr().out
    assert "on the first 3 images" in printed
    assert "epoch 1/1" in printed
    assert "loss " in printed
    assert "val ADD(-S) 0.10d 0.0  5deg5cm 0.0" in printed
    assert "\nepoch 1/1  loss" not in printed  # that is for files
    assert "overfit: ADD(-S) 0.10d 0.00 on the 3 images it was trained on: not passed" in printed


def test_flags_go_over_the_recipe_and_settings_over_flags() -> None:
    assert trial_config(Arguments()) == RECIPES["quick"].trial("resnet10t", "deconv", 0.5, 0)
    flags = Arguments(recipe="paper", backbone="hrnet_w32", seed=4, pretrained=False, overfit=8)
    config = trial_config(flags)
    assert (config.model.backbone, config.model.head, config.model.pretrained) == (
        "hrnet_w32",
        "direct",
        False,
    )
    assert (config.recipe, config.seed, config.data.overfit) == ("paper", 4, 8)
    assert (config.optim.epochs, config.optim.batch_size) == (40, 8)  # not the recipe's 160 and 32
    config = trial_config(Arguments(head="fpn", epochs=3, set=(("optim.epochs=5",), ("seed=2",))))
    assert (config.model.head, config.optim.epochs, config.seed) == ("fpn", 5, 2)
    expected = small(RECIPES["official_v2"])
    assert trial_config(Arguments(recipe="official_v2", small=True)) == expected.trial(
        expected.backbones[0], "deconv", expected.loss_weights[0], 0
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--epoch", "3"],
            "unknown flag --epoch; did you mean '--epochs'?; see python -m epropnp.train --help",
        ),
        (
            [],
            "--data: name a built dataset; build one with `python pipelines/prepare.py build --objects cat` "
            "and give the folder that it names",
        ),
        (
            ["--set", "optim.lr=1e-3", "--set", "optim.lr=3e-3"],
            "--set: optim.lr is given twice; a sweep compares them: --vary optim.lr 1e-3 3e-3",
        ),
        (
            ["--data", "no/where"],
            "--data: no/where does not exist; build one with `python pipelines/prepare.py build "
            "--objects cat` and give the folder that it names",
        ),
        (["--data", "{data}"], "--out: name a folder for the results, such as --out runs/first"),
        (["--data", "{data}", "--out", "{data}/manifest.json", "--set", *TINY], "cannot be written"),
        (["--epochs", "-1"], "--epochs: -1 is not at least 0"),
        (["--overfit", "0"], "--overfit: 0 is not at least 1"),
        (["--keep-every", "-1"], "--keep-every: -1 is not at least 0"),
        (["--recipe", "pape"], "--recipe: unknown recipe 'pape'; did you mean 'paper'? (recipes: quick,"),
        (["--data", "{data}", "--out", "{out}", "--head", "fnp"], "unknown head 'fnp'; did you mean 'fpn'?"),
        (["--data", "{data}", "--out", "{out}", "--backbone", "resnt18"], "did you mean 'resnet18'?"),
        (
            ["--data", "{data}", "--out", "{out}", "--set", "lr=3"],
            "--set: unknown setting 'lr'; did you mean",
        ),
    ],
)
def test_errors_are_one_line(
    words: list[str], message: str, tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main([word.format(data=tiny_dataset, out=out) for word in words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said
    assert said.count("\n") == 1
    assert not out.exists()


def test_another_config_in_the_same_folder_is_refused(
    tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "--data",
        str(tiny_dataset),
        "--out",
        str(tmp_path),
        "--overfit",
        "1",
        "--epochs",
        "1",
        "--set",
        *TINY,
    ]
    assert main([*words, "optim.batch_size=1"]) == 1
    assert main([*words, "optim.batch_size=2"]) == 2
    assert "checkpoint.pt is of another config" in capsys.readouterr().err


def test_recipes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list-recipes"]) == 0
    printed = capsys.readouterr().out
    assert [line.partition(":")[0] for line in printed.splitlines()[::2]] == list(RECIPES)
    assert "paper: 256 px, 160 epochs in batches of 32, rmsprop at 0.0001, ImageNet weights\n" in printed
