"""`make mutants`: does the suite notice small wrong changes, and how many of them, room by room?

Draws lines of a room and changes each a little (`sample.py`), runs the tests that run the line
(`covering.py`, `trying.py`), and lists what no test noticed. Each wrong change and what became of it lies in
a folder of its sample, so that a run can be stopped and taken up; what was noticed once is not run again,
what was not is, after tests or code have changed.

    make mutants ROOM=training N=40 SEED=0
    make mutants ROOM="training sweeps" SINCE=v1     drawn from v1; tests that are newer are counted apart

A mutant of a line that only processes of Ray or other subprocesses run counts as unnoticed: coverage does
not look into them.
"""

import argparse
import ast
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from scipy.stats import binomtest

from tests.mutants.covering import digest_of, measure
from tests.mutants.sample import ROOMS, ROOT, Mutant, git, sample
from tests.mutants.trying import Bench, read_outcome, try_all

EQUIVALENT = Path(__file__).with_name("equivalent.json")  # file -> change -> why no test can notice it
COPIED = ("epropnp", "pipelines", "sweeps", "tests", "docs", "infra", ".ci")


def main() -> int:
    """Run the command line."""
    arguments = _flags()
    try:
        with tempfile.TemporaryDirectory(prefix="mutants-") as place:
            for room in arguments.rooms:
                try_room(room, arguments, Path(place))
    except (ValueError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def try_room(room: str, arguments: argparse.Namespace, place: Path) -> None:
    """Try a room's sample and print what was noticed."""
    revision = git("rev-parse", "--short=10", arguments.since).strip()
    mutants = sample(room, arguments.count, arguments.seed, revision)
    folder = arguments.out.resolve() / f"{room}-seed{arguments.seed}-n{arguments.count}-{revision}"
    folder.mkdir(parents=True, exist_ok=True)
    copies = tuple(_copy(place / str(i)) for i in range(arguments.jobs))
    digest = digest_of(copies[0])
    pending = [(i, mutant) for i, mutant in enumerate(mutants) if not _settled(folder, i, digest)]
    if pending:
        covering = measure(
            _copy(arguments.out.resolve() / "tree"), arguments.out.resolve() / "all", arguments.jobs
        )
        old = frozenset(test for test in covering.seconds if _is_old(test, revision))
        bench = Bench(
            covering=covering, tree=digest, old=old, folder=folder, copies=copies, seconds=arguments.seconds
        )
        try_all(pending, bench)
    _report(room, folder, mutants)


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rooms", nargs="+", default=list(ROOMS), help="such as training; also pnp, pipelines"
    )
    parser.add_argument("--count", type=int, default=40, help="lines of each room")
    parser.add_argument("--seed", type=int, default=0, help="another one draws another sample")
    parser.add_argument("--since", default="HEAD", help="revision that the sample is drawn from")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--seconds", type=float, default=30.0, help="for the tests of one mutant")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/mutants"), help="receives patches and outcomes"
    )
    return parser.parse_args()


def _copy(tree: Path) -> Path:
    """The project as it is now, without what it has produced, at `tree`."""
    for name in (*COPIED, *(file.name for file in ROOT.iterdir() if file.is_file())):
        source, target = ROOT / name, tree / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            continue
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    return tree


def _settled(folder: Path, number: int, tree: str) -> bool:
    """Whether there is nothing to be learnt from trying a mutant again."""
    outcome = read_outcome(folder, number)
    return outcome is not None and (outcome.noticed or outcome.tree == tree)


@cache
def _unchanged(file: str, revision: str) -> frozenset[str]:
    """The functions of a file that read as they did at a revision."""
    now = _functions((ROOT / file).read_text())
    try:
        before = _functions(git("show", f"{revision}:{file}"))
    except ValueError:  # a newer file
        before = {}
    return frozenset(name for name, body in now.items() if before.get(name) == body)


def _is_old(test: str, revision: str) -> bool:
    file, _, name = test.partition("::")
    return name.partition("[")[0] in _unchanged(file, revision)


def _functions(code: str) -> dict[str, str]:
    nodes = ast.walk(ast.parse(code))
    return {node.name: ast.dump(node) for node in nodes if isinstance(node, ast.FunctionDef)}


def _report(room: str, folder: Path, mutants: Sequence[Mutant]) -> None:
    """The share that was noticed, and the mutants that were not, with what is known of them."""
    outcomes = [read_outcome(folder, i) for i in range(len(mutants))]
    print(f"\n{room}: {len(mutants)} mutants, patches in {folder}")
    for title, noticed in (
        ("tests that are as old as the sample", [o for o in outcomes if o and o.before]),
        ("all tests", [o for o in outcomes if o and o.noticed]),
    ):
        count = len(noticed)
        low, high = binomtest(count, len(mutants)).proportion_ci(method="wilson")
        share = f"{count / len(mutants):.0%} [{low:.0%}, {high:.0%}]"
        print(f"  noticed by {title}: {count} of {len(mutants)}, {share}")
    equivalent = json.loads(EQUIVALENT.read_text())
    for number, (mutant, outcome) in enumerate(zip(mutants, outcomes, strict=True)):
        if outcome and not outcome.noticed:
            why = equivalent.get(mutant.file, {}).get(mutant.change)
            known = f"equivalent: {why}" if why else outcome.by
            print(f"  {number:03d} {mutant.file}:{mutant.line}: {mutant.change}  ({known})")


if __name__ == "__main__":
    sys.exit(main())
