"""Products with sparse weights, by the native library and without it."""

import numpy as np
import pytest
import tensorflow as tf

from tf_rigl import native
from tf_rigl.backend import native_ops
from tf_rigl.backend import sparse_ops


@pytest.fixture(params=["tensorflow", "native"])
def is_native(request):
    """Both ways to compute, if there are both."""
    wanted = request.param == "native"
    if wanted and not native_ops.available():
        pytest.skip(f"no native library: {native.why_unavailable()}")
    native.use(wanted)
    yield wanted
    native.use(True)


class Weight:
    """A sparse weight of small integers, whose sums are exact."""

    def __init__(self, shape, density, batch, seed=0):
        rng = np.random.default_rng(seed)
        self.inputs, self.outputs = shape
        size = self.inputs * self.outputs
        self.mask = rng.permutation(size) < round(density * size)
        positions = rng.permutation(np.flatnonzero(self.mask))
        self.index, order = sparse_ops.make_index(tf.constant(positions), shape)
        self.positions = positions[order.numpy()]
        self.values = self._draw(rng, len(positions))
        self.x = self._draw(rng, (batch, self.inputs))
        self.dy = self._draw(rng, (batch, self.outputs))
        self.bias = self._draw(rng, self.outputs)

    @staticmethod
    def _draw(rng, shape):
        return tf.constant(rng.integers(-3, 4, shape).astype("float32"))

    @property
    def dense(self):
        flat = np.zeros(self.mask.size, "float32")
        flat[self.positions] = self.values
        return flat.reshape(self.inputs, self.outputs)


@pytest.fixture(params=[((5, 3), 0.4, 2), ((40, 17), 0.2, 9)])
def weight(request):
    return Weight(*request.param)


def test_index_lists_values_by_output(weight):
    columns = weight.positions % weight.outputs
    rows = weight.positions // weight.outputs
    order = np.lexsort((rows, columns))
    np.testing.assert_array_equal(order, np.arange(order.size))

    found = sparse_ops.positions_of(weight.index)
    np.testing.assert_array_equal(found, weight.positions)
    dense = sparse_ops.dense(weight.values, weight.index)
    np.testing.assert_array_equal(dense, weight.dense)


def test_product_and_gradients_of_a_dense_weight(weight, is_native):
    del is_native
    seen = []
    with tf.GradientTape() as tape:
        watched = weight.x, weight.values, weight.bias
        tape.watch(watched)
        y = sparse_ops.spmm(
            weight.x,
            weight.values,
            weight.index,
            weight.bias,
            seen.append,
        )
    dx, dvalues, dbias = tape.gradient(y, watched, output_gradients=weight.dy)

    x, dy = weight.x.numpy(), weight.dy.numpy()
    np.testing.assert_array_equal(y, x @ weight.dense + weight.bias.numpy())
    np.testing.assert_array_equal(dx, dy @ weight.dense.T)
    gradient = (x.T @ dy).reshape(-1)
    np.testing.assert_array_equal(dvalues, gradient[weight.positions])
    np.testing.assert_array_equal(dbias, dy.sum(0))
    (one,) = seen
    size = weight.dense.size
    _, scores = one.grow(weight.index, size)
    inactive = np.delete(np.abs(gradient), weight.positions)
    assert np.count_nonzero(scores >= 0) == len(inactive)
    np.testing.assert_array_equal(
        np.sort(scores)[-len(inactive) :], np.sort(inactive)
    )


def test_inputs_that_nobody_watches(weight, is_native):
    del is_native

    def gradients(x, watches):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch((x, weight.values) if watches else weight.values)
            y = sparse_ops.spmm(x, weight.values, weight.index, weight.bias)
            y = tf.reduce_sum(y**2)
        return tape.gradient(y, [x, weight.values])

    for call in (gradients, tf.function(gradients, autograph=False)):
        none, dvalues = call(weight.x, False)
        dx, same = call(weight.x, True)
        assert none is None and dx is not None
        np.testing.assert_array_equal(dvalues, same)


def test_a_gradient_taken_outside_of_a_function(weight, is_native):
    del is_native

    @tf.function(autograph=False)
    def call(x):
        return sparse_ops.spmm(x, weight.values, weight.index, weight.bias)

    with tf.GradientTape() as tape:
        tape.watch(weight.x)
        y = call(weight.x)
    dx = tape.gradient(y, weight.x, output_gradients=weight.dy)
    np.testing.assert_array_equal(dx, weight.dy.numpy() @ weight.dense.T)


@pytest.mark.parametrize("number", [1, 4, 1000])
def test_candidates_are_the_largest_inactive_gradients(
    weight, is_native, number
):
    del is_native
    gradient = np.abs(weight.x.numpy().T @ weight.dy.numpy()).reshape(-1)
    inactive = np.flatnonzero(~weight.mask)
    best = inactive[np.lexsort((inactive, -gradient[inactive]))][:number]
    best = np.sort(best)

    positions, scores = sparse_ops.grow(
        weight.x, weight.dy, weight.index, number
    )

    missing = (0, number - best.size)
    np.testing.assert_array_equal(
        positions, np.pad(best, missing, constant_values=-1)
    )
    np.testing.assert_array_equal(
        scores, np.pad(gradient[best], missing, constant_values=-1)
    )


@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_updates_agree(weight, share):
    if not native_ops.available():
        pytest.skip(f"no native library: {native.why_unavailable()}")
    count = round(share * weight.positions.size)
    _, dvalues, _ = sparse_ops.spmm_gradients(
        weight.dy, weight.x, weight.values, weight.index
    )
    candidates = sparse_ops.grow(
        weight.x, weight.dy, weight.index, max(1, count)
    )

    def update():
        index, order = sparse_ops.drop_and_grow(
            weight.values, dvalues, weight.index, *candidates, count
        )
        moved = sparse_ops.bring_along(weight.values, order, fresh=2.5)
        halves = tf.cast(weight.values, tf.float16)
        return [*index, order, moved, sparse_ops.bring_along(halves, order)]

    by_library = update()
    native.use(False)
    try:
        plain = update()
    finally:
        native.use(True)
    for one, other in zip(by_library, plain, strict=True):
        np.testing.assert_array_equal(one, other)
