"""Running trials in too few lines: as much of each as there is room for."""

import pytest

from sweeps.running.side_by_side import side_by_side
from sweeps.running.states import TrialState


def _drawn(count: int, width: int, lines: int, name: str = "trial") -> list[str]:
    trials = []
    for i in range(count):
        trial = TrialState(f"{name}{i}", 20)
        trial.start()
        trial.report({"epoch": 5, "epochs": 20, "metrics": {"val/add_0.10d": 12.34}}, 0.0)
        trials.append(trial)
    names = {trial: trial.name for trial in trials}
    return side_by_side(trials, names, dict.fromkeys(trials, 900.0), width, lines).plain.splitlines()


def test_what_fits_is_told() -> None:
    assert _drawn(2, 63, 1) == ["trial0 5/20 15 min 00 s 12.3 %   trial1 5/20 15 min 00 s 12.3 %"]
    assert _drawn(2, 62, 1) == ["trial0 5/20 15 min 00 s   trial1 5/20 15 min 00 s"]
    assert _drawn(2, 40, 1) == ["trial0 5/20   trial1 5/20"]
    assert _drawn(4, 40, 2) == ["trial0 5/20   trial1 5/20   trial2 5/20", "trial3 5/20"]


def test_names_give_way_to_trials() -> None:
    assert _drawn(2, 32, 1, "a_long_name_of_trial") == ["a_lo…ial0 5/20   a_lo…ial1 5/20"]


@pytest.mark.parametrize(("count", "width", "lines"), [(100, 80, 5), (7, 20, 3), (3, 10, 1)])
def test_what_has_no_room_at_all_is_counted(count: int, width: int, lines: int) -> None:
    found = _drawn(count, width, lines)
    assert len(found) == lines
    shown = sum(line.count("5/20") for line in found)
    assert f"and {count - shown} more" in found[-1]


def test_what_a_trial_does_besides_training_stands_for_its_epoch() -> None:
    trial = TrialState("a", 20)
    trial.start()
    assert side_by_side([trial], {trial: "a"}, {trial: None}, 80, 1).plain == "a starting ? -"
