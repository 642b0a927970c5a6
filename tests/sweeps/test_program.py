"""Hints that can be pasted into a shell."""

import shlex
from pathlib import Path

import pytest

from epropnp.command_line import parse
from sweeps.flags import SweepConfig
from sweeps.program import go_on_command


@pytest.mark.parametrize(
    ("called", "program"),
    [
        ("/somewhere/bin/epropnp-sweeps", ["epropnp-sweeps", "run"]),
        ("sweeps/backbones.py", ["python", "sweeps/backbones.py"]),
    ],
)
@pytest.mark.parametrize("address", [None, "ray://h:1"])
def test_a_command_goes_on_with_a_sweep_and_takes_other_flags(
    monkeypatch: pytest.MonkeyPatch, called: str, program: list[str], address: str | None
) -> None:
    monkeypatch.setattr("sys.argv", [called, "run"])
    out = Path("/my runs/it's [x]")
    words = shlex.split(f"{go_on_command('mine', out, address)} --check no --trials-at-once 1")
    assert words[:2] == program
    config = parse(SweepConfig, "", words[2:], "")
    assert (config.resume, config.name, config.out, config.ray_address) == (True, "mine", out, address)
    assert (config.check, config.trials_at_once) == (False, 1)
