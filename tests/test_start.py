"""Programs answer before anything heavy is loaded: help, and one line for whatever is mistyped."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "onnxruntime", "timm", "ray", "mlflow", "pandas", "scipy", "matplotlib"}
SAYS = """
import sys
from {module} import main
for words in {lines}:
    try:
        assert main(words) == 2, words
    except SystemExit as stop:  # as the library of command lines ends after help
        assert stop.code in (0, 2), words
    assert not {heavy} & set(sys.modules), words
"""


@pytest.mark.parametrize(
    ("module", "lines"),
    [
        (
            "epropnp.train",
            [
                "--help",
                "--dta x",
                "--recipe papr",
                "--list-settings optm.*",
                "--data {data} --out x --head depoconv",
                "--data {data} --out x --set optim.lrr=1",
                "--data {data} --out x --set optim.lr=-1",
            ],
        ),
        ("epropnp.evaluate", ["--help", "p --thrsholds.add 1", "p --thresholds.add -1"]),
        (
            "epropnp.predict",
            [
                "--help",
                "best.pt --imag x",
                "best.pt --image {picture} --camera {camera} --box 310,200",
                "best.pt --image none.png --camera {camera} --box 1,2,3,4",
                "best.pt --image {picture} --camera {picture} --box 1,2,3,4",
                "best.pt --image {picture} --camera none.json --box 1,2,3,4",
            ],
        ),
        ("epropnp.export", ["--help", "p --outptu x", "p --output p.onx", "p.onnx"]),
        (
            "sweeps.backbones",
            [
                "--help",
                "--sedes 1",
                "--recipe papr",
                "--list-settings optm.*",
                "--objects ct",
                "--set optim.lrr=1",
                "--set optim.lr=-1",
                "--recipe quick --set optim.accumulate=3",
                "--recipe quick --heads depoconv",
                "--recipe quick --name x --out {there}",
            ],
        ),
        ("sweeps.compare", ["--help", "--bset 2", "--best 0"]),
        (
            "sweeps.__main__",
            ["rn", "run --help", "run --sedes 1", "record --help", "record", "fetch --help", "fetch"],
        ),
        ("pipelines.prepare", ["--help", "build --help", "bild", "build --objcts cat", "build --workers x"]),
    ],
)
def test_answers_load_nothing_heavy(
    module: str, lines: list[str], tiny_dataset: Path, tmp_path: Path
) -> None:
    (tmp_path / "K.json").write_text("[500, 0, 320, 0, 500, 240, 0, 0, 1]")
    Image.new("RGB", (640, 480)).save(tmp_path / "x.png")
    (tmp_path / "x").mkdir()
    places = {
        "there": tmp_path,
        "data": tiny_dataset,
        "picture": tmp_path / "x.png",
        "camera": tmp_path / "K.json",
    }
    words = [[word.format(**places) for word in line.split()] for line in lines]
    program = SAYS.format(module=module, lines=words, heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Examples:" in done.stdout


@pytest.mark.parametrize(
    "program",
    [
        ["-m", "epropnp.train"],
        ["-m", "epropnp.predict", "--help"],
        ["-m", "epropnp.evaluate"],
        ["-m", "epropnp.export"],
        ["-m", "sweeps", "list"],
        ["-m", "pipelines.prepare"],
        ["sweeps/backbones.py", "--help"],
        ["pipelines/prepare.py", "build"],
    ],
    ids=" ".join,
)
def test_a_python_without_the_project_is_told_so_in_one_line(program: list[str]) -> None:
    bare = [sys.executable, "-S"]  # without what is installed
    done = subprocess.run(
        [*bare, *program], cwd=ROOT, env={}, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: tyro is not installed for this Python ({sys.executable}); "
        "run make install, then . .venv/bin/activate\n"
    )


def test_the_library_itself_asks_for_no_program(tmp_path: Path) -> None:
    script = tmp_path / "own.py"
    script.write_text("import epropnp.errors\nprint(epropnp.errors.nearest('a', 'a'))")
    done = subprocess.run(
        [sys.executable, "-S", str(script)],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "; did you mean 'a'?\n"), done.stderr
