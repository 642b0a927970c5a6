"""What trials tell while they run, as the display keeps it."""

import pytest

from sweeps.running.states import SweepState, TrialState, counted


def _progress(epoch: int, step: int, doing: str = "running", **more: float) -> dict[str, object]:
    return {"doing": doing, "epoch": epoch, "step": step, "steps": 100, **more}


@pytest.mark.parametrize(
    ("epoch", "step", "position"),
    [
        (0, 0, "0/20"),
        (3, 0, "3/20"),
        (3, 45, "3.4/20"),
        (3, 99, "3.9/20"),
        (3, 100, "4.0/20"),
        (3, 4, "3.0/20"),
    ],
)
def test_how_far_a_trial_is_within_an_epoch(epoch: int, step: int, position: str) -> None:
    state = TrialState("a", 20)
    state.go_on(_progress(epoch, step))
    assert state.position == position


def test_a_trial_is_starting_until_it_says_something_and_testing_after_its_last_epoch() -> None:
    state = TrialState("a", 2)
    assert state.word == "waiting"
    state.start()
    assert state.word == "starting"
    state.go_on(_progress(0, 0, "validating"))
    assert state.word == "validating"
    state.report({"epoch": 0, "epochs": 2, "metrics": {}}, 0.0)
    assert state.word == "running"
    state.go_on(_progress(0, 50))
    assert state.word == "running"
    state.report({"epoch": 2, "epochs": 2, "metrics": {}}, 1.0)
    assert (state.word, state.position) == ("testing", "2/2")
    state.end("finished", 2.0)
    assert state.word == "finished"


def test_what_is_not_told_again_stays_and_a_new_process_has_figures_of_its_own() -> None:
    state = TrialState("a", 20)
    state.start()
    state.go_on(_progress(3, 10, loss=1.5, images_per_s=80.0, memory_bytes=2e9))
    state.go_on(_progress(3, 100, "validating", memory_bytes=3e9))
    assert (state.loss, state.images_per_s, state.memory_bytes) == (1.5, 80.0, 3e9)
    state.start()
    assert (state.loss, state.images_per_s, state.memory_bytes) == (1.5, None, None)
    assert state.position == "3/20"


def test_an_epoch_takes_as_long_as_from_report_to_report_whatever_is_told_between() -> None:
    state = TrialState("a", 20)
    state.start()
    state.report({"epoch": 0, "epochs": 20, "metrics": {}}, 100.0)
    state.go_on(_progress(0, 40))
    state.report({"epoch": 1, "epochs": 20, "metrics": {}}, 130.0)
    state.go_on(_progress(1, 10))
    assert state.seconds_per_epoch == 30.0
    assert state.seconds_left(140.0, None) == 19 * 30.0 - 10.0


def test_how_many_trials_stand_how() -> None:
    state = SweepState(dict.fromkeys("abcdef", 4), {}, {"a": "finished", "b": "stopped"}, at_once=2)
    assert state.counts == "1 of 6 finished, 1 stopped, 4 waiting"
    assert not state.heard
    state.trials["c"].start()
    assert not state.heard
    state.trials["c"].go_on(_progress(0, 1))
    assert state.heard
    state.trials["d"].end("failed", 1.0)
    state.trials["e"].status = "retrying"
    assert state.counts == "1 of 6 finished, 1 failed, 1 stopped, 1 running, 1 retrying, 1 waiting"
    assert counted([state.trials["c"], state.trials["f"]]) == ["1 running", "1 waiting"]
    assert counted([state.trials["a"]]) == ["1 finished"]
