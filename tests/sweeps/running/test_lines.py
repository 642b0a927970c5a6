"""Few lines in a file, against a clock that the test sets."""

import io

import pytest
from rich.console import Console

from sweeps.running import lines as module
from sweeps.running.lines import Lines
from sweeps.running.states import SweepState


class Log:
    """A sweep whose lines go to a file."""

    def __init__(self, trials: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module.time, "strftime", lambda form: "now")
        names = [f"t{i}" for i in range(trials)]
        self.file = io.StringIO()
        self.state = SweepState(dict.fromkeys(names, 20), {}, {}, at_once=2)
        self.lines = Lines(self.state, Console(file=self.file, width=60), 0.0)
        for name in names[:2]:
            self.state.trials[name].start()

    def step(self, name: str, now_s: float, step: int = 45, doing: str = "running", **more: float) -> None:
        told = {"doing": doing, "epoch": 3, "step": step, "steps": 100, **more}
        self.state.trials[name].go_on(told)
        self.lines.progress(name, now_s)

    def told(self) -> list[str]:
        found = self.file.getvalue().splitlines()
        self.file.seek(0)
        self.file.truncate()
        return found


def test_a_trial_has_one_line_a_minute_with_all_that_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(20, monkeypatch)
    log.step("t0", 10.0, loss=1.5, images_per_s=123.4, memory_bytes=12.3e9)
    assert log.told() == ["now  t0  epoch 3.4/20  loss 1.5  123 images/s  12.3 GB  left ?  sweep ?"]
    for second in range(11, 70):
        log.step("t0", float(second))
    assert log.told() == []
    log.step("t1", 69.0)
    log.step("t0", 70.0, step=100, doing="validating")
    assert [line.partition("  loss")[0] for line in log.told()] == [
        "now  t1  epoch 3.4/20  left ?  sweep ?",
        "now  t0  epoch 4.0/20  validating",
    ]


def test_an_hour_of_two_trials_is_sixty_lines_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(20, monkeypatch)
    for second in range(0, 3600, 2):
        log.step("t0", float(second))
        log.step("t1", second + 1.0)
    lines = log.told()
    assert [sum(f"  {name}  " in line for line in lines) for name in ("t0", "t1")] == [60, 60]


def test_above_twenty_trials_a_line_a_minute_tells_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(36, monkeypatch)
    for name in list(log.state.trials)[2:14]:
        log.state.trials[name].end("finished", 0.0)
    for second in range(0, 180, 2):
        log.step("t0", float(second))
        log.step("t1", float(second))
    log.state.trials["t0"].first_s = 192.0
    log.step("t1", 180.0)
    assert log.told() == [
        "now  12 of 36 finished, 2 running, 22 waiting; ? left",
        "now  12 of 36 finished, 2 running, 22 waiting; ? left",
        # 22 trials of 20 epochs and two of 17, by two
        "now  12 of 36 finished, 2 running, 22 waiting; 12 h 38 min left",
    ]


def test_what_happens_is_told_at_once_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(36, monkeypatch)
    state = log.state.trials["t0"]
    log.lines.tell(state, "started")
    state.loss, state.add_percent = 0.25, 45.67
    state.end("finished", 1.0)
    log.lines.ended(state, None, {"add_0.10d": 61.26, "add_area": 30.0, "5deg5cm": 5.04, "2deg2cm": 1.0})
    failed = log.state.trials["t1"]
    failed.loss = 1.0
    failed.end("failed", 1.0)
    log.lines.ended(failed, "a reason " * 10 + "[/x]", None)
    assert log.told() == [
        "now  t0  started",
        "now  t0  finished  loss 0.25  val ADD(-S) 0.10d 45.7 %  "
        "test ADD(-S) 0.10d 61.3 %, ADD(-S) area 30.0 %, 5deg5cm 5.0 %",
        "now  t1  failed: " + "a reason " * 10 + "[/x]",
    ]
