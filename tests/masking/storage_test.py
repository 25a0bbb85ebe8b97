import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.masking.storage import DenseStorage

VALUES = np.array([[1.0, 2.0], [3.0, 4.0]], "float32")
MASK = np.array([[True, False], [True, True]])


@pytest.fixture
def storage():
    return DenseStorage(
        tf.Variable(np.where(MASK, VALUES, 0)), tf.Variable(MASK)
    )


def assert_holds(storage, mask, values):
    np.testing.assert_array_equal(storage.mask, mask)
    np.testing.assert_array_equal(storage.values(), values)


def test_what_it_tells(storage):
    assert_holds(storage, MASK, [[1, 0], [3, 4]])
    assert storage.shape == (2, 2)
    assert storage.dtype == tf.float32
    assert "CPU" in storage.device


def test_a_new_mask_keeps_the_values_of_what_stays(storage):
    mask = np.array([[False, True], [True, False]])
    storage.set(mask)
    assert_holds(storage, mask, [[0, 0], [3, 0]])


@pytest.mark.parametrize(
    "values", [10 * VALUES, tf.constant(10 * VALUES), np.float64(10 * VALUES)]
)
def test_a_new_mask_with_values(storage, values):
    mask = np.array([[False, True], [True, False]])
    storage.set(mask, values)
    assert_holds(storage, mask, [[0, 20], [30, 0]])


def test_values_that_are_not_finite_do_not_leak(storage):
    storage.set_values(np.array([[1, np.nan], [np.inf, 2]]))
    assert_holds(storage, MASK, [[1, 0], [np.inf, 2]])


def test_the_values_of_a_replica(storage):
    replica = tf.Variable(VALUES)
    other = storage.on(replica)
    other.set(np.eye(2, dtype=bool))
    # One mask, two variables.
    assert_holds(other, np.eye(2), [[1, 0], [0, 4]])
    assert_holds(storage, np.eye(2), [[1, 0], [3, 4]])


def test_a_function_captures_its_variables(storage):
    @tf.function
    def swap():
        storage.set(~storage.mask, tf.ones_like(storage.values()))

    swap()
    assert_holds(storage, ~MASK, ~MASK)
    captured = {id(v) for v in swap.get_concrete_function().variables}
    assert captured == {id(variable) for variable in storage.variables}


@pytest.fixture
def weight(keras):
    model = tf_rigl.sparsify(support.make_mlp(keras, (8,)), 0.5)
    return masked_weights(model)[0]


def test_a_weight_is_set_through_its_storage(weight):
    mask = np.zeros(weight.shape, bool)
    mask[0] = True
    weight.set_mask(mask, np.ones(weight.shape))
    assert weight.num_active() == mask.sum() == weight.shape[1]
    np.testing.assert_array_equal(weight.variable, mask)
    weight.set_values(np.full(weight.shape, 2))
    np.testing.assert_array_equal(weight.values(), 2 * mask)


@pytest.mark.parametrize(
    "mask",
    [np.ones((2, 3), bool), np.ones((20, 8)), tf.ones((20, 8)), True],
    ids=["shape", "floats", "tensor_of_floats", "scalar"],
)
def test_other_masks_are_refused(weight, mask):
    before = weight.mask.numpy()
    with pytest.raises(ValueError, match=r"must be bool .* Received: mask of"):
        weight.set_mask(mask)
    np.testing.assert_array_equal(weight.mask, before)


@pytest.mark.parametrize(
    "values", [np.zeros((3, 3)), 0.5, tf.zeros((20, 9))], ids=lambda _: ""
)
def test_other_values_are_refused_before_anything_changes(weight, values):
    mask, kept = weight.mask.numpy(), weight.values().numpy()
    with pytest.raises(ValueError, match=r"`values` must .* for each position"):
        weight.set_mask(~mask, values)
    np.testing.assert_array_equal(weight.mask, mask)
    np.testing.assert_array_equal(weight.values(), kept)


def test_training_goes_on_from_a_mask_that_was_set(keras):
    model = tf_rigl.sparsify(support.make_mlp(keras, (8,)), 0.5)
    for weight in masked_weights(model):
        weight.set_mask(np.roll(weight.mask.numpy(), 1, axis=0))
    masks = tf_rigl.masks(model)
    support.train(keras, model, None, epochs=1)
    support.assert_same_masks(tf_rigl.masks(model), masks)
    support.assert_masked(model, slots_too=False)
