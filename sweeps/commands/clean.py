"""`epropnp-sweeps clean`: remove what a sweep no longer needs."""

import contextlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from epropnp.claims import claimed
from epropnp.command_line import console_or_file, parse, shown_as
from epropnp.errors import UserError
from epropnp.evaluation.table import Column, Table, print_table
from epropnp.files import PARTIAL
from sweeps.commands.command import PROG, run_command
from sweeps.commands.find import runs, the_sweep
from sweeps.flags import SweepConfig
from sweeps.folder import RAY_FOLDER, Sweep
from sweeps.running.keep import KEEPS, USUAL, Keep, surplus

DESCRIPTION = """Remove what a sweep no longer needs: weights of finished and stopped trials by --keep, the
records of Ray, and files that a kill left half written. Results, predictions, pictures, tables and whatever
a trial that waits or failed could go on from stay. It shows first what goes, and asks.

  epropnp-sweeps clean mine
  epropnp-sweeps clean mine --keep none --yes
"""
UNFINISHED = ("*.tmp", PARTIAL)


@dataclass(frozen=True, kw_only=True)
class CleanConfig:
    """What goes."""

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME")]
    """Of the sweep."""
    keep: Annotated[Keep | None, shown_as(f"{{{','.join(KEEPS)}}}")] = None
    """Weights that each finished trial keeps, as of `run`. Default: what the sweep says, else best."""
    yes: bool = False
    """Do not ask."""
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")] = Path("runs")
    """Working folder of the sweeps."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; see `run_command` for the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    return run_command("clean", CleanConfig, DESCRIPTION, words, _clean)


def _clean(config: CleanConfig) -> None:
    sweep = the_sweep(config.out, config.name)
    with _held(sweep):
        found = not_needed(sweep, config.keep or keep_of(sweep))
        if not found:
            print(f"sweep {sweep.name}: there is nothing to remove")
            return
        console = console_or_file()
        print_table(clean_table(found, sweep.folder), console)
        if not (config.yes or _agreed()):
            print("nothing was removed")
            return
        for path in found:
            _remove(path)
        print("removed")


def not_needed(sweep: Sweep, keep: Keep) -> list[Path]:
    """Files and folders of a sweep that can go."""
    found = [each for folder in sweep.trial_folders() for each in surplus(folder, keep)]
    for folder in (sweep.folder, *sweep.trial_folders()):
        found += [file for pattern in UNFINISHED for file in sorted(folder.glob(pattern)) if file.is_file()]
    ray = sweep.folder / RAY_FOLDER
    return [*found, ray] if ray.is_dir() and not ray.is_symlink() else found


def keep_of(sweep: Sweep) -> Keep:
    """What the command lines of a sweep say, the last one first."""
    for words in reversed(sweep.commands):
        with contextlib.suppress(UserError):  # flags of another version
            keep = parse(SweepConfig, "", words, PROG).keep
            if keep is not None:
                return keep
    return USUAL


def clean_table(paths: Sequence[Path], folder: Path) -> Table:
    """What goes, and its size."""
    columns = [Column("removed", one_line=0), Column("size", kind="number", text=_megabytes)]
    rows = [(str(path.relative_to(folder)), size_of(path)) for path in paths]
    total = sum(size for _, size in rows)
    return Table(columns=columns, rows=rows, notes=[f"{_megabytes(total)} in {folder}"])


def size_of(path: Path) -> int:
    """Of a file, or of all files of a folder, in bytes."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if not file.is_symlink()]
    return sum(file.stat().st_size for file in files if file.is_file())


@contextlib.contextmanager
def _held(sweep: Sweep) -> Iterator[None]:
    """Nobody starts the sweep meanwhile. UserError while it runs."""
    running = UserError(f"sweep {sweep.name} runs: wait, or interrupt it by `{PROG} stop {sweep.name}`")
    if runs(sweep):
        raise running
    with claimed(sweep.folder):
        yield


def _agreed() -> bool:
    try:
        return input("remove these? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        raise UserError("nobody is there to answer: add --yes") from None


def _remove(path: Path) -> None:
    try:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path} cannot be removed ({error.strerror})") from None


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
