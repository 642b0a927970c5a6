"""Where all settings score the same, none of them is called the best."""

import numpy as np

from epropnp.evaluation.comparison import compare
from tests.evaluation.test_comparison import verdicts


def test_none_is_best_where_all_score_0() -> None:
    found = compare({"a": np.zeros((2, 99)), "b": np.zeros((2, 99))}, np.zeros(99))
    assert verdicts(found) == dict.fromkeys("ab", "not distinguishable")


def test_none_is_best_where_all_score_the_same() -> None:
    """Half of the images of two objects each, other ones in every setting; one alone is always the best."""
    objects, right = np.repeat([0, 1], 6), np.tile([100.0, 0.0], 6)
    same = {"a": right[None], "b": right[None, ::-1], "c": np.roll(right, 3)[None]}
    found = compare(same, objects)
    assert found.tied
    assert verdicts(found) == dict.fromkeys("abc", "not distinguishable")
    higher = compare(same | {"b": np.full((1, 12), 100.0)}, objects)
    assert not higher.tied
    assert verdicts(higher)["b"] == "best"
    many = {name: np.tile([100.0, 0.0], 100)[None] for name in "abc"}
    assert set(verdicts(compare(many, np.zeros(200))).values()) == {"equal within 5"}
    alone = compare({"a": right[None]}, objects)
    assert (alone.tied, verdicts(alone)) == (False, {"a": "best"})
