"""Averages over objects and their variances, worked out by hand."""

import numpy as np
import pytest

from epropnp.evaluation.by_object import (
    Variance,
    average,
    combined,
    images_by_object,
    known_variance,
    resampling_variance,
    sampling_variance,
)

OBJECTS = images_by_object(np.array([7, 3, 7, 3, 3]))
VALUES = np.array([10.0, 3, 30, 6, 9])  # 7: mean 20, squares 200; 3: mean 6, squares 18


def test_objects_weigh_alike() -> None:
    assert [list(images) for images in OBJECTS] == [[1, 3, 4], [0, 2]]
    assert average(VALUES, OBJECTS) == pytest.approx((20 + 6) / 2)
    assert average(np.stack([VALUES, VALUES + 1]), OBJECTS) == pytest.approx([13, 14])


def test_variances_of_the_average_over_images() -> None:
    """Within objects 200 / 1 and 18 / 2, over their 2 and 3 images, over 2 objects squared."""
    assert sampling_variance(VALUES, OBJECTS) == pytest.approx((200 / 2 + 9 / 3) / 4)
    assert resampling_variance(VALUES, OBJECTS) == pytest.approx((100 / 2 + 6 / 3) / 4)
    terms = np.array([200 / 2, 9 / 3]) / 4
    found = known_variance(VALUES, OBJECTS)
    assert found.value == pytest.approx(terms.sum())
    assert found.dof == pytest.approx(terms.sum() ** 2 / (terms[0] ** 2 / 1 + terms[1] ** 2 / 2))


def variance(value: float, dof: float) -> Variance:
    return Variance(value=np.array(value), dof=np.array(dof))


def test_one_object_has_the_degrees_of_freedom_of_the_textbook() -> None:
    found = known_variance(np.array([[1.0, 4, 4, 7], [0, 0, 0, 8]]), [np.arange(4)])
    assert found.value == pytest.approx([18 / 3 / 4, 48 / 3 / 4])
    assert found.dof == pytest.approx([3, 3])


def test_images_that_agree_have_all_degrees_of_freedom() -> None:
    assert vars(known_variance(np.zeros(5), OBJECTS)) == {"value": 0, "dof": 3}


def test_an_object_with_one_image_varies_as_the_others_do() -> None:
    """Within the others (200 + 18) / 3."""
    objects = images_by_object(np.array([7, 3, 7, 3, 3, 5]))
    values = np.append(VALUES, 50.0)
    assert sampling_variance(values, objects) == pytest.approx((200 / 2 + 9 / 3 + 218 / 3) / 9)
    assert 1 <= known_variance(values, objects).dof <= 3


def test_one_image_of_every_object_says_nothing_about_others() -> None:
    objects = images_by_object(np.arange(4))
    assert sampling_variance(np.zeros(4), objects) == np.inf
    assert known_variance(np.zeros(4), objects).value == np.inf


def test_sums_have_the_degrees_of_freedom_of_welch() -> None:
    for parts, value, dof in (
        ([variance(1, 4), variance(1, 4)], 2, 8),
        ([variance(1, 2), variance(3, 6)], 4, 16 / (1 / 2 + 9 / 6)),
        ([variance(0, 3), variance(1, 4)], 1, 4),
        ([variance(0, 3), variance(0, 3)], 0, 1),
        ([variance(1, 3), variance(np.inf, 3)], np.inf, 1),
    ):
        found = combined(parts)
        assert found.value == value
        assert found.dof == pytest.approx(dof)
