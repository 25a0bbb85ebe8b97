"""The whole training step as one XLA program that needs no host.

A TPU runs a step only where all of it compiles: static shapes, nothing that
calls the host. Read from the StableHLO, which no backend has touched yet.
"""

import functools

import pytest
import tensorflow as tf
from tensorflow.compiler.tf2xla.ops import gen_xla_ops

import tf_rigl
from tests import hlo
from tests import support
from tests.updating import methods_table

# Rows of the table that between them run all there is below Keras.
METHODS = ("rigl", "rigl_n_by_m", "set", "snfs", "pruning")
OTHERS = tuple(sorted(set(methods_table.ROWS) - set(METHODS)))

# What mask updates may add to the kinds of operations of a dense step. All of
# it is elementwise, moves data within static shapes or is control flow, but
# for `scatter` and `reduce_window`, of which histograms and their sums are
# made. The compiler of Cloud TPU takes each: benchmarks/tpu_compile.py.
ADDED = frozenset(
    """
    bitcast_convert call concatenate gather if is_finite minimum not or popcnt
    reduce_window remainder return rng_bit_generator scatter shift_left
    shift_right_arithmetic shift_right_logical slice sqrt while xor
    """.split()
)


@functools.cache
def program(keras, method):
    """The StableHLO of Keras's own training step, dense for None."""
    # One weight has more elements than a literal may have.
    build = (
        support.make_mlp if method is None else methods_table.ROWS[method].build
    )
    model = build(keras, units=(64,), outputs=8)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    if method is not None:
        row = methods_table.ROWS[method]
        arguments = {"sparsity": methods_table.SPARSITY, **row.sparsify}
        tf_rigl.sparsify(model, **arguments)
        tf_rigl.attach(optimizer, model, row.algorithm)
    model.compile(optimizer, support.crossentropy(keras))
    optimizer.build(model.trainable_variables)
    batch = tuple(map(tf.constant, support.make_data((20,), 32)))
    # Keras makes metrics when it first sees a batch.
    model.evaluate(*batch, verbose=0)
    return hlo.stablehlo(
        lambda inputs, labels: model.train_step((inputs, labels)), *batch
    )


@support.keras_in_turn(
    "method", [*METHODS, *OTHERS], lambda method: method in OTHERS
)
def test_step_needs_only_what_a_tpu_has(keras, method):
    """Neither host nor sorting nor dynamic shapes."""
    text = program(keras, method)
    obstacles = hlo.obstacles(text)
    assert not obstacles
    allowed = ADDED
    if method in OTHERS:
        allowed = ADDED | {"abs", "floor", "pad", "round_nearest_even", "sign"}
        # Of the normalization in a network of its own.
        allowed |= {"rsqrt"} if method == "slimming" else set()
    else:
        # It is the step with the mask update, not one without.
        assert {"if", "is_finite"} <= hlo.kinds(text)
    assert hlo.kinds(text) - hlo.kinds(program(keras, None)) <= allowed


def test_every_operation_that_may_be_added_is():
    """The list above holds nothing that no step needs."""
    import keras

    sparse = set().union(*(hlo.kinds(program(keras, m)) for m in METHODS))
    assert sparse - hlo.kinds(program(keras, None)) == ADDED


def send(tensor):
    gen_xla_ops.xla_send(tensor=tensor, tensor_name="to the host")
    return tensor


@pytest.mark.parametrize(
    ("function", "obstacle"),
    [
        (lambda x: tf.where(x > 0), "set_dimension_size"),
        (lambda x: tf.boolean_mask(x, x > 0), "set_dimension_size"),
        (lambda x: tf.where(x > 0), "unknown size"),
        (lambda x: tf.sort(x), "sort"),
        (lambda x: tf.math.top_k(x, 2), "sort"),
        (lambda x: tf.linalg.qr(x), "custom_call"),
        (send, "send"),
        (lambda x: x[0, 0] * tf.range(2000.0), "long literal"),
        (lambda x: tf.cumsum(tf.cast(x, tf.int64)), "64-bit reduce_window"),
    ],
)
def test_obstacles_are_found(function, obstacle):
    assert obstacle in hlo.obstacles(hlo.stablehlo(function, tf.ones((4, 4))))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: tf.py_function(tf.identity, [x], tf.float32),
        lambda x: tf.raw_ops.InfeedDequeue(dtype=x.dtype, shape=x.shape),
    ],
    ids=["py_function", "infeed"],
)
def test_calls_of_the_host_are_refused(function):
    with pytest.raises(ValueError, match="No registered"):
        hlo.stablehlo(function, tf.ones((4, 4)))


def test_what_is_no_obstacle_is_none():
    text = hlo.stablehlo(lambda x: tf.cumsum(x) @ x, tf.ones((4, 4)))
    assert not hlo.obstacles(text)
    assert {"dot", "dot_general"} & hlo.kinds(text)
