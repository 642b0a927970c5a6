"""Bad input on the command line: one clear line on stderr, exit code 2, before anything starts."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sweeps import backbones
from sweeps.called import Called, called_of
from sweeps.flags import SweepConfig

SCRIPT = Path(backbones.__file__)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--epoch", "3"], ["--epoch", "did you mean '--epochs'"]),
        (["--weights", "3"], ["unknown flag --weights"]),
        (["--epochs", "many"], ["--epochs", "many"]),
        (["--epochs"], ["--epochs"]),
        (["--epochs", "0"], ["--epochs", "0"]),
        (["--recipe", "quik"], ["--recipe: unknown recipe 'quik'", "did you mean 'quick'"]),
        (["--recipe", "quick", "official_v2b"], ["official_v2b", "did you mean 'official_v2'"]),
        (["--recipe"], ["--recipe", "empty"]),
        (["--recipe", "quick", "--set", "optim.lrr=1"], ["optim.lrr", "did you mean 'optim.lr'"]),
        (["--recipe", "quick", "--set", "seed=1"], ["seed", "use --seeds"]),
        (["--pretrained", "maybe"], ["--pretrained", "maybe"]),
        (["--objects"], ["no object"]),
        (["--objects", ""], ["no object"]),
        (["--objects", "caat"], ["caat", "did you mean 'cat'"]),
        (["--data", "no/such/folder"], ["--data", "no/such/folder"]),
        (["--backgrounds", "no/such/folder"], ["--backgrounds", "no/such/folder"]),
        (["--seeds"], ["--seeds"]),
        (["--seeds", "-1"], ["--seeds"]),
        (["--loss-weights", "nan"], ["--loss-weights"]),
        (["--name", "../up"], ["--name"]),
        (["stray"], ["stray"]),
        (["--recipe", "quick", "--backbones", "resnt34"], ["resnt34", "did you mean 'resnet34'"]),
        (["--recipe", "quick", "--heads", "decon"], ["decon", "did you mean 'deconv'"]),
        (["--recipe", "quick", "--resume"], ["--resume", "no sweep"]),
        (["--resume", "--name", "first"], ["--resume: no sweep 'first' in", "start one without --resume"]),
        (["--recipe", "quick", "--set", "optim.lr=1", "optim.lr=2"], ["twice", "--vary optim.lr 1 2"]),
        (["--recipe", "quick", "--vary", "optim.lrr", "1"], ["optim.lrr", "did you mean 'optim.lr'"]),
        (["--recipe", "quick", "--vary", "optim.lr", "fast"], ["optim.lr", "fast"]),
        (["--recipe", "quick", "--case", "a", "optim.lr=-1"], ["case 'a'", "optim.lr"]),
        (["--set", "build.trian=9"], ["unknown setting 'build.trian'; did you mean 'build.train'?"]),
        (["--set", "build.train=-1"], ["build.train: -1 is not at least 0"]),
        (["--set", "build.objects=cat"], ["build.objects has a flag of its own: use --objects"]),
        (["--recipe", "quick", "--vary", "build.ocluders", "cat"], ["did you mean 'build.occluders'?"]),
        (["--recipe", "quick", "--vary", "build.train", "few"], ["build.train: 'few' is not a whole number"]),
        (
            ["--recipe", "quick", "--vary", "build.test", "9", "99"],
            ["build.test decides what is tested", "--set"],
        ),
        (
            ["--recipe", "quick", "--case", "a", "build.objects=cat"],
            ["case 'a': build.objects decides", "--objects"],
        ),
        (["--backgrounds", ".", "--set", "build.backgrounds=x"], ["what --backgrounds gives: give it once"]),
    ],
)
def test_bad_input_gives_one_line(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "runs"
    assert backbones.main([*arguments, "--out", str(out)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    for word in words:
        assert word in lines[0]
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--recipe", "paper"], True),
        (["--recipe", "best", "--backbones", "test_resnet"], True),
        (["--recipe", "quick"], False),
        (["--recipe", "paper", "--small"], False),
    ],
)
def test_a_published_recipe_without_data_says_that_it_is_a_rehearsal(
    arguments: list[str], told: bool, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = [
        *arguments,
        "--pretrained",
        "no",
        "--dry-run",
        "--out",
        str(tmp_path),
        "--datasets",
        str(tmp_path),
    ]
    assert backbones.main(words) == 0
    printed = " ".join(capsys.readouterr().out.split())
    name = arguments[1]
    assert ("is a rehearsal of the study, and its numbers are no result of it" in printed) == told
    assert (f"--recipe {name} --data LINEMOD --backgrounds VOC2012" in printed) == told
    assert ("(folders; docs/data.md tells where they come from)" in printed) == told


def test_a_name_that_is_taken_is_not_overwritten(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    arguments = ["--recipe", "quick", "--name", "mine", "--out", str(tmp_path)]
    assert backbones.main(arguments) == 2
    go_on = f"go on with it: python sweeps/backbones.py --resume --name mine --out {tmp_path}"
    assert (
        capsys.readouterr().err == f"error: --name: {tmp_path}/mine exists; choose another name, or {go_on}\n"
    )


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), (["--epoch", "3"], 2)])
def test_the_script_answers_without_loading_anything_heavy(arguments: list[str], code: int) -> None:
    root = SCRIPT.parents[1]
    program = (
        "import runpy, sys\n"
        f"sys.argv = ['backbones.py', *{arguments!r}]\n"
        "try:\n"
        f"    runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
        "finally:\n"
        "    assert not {'torch', 'ray', 'mlflow', 'timm'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    if code == 0:
        assert "--backbones" in done.stdout
        assert "Examples:" in done.stdout


def started(out: Path, *words: str) -> Path:
    """The note of a sweep that was started with these flags."""
    (out / "mine").mkdir(parents=True)
    file = out / "mine" / "sweep.json"
    file.write_text(json.dumps({"sweep_id": "a1", "name": "mine", "arguments": words}))
    return file


def test_stopped_trials_go_on_in_the_call_that_says_so() -> None:
    asha, none, later = SweepConfig(stop="asha"), SweepConfig(stop="none"), SweepConfig()
    assert Called((asha, later), ()).options.stop == "asha"
    assert Called((asha, none), ()).options.stop == "none"
    assert Called((asha, none, later), ()).options.stop is None  # one that is stopped by hand now stays so


def test_figures_are_left_out_until_a_call_says_otherwise() -> None:
    none, later, again = SweepConfig(figures=False), SweepConfig(), SweepConfig(figures=True)
    assert Called((later,), ()).options.figures
    assert not Called((none, later), ()).options.figures
    assert Called((none, again), ()).options.figures


def test_a_resumed_sweep_has_the_flags_it_was_started_with(tmp_path: Path) -> None:
    settings = ("--set", "optim.lr=1e-3", "data.points=64")
    started(tmp_path, "--recipe", "quick", "--seeds", "0", "1", *settings, "--set", "pnp.amis_samples=16")
    words = ["--out", str(tmp_path), "--resume", "--seeds", "2"]
    called = called_of(backbones.parse(SweepConfig, "", words, "x"), words)
    first, second = called.commands
    assert (first.recipe, first.seeds, second.seeds) == (("quick",), (0, 1), (2,))
    assert first.settings == ["optim.lr=1e-3", "data.points=64", "pnp.amis_samples=16"]
    assert called.config.recipe == ("quick",)
    assert called.config.resume
    assert called.sweep is not None
    assert (called.sweep.name, called.sweep.sweep_id, called.words) == ("mine", "a1", words)


@pytest.mark.parametrize("text", ["", "[]", '{"sweep_id": "a1"}', '{"sweep_id": "a1", "arguments": 3}'])
def test_a_damaged_note_of_a_sweep_is_named(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started(tmp_path).write_text(text)
    assert backbones.main(["--out", str(tmp_path), "--resume"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "mine/sweep.json is damaged" in line
