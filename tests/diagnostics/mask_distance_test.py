"""Distances of masks, counted by hand."""

import re

import numpy as np
import pytest

import tf_rigl


def test_distance_of_arrays():
    first = np.array([[True, False], [True, True]])
    assert tf_rigl.mask_distance(first, first) == 0
    assert tf_rigl.mask_distance(first, ~first) == 1
    assert tf_rigl.mask_distance(first, np.ones((2, 2), bool)) == 0.25


def test_all_positions_of_mappings_count_alike():
    first = {"a": np.zeros(2, bool), "b": np.zeros((2, 4), bool)}
    second = {"b": np.zeros((2, 4), bool), "a": np.ones(2, bool)}
    assert tf_rigl.mask_distance(first, second) == 0.2
    assert tf_rigl.mask_distance(second, first) == 0.2


ONE = np.ones(3, bool)


@pytest.mark.parametrize(
    ("first", "second", "error", "message"),
    [
        ({"a": ONE}, ONE, TypeError, "first of type <class 'dict'>"),
        ({"a": ONE}, {"b": ONE}, ValueError, "only in the first: ['a']"),
        ({}, {}, ValueError, "at least one"),
        ({"a": ONE}, {"a": ONE[1:]}, ValueError, "'a' bool[3] and bool[2]"),
        (ONE, ONE[:2], ValueError, "bool[3] and bool[2]"),
        (ONE, np.ones(3), ValueError, "`array != 0` is the mask"),
        (ONE[:0], ONE[:0], ValueError, "masks without any"),
    ],
)
def test_errors(first, second, error, message):
    with pytest.raises(error, match=re.escape(message)):
        tf_rigl.mask_distance(first, second)
