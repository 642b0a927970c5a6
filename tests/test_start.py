"""Programs answer before anything heavy is loaded: help, and one line for whatever is mistyped."""

import subprocess
import sys
from pathlib import Path

import pytest

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
            ],
        ),
        (
            "sweeps.__main__",
            ["rn", "run --help", "run --sedes 1", "record --help", "record", "fetch --help", "fetch"],
        ),
        ("pipelines.prepare", ["--help", "build --help", "bild", "build --objcts cat", "build --workers x"]),
    ],
)
def test_answers_load_nothing_heavy(module: str, lines: list[str], tiny_dataset: Path) -> None:
    words = [[word.format(data=tiny_dataset) for word in line.split()] for line in lines]
    program = SAYS.format(module=module, lines=words, heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Examples:" in done.stdout
