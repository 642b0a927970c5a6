"""A trial's folder and its failures, as the driver reads them."""

import json
from pathlib import Path

import pytest

from epropnp.errors import UserError
from epropnp.training.config import TrialConfig
from sweeps.trial import one_line, prepare_folder, read_result

RAY = (
    "\x1b[36mray::ImplicitFunc.train()\x1b[39m (pid=30168, ip=127.0.0.1, actor_id=a1, repr=run_trial)\n"
    '  File "sweeps/trial.py", line 50, in run_trial\n    trainer.fit()\n'
    "RuntimeError: out of memory\n"
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (RAY, "RuntimeError: out of memory"),
        ("Traceback (most recent call last):\n  x\nValueError: no", "ValueError: no"),
        ("loss not finite\nmore", "loss not finite"),
    ],
)
def test_the_reason_of_a_failure_is_one_line(text: str, line: str) -> None:
    assert one_line(text) == line


def test_a_damaged_result_is_named(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text('{"recipe": ')
    with pytest.raises(UserError, match=r"result\.json: not a trial result"):
        read_result(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", json.dumps({"hash": "a", "dataset_id": "b"})])
def test_a_damaged_note_of_a_trial_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "trial.json").write_text(text)
    with pytest.raises(UserError, match=r"trial\.json is damaged"):
        prepare_folder(tmp_path, TrialConfig(), "0123456789ab")
