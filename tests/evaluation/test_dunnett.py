"""Comparisons of the best with all others, against printed tables, Student's t, scipy and simulation."""

import numpy as np
import pytest
from scipy import stats

from epropnp.evaluation.dunnett import critical_values_of_best


def critical_value(count: int, dof: float, level: float) -> float:
    (value,) = critical_values_of_best(count, np.array([dof]), level)
    return float(value)


@pytest.mark.parametrize(
    ("others", "dof", "expected"),
    [(1, 10, 1.81), (2, 10, 2.15), (3, 10, 2.34), (9, 10, 2.81), (4, 20, 2.30), (9, 1e8, 2.42)],
)
def test_it_is_that_of_dunnetts_table(others: int, dof: float, expected: float) -> None:
    """One-sided, 95 %: table 1a of the paper of 1955."""
    assert critical_value(others + 1, dof, 0.95) == pytest.approx(expected, abs=0.0051)


@pytest.mark.parametrize("dof", [1.0, 1.7, 5.0, 40.0])
def test_of_two_means_it_is_student_t(dof: float) -> None:
    assert critical_value(2, dof, 0.98) == pytest.approx(stats.t.ppf(0.98, dof), rel=1e-4)


def test_scipy_agrees() -> None:
    """The t's share one mean: their correlation is one half."""
    shape = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    value = critical_value(4, 7, 0.99)
    found = stats.multivariate_t.cdf(np.full(3, value), shape=shape, df=7, random_state=0)
    assert found == pytest.approx(0.99, abs=3e-4)
