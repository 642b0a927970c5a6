"""How a command runs: its flags are read, what a user can mend is said in one line."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from epropnp.command_line import parse, run_program

PROG = "epropnp-sweeps"
Config = TypeVar("Config")


def run_command(
    name: str, kind: type[Config], description: str, words: Sequence[str], run: Callable[[Config], None]
) -> int:
    """Read the flags of a command and run it; see `run_program` for the exit code."""
    return run_program(lambda: run(parse(kind, description, words, f"{PROG} {name}")))
