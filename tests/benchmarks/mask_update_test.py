import numpy as np
import pytest
import tensorflow as tf

from benchmarks import mask_update


def test_sorting_keeps_the_largest_and_grows_by_gradient():
    weights = tf.constant([[3.0, -2.0, 1.0], [0.0, 0.0, 0.0]])
    mask = tf.constant([[True, True, True], [False, False, False]])
    gradient = tf.constant([[9.0, 9.0, 0.5], [0.1, -4.0, 2.0]])
    updated = mask_update.by_sorting(weights, mask, gradient, tf.constant(1))
    expected = [[True, True, False], [False, True, False]]
    np.testing.assert_array_equal(updated, expected)


def test_masks_that_differ_are_an_error():
    mask = np.zeros(4, bool)
    one, other = np.eye(4, dtype=bool)[:2]
    updates = {
        "sorting": lambda: [tf.constant(one)],
        "selection": lambda: [tf.constant(other)],
    }
    with pytest.raises(ValueError, match="2 entries of 'selection' differ"):
        mask_update.check_same(updates, [mask])
