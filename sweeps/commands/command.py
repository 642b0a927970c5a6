"""How a command runs: its flags are read, what a user can mend is said in one line."""

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from epropnp.command_line import parse
from epropnp.errors import UserError
from sweeps.running.signals import CTRL_C

PROG = "epropnp-sweeps"
Config = TypeVar("Config")


def run_command(
    name: str, kind: type[Config], description: str, words: Sequence[str], run: Callable[[Config], None]
) -> int:
    """Read the flags of a command and run it; exit code 0, 2 (bad input) or 130 (Ctrl-C)."""
    try:
        run(parse(kind, description, words, f"{PROG} {name}"))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return CTRL_C
    return 0
