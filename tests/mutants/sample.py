"""A sample of mutants: one small wrong change each, to lines that are drawn from a room at some revision.

The changes are mutmut's (an operator swapped, an argument dropped, a number moved by one ...). They are kept
as patches, which apply where lines have moved since: a sample can be repeated when tests and code have grown.
"""

import difflib
import random
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

ROOT = Path(__file__).parents[2]
ROOMS = ("training", "losses", "evaluation", "models", "data", "sweeps")
# Their mutants are no changes of behaviour: types, texts for people, what runs before there is a test.
SKIPPED = (
    cst.Annotation,
    cst.Decorator,
    cst.Import,
    cst.ImportFrom,
    cst.Raise,
    cst.Param,
    cst.FormattedString,
)


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One wrong change.

    Attributes:
        file: relative to the project's root.
        line: of `file` at the sample's revision.
        patch: unified diff.
    """

    file: str
    line: int
    patch: str

    @property
    def change(self) -> str:
        """What is wrong, on one line: the old code and the new."""
        lines = self.patch.splitlines()[2:]
        return "  ->  ".join(
            " ".join(" ".join(line[1:].split()) for line in lines if line.startswith(sign)) for sign in "-+"
        )


def sample(room: str, count: int, seed: int, revision: str) -> list[Mutant]:
    """`count` lines of a room with one mutant each; the same ones for the same room, seed and revision.

    Raises:
        ValueError: there is no such room or revision.
    """
    choices = random.Random(f"{room} {seed}")
    sources = _sources(room, revision)
    changes = {(file, line): made for file, code in sources.items() for line, made in _changes(code).items()}
    drawn = choices.sample(sorted(changes), min(count, len(changes)))
    return [
        Mutant(file=file, line=line, patch=_patch(file, sources[file], choices.choice(changes[file, line])))
        for file, line in sorted(drawn)
    ]


def git(*words: str) -> str:
    """What git prints. ValueError with its complaint where it refuses."""
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def _sources(room: str, revision: str) -> dict[str, str]:
    """Code of a room's modules by file."""
    names = git("ls-tree", "-r", "--name-only", revision).splitlines()
    places = (f"epropnp/{room}/", f"pipelines/{room}/", f"{room}/")
    found = [name for name in names if name.startswith(places) and name.endswith(".py")]
    if not found:
        more = "pnp, pipelines and its rooms, such as readers"
        raise ValueError(f"no room '{room}' at {revision}; there are {', '.join(ROOMS)}, {more}")
    return {name: git("show", f"{revision}:{name}") for name in found}


@dataclass(frozen=True)
class _Change:
    """A node of a module, and what stands in its place."""

    module: cst.Module
    right: cst.CSTNode
    wrong: cst.CSTNode


def _changes(code: str) -> dict[int, list[_Change]]:
    """What mutmut would change in a module, by line."""
    visitor = _Visitor()
    module = MetadataWrapper(cst.parse_module(code)).visit(visitor)
    changes = defaultdict(list)
    for line, right, wrong in visitor.found:
        changes[line].append(_Change(module, right, wrong))
    return changes


class _Visitor(cst.CSTVisitor):
    """Collects what mutmut would change in the bodies of functions."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, cst.CSTNode, cst.CSTNode]] = []
        self._depth = 0

    def on_visit(self, node: cst.CSTNode) -> bool:
        self._depth += isinstance(node, cst.FunctionDef | cst.Lambda)
        if isinstance(node, SKIPPED) or _is_text(node):
            return False
        if self._depth:
            line = self.get_metadata(PositionProvider, node).start.line
            self.found += [(line, node, wrong) for wrong in _wrong_versions(node)]
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        self._depth -= isinstance(original_node, cst.FunctionDef | cst.Lambda)


def _wrong_versions(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    for kind, operator in mutation_operators:
        if isinstance(node, kind):
            yield from operator(node)


def _is_text(node: cst.CSTNode) -> bool:
    """Whether a string has words: a text for people, a docstring; not a key."""
    return isinstance(node, cst.SimpleString) and " " in node.value


def _patch(file: str, code: str, change: _Change) -> str:
    wrong = change.module.deep_replace(change.right, change.wrong)
    assert isinstance(wrong, cst.Module)
    before, after = code.splitlines(keepends=True), wrong.code.splitlines(keepends=True)
    return "".join(difflib.unified_diff(before, after, f"a/{file}", f"b/{file}"))
