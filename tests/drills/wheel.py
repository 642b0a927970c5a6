"""Is the wheel whole? Installed without extras into an empty environment, the library must work.

    python tests/drills/wheel.py /tmp/wheel        # a new folder; it takes 7 GB, and minutes

It builds the wheel, installs it with the versions of `constraints.txt`, and tries away from the sources
that every module of `epropnp` can be imported, the docs' examples of the layer, `epropnp-evaluate` on
predictions of an older version, and that a sweep and a build say in one line what to install.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

ROOT = Path(__file__).parents[2]
PREDICTIONS = ROOT / "tests/sweeps/before/trials/test_resnet-deconv-mc0.05-seed0/predictions.parquet"
EVERY_MODULE = """
import importlib, pathlib, epropnp
root = pathlib.Path(epropnp.__path__[0])
files = [file.relative_to(root.parent).with_suffix("") for file in sorted(root.rglob("*.py"))]
for file in files:
    importlib.import_module(".".join(file.parts).removesuffix(".__init__"))
print(len(files), "modules in", root)
"""
RIGHT = """
assert torch.allclose(solution.pose.abs(), pose_true, atol=1e-3), solution.pose  # q and -q are one rotation
assert correspondences.weights.grad.isfinite().all()
"""  # of the docs' examples


@dataclass(frozen=True, kw_only=True)
class DrillConfig:
    """Where the environment goes."""

    out: Annotated[Path, tyro.conf.Positional]
    """A new folder; remove it afterwards."""


def call(folder: Path, *command: str | Path, code: int = 0) -> str:
    """What a program says when it runs in a folder; it has to end with this exit code."""
    words = [str(word) for word in command]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    started_s = time.perf_counter()
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, env=clean)
    said = (done.stdout + done.stderr).strip()
    if done.returncode != code:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}, not {code}:\n{said[-4000:]}")
    shown = " ".join(word.strip().partition("\n")[0] for word in words)
    print(f"{time.perf_counter() - started_s:6.1f} s  {shown}", flush=True)
    return said


def layer_examples() -> str:
    """The examples of docs/layer.md, one after the other."""
    page = (ROOT / "docs" / "layer.md").read_text()
    return "\n".join(re.findall(r"```python\n(.+?)```", page, re.DOTALL))


def installed(out: Path) -> Path:
    """The programs of an environment that holds the wheel and what it brings."""
    shutil.rmtree(ROOT / "build", ignore_errors=True)  # else what lies there would be in the wheel, too
    call(ROOT, sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", out, ".")
    (wheel,) = out.glob("epropnp_sweeps-*.whl")
    call(out, sys.executable, "-m", "venv", out / "venv")
    programs = out / "venv" / "bin"
    pinned = ("--constraint", ROOT / "constraints.txt")
    call(out, programs / "python", "-m", "pip", "install", "--quiet", "--no-compile", *pinned, wheel)
    return programs


def expect(said: str, wanted: str) -> None:
    """One line that ends as wanted."""
    if "\n" in said or not said.endswith(wanted):
        raise SystemExit(f"this is not one line that ends with {wanted}:\n{said}")
    print(f"          {said}")


def main(config: DrillConfig) -> int:
    config.out.mkdir(parents=True)
    out = config.out.resolve()
    programs = installed(out)
    python = programs / "python"
    found = call(out, python, "-m", "pip", "list", "--format", "freeze").splitlines()
    names = {line.partition("==")[0].lower() for line in found}
    print(f"          {len(names)} distributions")
    brought = names & {"ray", "mlflow", "optuna", "pandas", "trimesh", "embreex", "scikit-image"}
    if brought:
        raise SystemExit(f"the wheel brings {', '.join(sorted(brought))}, too")
    call(out, python, "-c", "import epropnp")
    print(f"          {call(out, python, '-c', EVERY_MODULE)}")
    call(out, python, "-c", layer_examples() + RIGHT)
    shutil.copy(PREDICTIONS, out)
    call(out, programs / "epropnp-evaluate", PREDICTIONS.name)
    if not (out / "scores.csv").is_file():
        raise SystemExit("epropnp-evaluate wrote no scores")
    for program in ("epropnp-train", "epropnp-evaluate", "epropnp-prepare", "epropnp-sweeps"):
        call(out, programs / program, "--help")
    call(out, programs / "epropnp-sweeps", "run", "--help")
    sweep = ("run", "--recipe", "quick", "--name", "a")
    expect(call(out, programs / "epropnp-sweeps", *sweep, code=2), "'epropnp-sweeps[sweeps,data]'")
    expect(call(out, python, "-m", "sweeps", *sweep, code=2), "'epropnp-sweeps[sweeps,data]'")
    build = ("build", "--objects", "cat")
    expect(call(out, programs / "epropnp-prepare", *build, code=2), "'epropnp-sweeps[data]'")
    print("the wheel is whole")
    return 0


if __name__ == "__main__":
    sys.exit(main(tyro.cli(DrillConfig, description=__doc__)))
