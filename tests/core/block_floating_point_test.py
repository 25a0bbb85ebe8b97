"""Block floating point numbers against their formula in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from tests.core import block_oracle
from tf_rigl.core import block_floating_point
from tf_rigl.core import random_masks

SEED = random_masks.stateless_seed(3, "layer/kernel", 7)
SHAPES = [(), (5,), (4, 33), (3, 3, 4, 6)]


def draw(shape, spread=1.0, seed=0):
    random = np.random.default_rng(seed)
    values = random.normal(size=shape) * 2.0 ** random.normal(0, spread, shape)
    return np.asarray(values, np.float32)


def quantized(values, bits, axis=0, seed=None):
    drawn = None
    if seed is not None:
        drawn = random_masks.random_bits(tf.shape(values), seed)
    return block_floating_point.quantize(values, bits, axis, drawn)


def numpy_of(values, *arguments):
    return quantized(tf.constant(values), *arguments).numpy()


@pytest.mark.parametrize("bits", [3, 8, 16])
@pytest.mark.parametrize("seed", [None, SEED])
def test_equals_the_formula(bits, seed):
    for shape in SHAPES:
        for axis in range(max(len(shape), 1)):
            for spread in (0, 1, 30):
                values = draw(shape, spread)
                found = numpy_of(values, bits, axis, seed)
                u = (
                    0.5
                    if seed is None
                    else block_oracle.noise(shape, bits, seed)
                )
                expected = block_oracle.quantize(values, bits, axis, u)
                np.testing.assert_array_equal(found, expected)
                assert found.dtype == np.float32


def test_clips_and_limits():
    """Numbers at the ends of a block, which the next exponent would hold."""
    values = np.array([[127.9, -127.9, 64], [1.999, -2, 1]], np.float32)
    found = numpy_of(values, 8)
    # Of the second, -2 has the larger exponent.
    assert found.tolist() == [[127, -128, 64], [2.0, -2, 1]]


@pytest.mark.parametrize("seed", [None, SEED])
def test_idempotent(seed):
    again = random_masks.stateless_seed(4, "other", 1)
    changed = 0
    for number in range(50):
        once = numpy_of(draw((6, 40), 2, number), 8, 0, seed)
        twice = numpy_of(once, 8, 0, None if seed is None else again)
        # The lowest integer is a power of two, the largest of its block.
        size = np.abs(once).max(1, keepdims=True)
        lowest = (once == -size) & (np.frexp(size)[0] == 0.5)
        held = ~lowest.any(1) | (once == size).any(1)
        np.testing.assert_array_equal(twice[held], once[held])
        changed += np.sum(~held)
    assert changed < 30  # of 300


def test_mean_is_that_of_the_values():
    values = draw((4, 8), 1)
    many = np.tile(values, 4000)  # in the same blocks
    found = numpy_of(many, 8, 0, SEED).reshape(4, 4000, 8).mean(1)
    scales = 2.0 ** (np.floor(np.log2(np.abs(values).max(1))) - 6)
    error = (found - values) / scales[:, None]
    # The standard deviation of a mean is at most 0.5 / √4000 = 0.008.
    assert np.abs(error).max() < 0.03
    assert abs(error.mean()) < 0.005


def test_zeros_stay():
    values = draw((64, 16))
    values[np.random.default_rng(1).random(values.shape) < 0.5] = 0
    values[3] = 0
    found = numpy_of(values, 8, 0, SEED)
    assert not found[values == 0].any()
    assert not np.signbit(found[values == 0]).any()


@pytest.mark.parametrize("bits", [8, 16])
def test_the_smallest_numbers(bits):
    values = np.float32(2.0) ** -np.arange(100, 150, dtype=np.float32)
    found = numpy_of(values[:, None], bits)
    steps = found / np.float32(2.0**-126)
    np.testing.assert_array_equal(steps, np.round(steps))
    assert np.all(np.abs(found[:, 0] - values) <= 2.0**-127)
    assert not found[values < 2.0**-127].any()


def test_what_is_not_finite():
    values = np.array([[1.0, np.nan, 0.3], [np.inf, 0.3, 1]], np.float32)
    found = numpy_of(values, 8)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(values))
    assert found[1, 0] == np.inf
    assert found[0, 2] == found[1, 1] == 19 / 64


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float64])
def test_other_types(dtype):
    values = tf.cast(draw((4, 9)), dtype)
    found = quantized(values, 8, 0, SEED)
    assert found.dtype == dtype
    np.testing.assert_array_equal(
        tf.cast(found, tf.float32),
        numpy_of(tf.cast(values, tf.float32).numpy(), 8, 0, SEED),
    )


@pytest.mark.parametrize("seed", [None, SEED])
@pytest.mark.parametrize("jit", [False, True])
def test_graphs_and_xla(jit, seed):
    @tf.function(jit_compile=jit)
    def quantize(values):
        return quantized(values, 8, -1, seed)

    for spread in (1, 40):
        values = draw((7, 5, 9), spread)
        np.testing.assert_array_equal(
            quantize(values), numpy_of(values, 8, 2, seed)
        )


def test_an_unknown_rank():
    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32)])
    def quantize(values):
        return block_floating_point.quantize(values, 8)

    with pytest.raises(ValueError, match="known by their rank"):
        quantize.get_concrete_function()
