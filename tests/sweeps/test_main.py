"""`epropnp-sweeps COMMAND`: each command is handed its words, everything else is answered in one line."""

import pytest

from sweeps import backbones
from sweeps.__main__ import COMMANDS, main


def test_run_is_the_main_job(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []
    monkeypatch.setattr(backbones, "main", lambda words: given.append(words) or 75)
    assert main(["run", "--seeds", "1", "2"]) == 75
    assert main(["run"]) == 75
    assert given == [["--seeds", "1", "2"], []]


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_lists_the_commands_in_one_line(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("usage: epropnp-sweeps {run")
    assert all(name in line for name in COMMANDS)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no command is given"),
        (["rn", "--seeds", "1"], "unknown command 'rn'; did you mean 'run'?"),
        (["--seeds", "1"], "unknown command '--seeds'"),
    ],
)
def test_what_is_no_command_is_answered_in_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith(f"error: {message} (valid: run")
    assert line.endswith("; see epropnp-sweeps --help")
