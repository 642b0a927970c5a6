"""Command lines from dataclasses, by tyro: what a user types wrongly is answered with one line.

Shared by all programs; light, so that `--help` and a mistyped flag answer at once.
"""

import contextlib
import dataclasses
import functools
import inspect
import io
import operator
import sys
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import tyro

from epropnp.errors import UserError, nearest

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")


def _yes_or_no(words: list[str]) -> bool:
    if words not in ([], ["yes"], ["no"]):
        raise ValueError(f"'{' '.join(words)}' is neither yes nor no")
    return words != ["no"]


def _one_pattern(words: list[str]) -> str:
    if len(words) > 1:
        raise ValueError(f"'{' '.join(words)}' is more than one pattern; quote it")
    return words[0] if words else "*"


def shown_as(metavar: str) -> Any:
    """Annotation of a flag that may be left out, and whose help says what holds then."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="")


YesNo = Annotated[
    bool | None,
    tyro.constructors.PrimitiveConstructorSpec(
        nargs="*",
        metavar="[yes|no]",
        instance_from_str=_yes_or_no,
        is_instance=lambda value: value is None or isinstance(value, bool),
        str_from_instance=lambda value: [] if value is None else [["no", "yes"][value]],
    ),
    tyro.conf.arg(help_behavior_hint=""),
]

Pattern = Annotated[
    str | None,
    tyro.constructors.PrimitiveConstructorSpec(
        nargs="*",
        metavar="[PATTERN]",
        instance_from_str=_one_pattern,
        is_instance=lambda value: value is None or isinstance(value, str),
        str_from_instance=lambda value: [] if value is None else [value],
    ),
    tyro.conf.arg(help_behavior_hint=""),
]


INTERRUPTED = 130  # exit code after Ctrl-C, as shells have it


def run_program(run: Callable[[], int | None], stopped: str = "stopped") -> int:
    """Run a command line; what a user can mend is said in one line, without a traceback.

    Args:
        run: does all of it; None counts as 0.
        stopped: is said after Ctrl-C.

    Returns:
        The exit code: that of `run`, 2 for bad input, 130 after Ctrl-C.
    """
    try:
        return run() or 0
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write(f"\n{stopped}\n")
        return INTERRUPTED


def say(console: "Console", text: str) -> None:
    """A line as it is: paths and reasons may look like rich's markup, and are not folded."""
    console.print(text, soft_wrap=True, markup=False, highlight=False)


def parse(kind: type[T], description: str, args: Sequence[str], prog: str) -> T:
    """Read a config dataclass from command-line arguments.

    Raises:
        UserError: an unknown flag (naming the nearest), a missing or malformed value.
        SystemExit: with code 0, after `--help` was answered.
    """
    captured = io.StringIO()
    try:
        with contextlib.redirect_stderr(captured):
            config, unknown = tyro.cli(
                kind,
                prog=prog,
                description=description,
                args=list(args),
                return_unknown_args=True,
                config=(tyro.conf.FlagCreatePairsOff,),
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        # A mistyped flag also leaves the right one missing: name what the user typed.
        strangers = [word for word in args if word.startswith("--") and _flag(word) not in flags(kind)]
        message = _unknown(strangers[0], kind) if strangers else _first_sentence(captured.getvalue())
        raise UserError(f"{message}; see {prog} --help") from None
    sys.stderr.write(captured.getvalue())
    if unknown:
        raise UserError(f"{_unknown(unknown[0], kind)}; see {prog} --help")
    return config


def parse_command(
    kinds: Mapping[str, type[T]], description: str, args: Sequence[str], prog: str, default: str
) -> T:
    """Read one of several commands, each a config dataclass, from its name and its flags.

    Flags without a name are those of the command `default`.

    Raises:
        UserError: as `parse`; an unknown command (naming the nearest), or none.
        SystemExit: with code 0, after `--help` was answered, of a command or of all.
    """
    if args and args[0] in ("-h", "--help"):
        commands = [Annotated[kind, tyro.conf.subcommand(name)] for name, kind in kinds.items()]
        either: Any = functools.reduce(operator.or_, commands)
        tyro.cli(either, prog=prog, description=description, args=["--help"])
    name, rest = (default, args) if args and args[0].startswith("-") else ("".join(args[:1]), args[1:])
    if name not in kinds:
        found = f"unknown command '{name}'{nearest(name, kinds)}" if name else "no command is given"
        raise UserError(f"{found} (valid: {', '.join(kinds)}); see {prog} --help")
    return parse(kinds[name], inspect.getdoc(kinds[name]) or "", rest, f"{prog} {name}")


def console_or_file() -> "Console":
    """Where tables are printed: the terminal in its width, else lines of 200 columns.

    Texts are printed as they are: paths and reasons may look like rich's markup.
    """
    from rich.console import Console

    console = Console(markup=False, emoji=False)
    return console if console.is_terminal else Console(width=200, markup=False, emoji=False)


def flags(kind: type[Any]) -> list[str]:
    """All flags of a config dataclass, such as `--out` and, of a nested one, `--thresholds.add`."""
    return [f"--{name}" for name in _names(kind)]


def _names(kind: type[Any], prefix: str = "") -> Iterator[str]:
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        bare, *notes = typing.get_args(hint) if typing.get_origin(hint) is Annotated else (hint,)
        if dataclasses.is_dataclass(bare) and isinstance(bare, type):
            flat = tyro.conf.OmitArgPrefixes in notes
            yield from _names(bare, prefix if flat else f"{prefix}{_dashed(name)}.")
        elif tyro.conf.Positional not in notes:
            yield prefix + _dashed(name)


def _flag(word: str) -> str:
    """The flag in `--flag` and `--flag=value`."""
    return _dashed(word.partition("=")[0])


def spelled(word: str) -> str:
    """A word of a command line, a flag as it is documented: tyro takes `--dry_run` for `--dry-run`, too."""
    flag, equals, value = word.partition("=")
    return f"{_dashed(flag)}{equals}{value}" if word.startswith("--") else word


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _unknown(argument: str, kind: type[Any]) -> str:
    if not argument.startswith("-"):
        return f"unexpected argument {argument}"
    return f"unknown flag {argument}{nearest(_flag(argument), flags(kind))}"


def _first_sentence(box: str) -> str:
    """The message inside the box that tyro draws, as one line."""
    lines = [line.strip("│╭╮╰╯ ") for line in box.splitlines()]
    body = lines[1:] if lines and "─" in lines[0] else lines
    message: list[str] = []
    for line in body:
        if not line or line.startswith("─"):
            break
        message.append(line)
    text = " ".join(message).removesuffix(" (required)")
    return text.rstrip(".:") or "the command line cannot be read"
