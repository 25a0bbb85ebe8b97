"""Convolutions by the library, by plain TensorFlow and by dense kernels."""

import numpy as np
import pytest
import tensorflow as tf

from tests.native import cases
from tf_rigl import native
from tf_rigl.backend import native_ops
from tf_rigl.backend import sparse_convolution
from tf_rigl.backend import sparse_ops
from tf_rigl.backend.sparse_convolution import Window

WINDOWS = {
    "same": Window((3, 2), (2, 1), padding="same"),
    "valid": Window((2, 3), (1, 2)),
    "dilated": Window((3, 3), dilations=(2, 1), padding="same"),
}
CHANNELS, OUTPUTS, CANDIDATES = 3, 6, 20


def slow(*values):
    return [pytest.param(one, marks=pytest.mark.slow) for one in values]


@pytest.fixture(params=["library", *slow("tensorflow")], autouse=True)
def _ways(request):
    if request.param == "library":
        if not native.available():
            pytest.skip(native.why_unavailable())
        yield
        return
    before = native.available()
    native.use(False)
    yield
    native.use(before)


def numbers(*shape):
    found = np.random.default_rng(len(shape)).integers(-3, 4, shape)
    return tf.constant(found, tf.float32)


def make_weight(window):
    size = (*window.size, CHANNELS, OUTPUTS)
    inputs = int(np.prod(size[:-1]))
    mask = np.random.default_rng(0).random(size) < 0.4
    positions = tf.constant(np.flatnonzero(mask), tf.int64)
    index, _ = sparse_ops.make_index(positions, (inputs, OUTPUTS))
    return size, mask, index


@pytest.mark.parametrize("name", ["same", *slow("valid", "dilated")])
@pytest.mark.parametrize("is_known", [True, *slow(False)])
def test_gradients_are_those_of_a_dense_kernel(name, is_known):
    window = WINDOWS[name]
    size, mask, index = make_weight(window)
    values = numbers(int(mask.sum()))
    bias, x = numbers(OUTPUTS), numbers(4, 7, 8, CHANNELS)
    candidates = []

    def sparse(x, values, bias):
        return sparse_convolution.convolve(
            x,
            values,
            index,
            bias,
            window,
            lambda one: candidates.append(one.grow(index, CANDIDATES)),
        )

    def dense(x, values, bias):
        kernel = tf.reshape(sparse_ops.dense(values, index), size)
        padding = window.padding.upper()
        strides, dilations = window.strides, window.dilations
        return (
            tf.nn.conv2d(x, kernel, strides, padding, dilations=dilations)
            + bias
        )

    shape = [None, *(x.shape[1:3] if is_known else [None] * 2), CHANNELS]

    @tf.function(
        input_signature=[
            tf.TensorSpec(shape),
            tf.TensorSpec(values.shape),
            tf.TensorSpec(bias.shape),
        ]
    )
    def differentiate(*arguments):
        results = []
        for function in (sparse, dense):
            with tf.GradientTape() as tape:
                tape.watch(arguments)
                y = function(*arguments)
                loss = tf.reduce_sum(y**2)
            results.append([y, *tape.gradient(loss, arguments)])
        return (*results, candidates[0])

    found, expected, (positions, scores) = differentiate(x, values, bias)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)

    with tf.GradientTape() as tape:
        kernel = tf.reshape(sparse_ops.dense(values, index), size)
        tape.watch(kernel)
        y = tf.nn.conv2d(
            x,
            kernel,
            window.strides,
            window.padding.upper(),
            dilations=window.dilations,
        )
        loss = tf.reduce_sum((y + bias) ** 2)
    gradient = np.abs(tape.gradient(loss, kernel)).reshape(-1, OUTPUTS)
    best = cases.best_inactive(
        gradient, mask.reshape(gradient.shape), CANDIDATES
    )
    np.testing.assert_array_equal(positions, best[0])
    np.testing.assert_array_equal(scores, best[1])


def test_the_gradient_is_registered():
    """As graphs of saved models need it."""
    if not native_ops.available():
        return
    _, mask, index = make_weight(Window((2, 2)))
    sizes = tf.constant([3, 3, CHANNELS, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0])
    x, values = numbers(2, 9 * CHANNELS), numbers(int(mask.sum()))
    bias = numbers(OUTPUTS)
    with tf.GradientTape() as tape:
        tape.watch([x, values, bias])
        y = native_ops.convolve(x, values, index, bias, sizes)
    found = tape.gradient(y, [x, values, bias])
    expected = native_ops.convolve_gradients(
        tf.ones_like(y), x, values, index, sizes
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
