"""When a setting is stopped: rungs, halving and medians, against numbers counted by hand."""

import pytest

from sweeps.search.stopping import Rule, judged, mean_at, rungs, why_idle, why_stopped


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [(1, []), (2, [1]), (3, [1]), (9, [1, 3]), (10, [2, 4]), (20, [3, 7]), (30, [4, 10]), (160, [18, 54])],
)
def test_rungs_are_a_ninth_and_a_third_rounded_up(epochs: int, expected: list[int]) -> None:
    assert rungs(epochs) == expected


def flat(**values: float) -> dict[str, list[list[float]]]:
    """Settings of one seed each, which has come to epoch 3 of 9 with one score throughout."""
    return {name: [[value] * 4] for name, value in values.items()}


def test_of_each_rung_the_best_third_goes_on() -> None:
    curves = flat(a=10, b=20, c=30, d=40, e=50, f=60)
    going = [name for name in curves if why_stopped("asha", name, curves, 3, 9) is None]
    assert going == ["e", "f"]
    said = why_stopped("asha", "d", curves, 3, 9)
    assert said == "asha: 40.00 after epoch 3 is below 50.00, which the best 2 of 6 settings have"
    four = {name: curves[name] for name in "abcd"}
    assert [name for name in four if why_stopped("asha", name, four, 3, 9) is None] == ["c", "d"]


def test_who_comes_first_goes_on_and_equals_do() -> None:
    assert why_stopped("asha", "a", flat(a=1), 3, 9) is None
    assert why_stopped("asha", "a", flat(a=1, b=1), 3, 9) is None
    assert why_stopped("asha", "a", flat(a=1, b=2), 3, 9) is not None
    assert why_stopped("asha", "b", flat(a=1, b=2), 3, 9) is None


def test_only_rungs_are_looked_at_and_only_those_who_came_there() -> None:
    curves = flat(a=1, b=2)
    assert [epoch for epoch in range(10) if why_stopped("asha", "a", curves, epoch, 9)] == [1, 3]
    ahead = {"a": [[1.0] * 4], "b": [[2.0] * 2]}
    assert why_stopped("asha", "a", ahead, 3, 9) is None
    assert why_stopped("asha", "a", ahead, 1, 9) is not None


def test_a_setting_has_the_mean_of_the_seeds_that_have_come() -> None:
    seeds = [[10.0, 20.0, 30.0], [20.0, 40.0]]
    assert [mean_at(seeds, epoch) for epoch in range(4)] == [15.0, 30.0, 30.0, None]
    curves = {"a": [[0.0, 10.0], [0.0, 30.0]], "b": [[0.0, 19.0]]}
    assert why_stopped("asha", "a", curves, 1, 9) is None  # 20 beside 19
    assert why_stopped("asha", "b", curves, 1, 9) is not None


def test_below_the_median_of_the_others_it_is_stopped() -> None:
    curves = {"b": [[90, 80, 10]], "c": [[0, 0, 20]], "d": [[0, 0, 30]]}  # what they have after epoch 2
    for score, stopped in ((20.1, False), (20, False), (19.9, True)):
        said = why_stopped("median", "a", curves | {"a": [[0, score, 1]]}, 2, 18)
        assert (said is not None) == stopped  # its best so far counts, not its last
    assert said == "median: 19.90 up to epoch 2 is below 20.00, the median of 3 other settings"


def test_a_median_needs_three_others_and_a_ninth_of_the_training() -> None:
    curves = {name: [[50.0] * 3] for name in "bcd"} | {"a": [[0.0] * 3]}
    assert why_stopped("median", "a", curves, 2, 18) is not None
    assert why_stopped("median", "a", curves, 1, 18) is None  # too early
    assert why_stopped("median", "a", {name: curves[name] for name in "abc"}, 2, 18) is None
    assert why_stopped("median", "a", curves | {"d": [[50.0]]}, 2, 18) is None  # which has not come so far


@pytest.mark.parametrize("rule", ["asha", "median", "none"])
def test_at_its_end_nothing_is_stopped(rule: str) -> None:
    curves = {name: [[50.0] * 10] for name in "bcde"} | {"a": [[0.0] * 10]}
    assert why_stopped(rule, "a", curves, 9, 9) is None  # type: ignore[arg-type]
    assert (why_stopped(rule, "a", curves, 3, 9) is None) == (rule == "none")  # type: ignore[arg-type]


@pytest.mark.parametrize("epochs", [1, 2, 9, 10])
@pytest.mark.parametrize("rule", ["asha", "median", "none"])
def test_judged_are_the_epochs_that_may_be_the_last(rule: Rule, epochs: int) -> None:
    curves = {name: [[50.0] * 20] for name in "bcde"} | {"a": [[0.0] * 20]}
    stopping = [e for e in range(20) if why_stopped(rule, "a", curves, e, epochs) is not None]
    assert stopping == list(judged(rule, epochs))


@pytest.mark.parametrize(
    ("rule", "epochs", "settings", "why"),
    [
        ("asha", [1], 9, "with 1 epoch it has nothing to judge before the last"),
        ("median", [1], 9, "with 1 epoch it has nothing to judge before the last"),
        ("asha", [1, 2], 2, None),
        ("asha", [9], 1, "it compares a setting with another one, and there is 1 in all"),
        ("median", [9], 3, "it compares a setting with at least 3 others, and there are 3 in all"),
        ("median", [9], 4, None),
    ],
)
def test_a_rule_that_can_stop_nothing_has_a_reason(
    rule: Rule, epochs: list[int], settings: int, why: str | None
) -> None:
    assert why_idle(rule, epochs, settings) == why
    curves = {str(k): [[float(k)] * (max(epochs) + 1)] for k in range(settings)}
    found = [why_stopped(rule, "0", curves, e, each) for each in epochs for e in range(each + 1)]
    assert all(each is None for each in found) == (why is not None)
