"""Command lines from dataclasses: values, and one line for whatever is wrong."""

import importlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import tyro

from epropnp.command_line import YesNo, flags, parse, parse_command, run_program
from epropnp.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """A nested group of flags."""

    add: tuple[float, ...] = (0.1,)
    max_px: float = 5.0


@dataclass(frozen=True, kw_only=True)
class Flags:
    """One flag of each kind."""

    file: tyro.conf.Positional[Path]
    """What to read."""
    limits: Limits = field(default_factory=Limits)
    pretrained: YesNo = None
    list_all: bool = False


def read(*words: str) -> Flags:
    return parse(Flags, "About.", words, "prog")


def test_values() -> None:
    assert read("a") == Flags(file=Path("a"))
    assert read(
        "--limits.add", "1", "2", "--limits.max-px=3", "--list-all", "--pretrained", "no", "a"
    ) == Flags(file=Path("a"), limits=Limits(add=(1, 2), max_px=3), pretrained=False, list_all=True)
    assert read("a", "--pretrained").pretrained is True


def test_flags_are_those_that_can_be_typed() -> None:
    assert flags(Flags) == ["--limits.add", "--limits.max-px", "--pretrained", "--list-all"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "--limits.ad", "1"], "unknown flag --limits.ad; did you mean '--limits.add'?"),
        (["a", "--limits.max_pixel=1"], "unknown flag --limits.max_pixel=1; did you mean '--limits.max-px'?"),
        (["--list", "a"], "unknown flag --list; did you mean '--list-all'?"),
        (["--qqqq"], "unknown flag --qqqq"),
        (["a", "b"], "unexpected argument b"),
        ([], "Missing from prog: PATH What to read"),
        (["a", "--limits.max-px"], "Missing value for argument '--limits.max-px'. Expected 1 values"),
        (
            ["a", "--limits.max-px", "x"],
            "Error parsing --limits.max-px: could not convert string to float: 'x'",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(words: list[str], message: str) -> None:
    with pytest.raises(UserError) as error:
        read(*words)
    assert str(error.value) == f"{message}; see prog --help"


def test_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        read("--help")
    assert stop.value.code == 0
    assert "About." in capsys.readouterr().out


@dataclass(frozen=True, kw_only=True)
class Paint:
    """Paint a file."""

    limits: tyro.conf.OmitArgPrefixes[Limits] = field(default_factory=Limits)


COMMANDS: dict[str, type] = {"paint": Paint, "list": Flags}


def read_command(*words: str) -> object:
    return parse_command(COMMANDS, "About all.", words, "prog", default="paint")


def test_commands_have_their_own_flags() -> None:
    assert read_command("paint", "--max-px", "3") == read_command("--max-px", "3")
    assert read_command("paint") == Paint()
    assert read_command("list", "a", "--list-all") == Flags(file=Path("a"), list_all=True)
    assert flags(Paint) == ["--add", "--max-px"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lst", "a"], "unknown command 'lst'; did you mean 'list'? (valid: paint, list); see prog --help"),
        (["qqqq"], "unknown command 'qqqq' (valid: paint, list); see prog --help"),
        ([], "no command is given (valid: paint, list); see prog --help"),
        (["--max-p", "3"], "unknown flag --max-p; did you mean '--max-px'?; see prog paint --help"),
        (["list", "a", "--qqqq"], "unknown flag --qqqq; see prog list --help"),
    ],
)
def test_what_is_wrong_with_a_command_is_said_in_one_line(words: list[str], message: str) -> None:
    with pytest.raises(UserError) as error:
        read_command(*words)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("words", "heading"),
    [(["--help"], "About all."), (["-h"], "About all."), (["paint", "--help"], "Paint a file.")],
)
def test_help_of_all_commands_and_of_one(
    words: list[str], heading: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        read_command(*words)
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert heading in out
    assert ("{paint,list}" in out) == (heading == "About all.")


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        (None, 0, ""),
        (3, 3, ""),
        (UserError("no such file; name another"), 2, "error: no such file; name another\n"),
        (KeyboardInterrupt(), 130, "\nstopped: it goes on\n"),
    ],
)
def test_a_program_ends_with_a_code_and_at_most_one_line(
    end: int | BaseException | None, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> int | None:
        if isinstance(end, BaseException):
            raise end
        return end

    assert run_program(run, "stopped: it goes on") == code
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize("program", ["evaluate", "export", "predict"])
def test_ctrl_c_leaves_no_traceback(
    program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module(f"epropnp.{program}")

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, program, interrupted)
    assert module.main(["x"]) == 130
    assert capsys.readouterr().err.startswith("\nstopped")
