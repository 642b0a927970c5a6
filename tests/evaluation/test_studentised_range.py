"""The studentised range against scipy, Student's t, and a printed table."""

import numpy as np
import pytest
from scipy import stats

from epropnp.evaluation.studentised_range import critical_values


def critical_value(count: int, dof: float, level: float) -> float:
    (value,) = critical_values(count, np.array([dof]), level)
    return float(value)


@pytest.mark.parametrize(
    ("count", "dof", "level"),
    [(2, 10.3, 0.95), (3, 1.0, 0.95), (4, 8.7, 0.9), (16, 300.2, 0.95), (40, 2.2, 0.9)],
)
def test_scipy_agrees(count: int, dof: float, level: float) -> None:
    known = stats.studentized_range.ppf(level, count, dof) / 2**0.5
    assert critical_value(count, dof, level) == pytest.approx(known, rel=1e-5)


@pytest.mark.parametrize("dof", [1.0, 1.7, 5.0, 40.0, 1e5])
def test_of_two_means_it_is_student_t(dof: float) -> None:
    assert critical_value(2, dof, 0.95) == pytest.approx(stats.t.ppf(0.975, dof), rel=1e-4)


def test_it_is_that_of_printed_tables() -> None:
    """Of 95 %: 3.877 for 3 means and 10 degrees of freedom, 4.94 for 8 and 15, 4.286 for 8 and infinity."""
    for count, dof, q in ((3, 10, 3.877), (8, 15, 4.94), (8, 1e8, 4.286)):
        assert critical_value(count, dof, 0.95) * 2**0.5 == pytest.approx(q, abs=2e-3)


def test_each_number_of_degrees_of_freedom_has_its_own() -> None:
    dofs = [1.0, 2.5, 300.0]
    found = critical_values(5, np.array(dofs), 0.9)
    assert found == pytest.approx([critical_value(5, dof, 0.9) for dof in dofs], rel=1e-9)
