"""What `--search` may say: forms, kinds of numbers, ends and steps, and what is wrong with others."""

import pytest

from epropnp.errors import UserError
from sweeps.search.ranges import NumberRange, listed, searched
from sweeps.space import Axis


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("optim.lr=1e-5:1e-2:log", NumberRange(key="optim.lr", low=1e-5, high=1e-2, log=True)),
        ("optim.lr = 0:1", NumberRange(key="optim.lr", low=0.0, high=1.0)),
        ("data.points=128:1024:step128", NumberRange(key="data.points", low=128, high=1024, step=128)),
        ("optim.ema=0.9:0.99:step0.03", NumberRange(key="optim.ema", low=0.9, high=0.99, step=0.03)),
        ("optim.epochs=1:64:log", NumberRange(key="optim.epochs", low=1, high=64, log=True)),
        ("model.head=deconv,fpn,deconv", Axis.of("model.head", ["deconv", "fpn"])),
        ("optim.batch_size=8,16", Axis.of("optim.batch_size", ["8", "16"])),
        ("optim.clip_norm=none,5", Axis.of("optim.clip_norm", ["none", "5"])),
        ("model.pretrained=yes", Axis.of("model.pretrained", ["yes"])),
        ("build.train=100,1000", Axis.of("build.train", ["100", "1000"])),
    ],
)
def test_forms(text: str, expected: Axis | NumberRange) -> None:
    found = searched(text)
    assert found == expected
    if isinstance(found, NumberRange):
        assert found.whole == found.key.endswith(("points", "epochs"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("optim.lr", "none of KEY=A,B,C, KEY=LOW:HIGH, KEY=LOW:HIGH:log or KEY=LOW:HIGH:stepN"),
        ("optim.lr=", "none of KEY=A,B,C"),
        ("optim.lrr=1:2", "unknown setting 'optim.lrr'; did you mean 'optim.lr'?"),
        ("optim.lr=1:0.5", "begins with 1.0, which is not below 0.5"),
        ("optim.lr=1:1", "not below"),
        ("optim.lr=0:1:log", "no logarithm at 0.0"),
        ("optim.lr=1:2:step", "'' is not a number"),
        ("optim.lr=1:2:often", "none of KEY=A,B,C"),
        ("optim.lr=1:2:log:step1", "none of KEY=A,B,C"),
        ("optim.lr=1:nan", "'nan' is not a number"),
        ("optim.lr=-1:2", "-1.0 is not at least 0"),
        ("optim.ema=0.5:1", "1.0 is not from 0 to below 1"),
        ("data.points=1.5:8", "'1.5' is not a whole number"),
        (
            "data.points=128:1024:step100",
            "steps of 100 from 128 on do not end at 1024: nearest are 928 or 1028",
        ),
        ("data.points=128:200:step100", "nearest are 228"),
        ("data.points=128:1024:step-128", "a step of -128 leads from 128 away from 1024"),
        ("data.points=128:1024:step0", "a step of 0"),
        ("optim.lr=0.1:0.4:step0.2", "nearest are 0.3 or 0.5"),
        ("optim.batch_size=8,,16", "has a value that is empty"),
        ("optim.batch_size=8,much", "much"),
        ("optim.optimiser=adamw,sgd", "'sgd' is not one of rmsprop, adamw"),
        ("seed=0,1", "seed is no setting to search: each setting is tried with all of --seeds"),
        ("recipe=quick,paper", "--recipe A B compares recipes"),
        ("build.train=100:1000", "each value makes a dataset of its own: list those to try"),
        ("build.test=100,200", "decides what is tested"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(UserError) as found:
        searched(text)
    assert said in str(found.value)
    assert "\n" not in str(found.value)


def test_steps_are_exact_and_the_ends_belong_to_it() -> None:
    tenths = NumberRange(key="optim.ema", low=0.1, high=0.7, step=0.1)
    assert list(tenths.values()) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]  # 0.1 + 2 * 0.1 is no 0.3
    assert tenths.count == 7
    assert tenths.nearest(0.1 + 2 * 0.1) == 0.3
    assert all(value in tenths for value in tenths.values())
    assert [value in tenths for value in (0.35, 0.8, 0.0, "0.3", True)] == [False] * 5
    whole = NumberRange(key="data.points", low=4, high=7)
    assert list(whole.values()) == [4, 5, 6, 7]


def test_numbers_without_steps_are_drawn_in_digits_that_people_read_and_stay_inside() -> None:
    rates = NumberRange(key="optim.lr", low=0.00012345, high=0.98765, log=True)
    assert rates.nearest(0.0312345678) == 0.03123
    assert rates.nearest(0.00012345) == 0.00012345  # and not 0.0001234
    assert rates.nearest(0.98765) == 0.98765
    assert rates.count is None
    assert 0.0312345678 in rates  # such as one that somebody listed
    assert 1.0 not in rates


def test_a_grid_lists_what_has_an_end() -> None:
    points = NumberRange(key="data.points", low=128, high=384, step=128)
    assert listed(points) == Axis.of("data.points", [128, 256, 384])
    with pytest.raises(
        UserError, match=r"optim.lr: a grid has no end of numbers between 0.1 and 1.0: list them"
    ):
        listed(NumberRange(key="optim.lr", low=0.1, high=1.0))


def test_a_grid_that_nobody_could_train_is_refused_before_it_is_listed() -> None:
    with pytest.raises(
        UserError, match=r"optim.lr: a grid would have 1000000001 numbers of it: give a larger"
    ):
        listed(NumberRange(key="optim.lr", low=0.0, high=1.0, step=1e-9))
