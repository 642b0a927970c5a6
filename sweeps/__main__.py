"""`epropnp-sweeps COMMAND ...` or `python -m sweeps COMMAND ...`: every command has flags of its own."""

import sys
from collections.abc import Sequence
from importlib import import_module

from epropnp.errors import nearest

PROG = "epropnp-sweeps"
COMMANDS = {  # the module whose `main` runs the command: only that one is imported
    "run": "sweeps.backbones",
    "list": "sweeps.commands.list",
    "status": "sweeps.commands.status",
    "stop": "sweeps.commands.stop",
    "clean": "sweeps.commands.clean",
    "ui": "sweeps.tracking.ui",
    "record": "sweeps.tracking.record",
    "fetch": "sweeps.tracking.fetch",
    "compare": "sweeps.compare",
}
USAGE = f"usage: {PROG} {{{','.join(COMMANDS)}}} ...; {PROG} COMMAND --help lists the flags of one"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code, or 2 where there is no such command."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    name, words = "".join(given[:1]), given[1:]
    if name in ("-h", "--help"):
        print(USAGE)
        return 0
    if name not in COMMANDS:
        found = f"unknown command '{name}'{nearest(name, COMMANDS)}" if name else "no command is given"
        print(f"error: {found} (valid: {', '.join(COMMANDS)}); see {PROG} --help", file=sys.stderr)
        return 2
    return int(import_module(COMMANDS[name]).main(words))


if __name__ == "__main__":
    sys.exit(main())
