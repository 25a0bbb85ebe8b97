import numpy as np
import pytest
import tensorflow as tf

from tests.native import cases
from tests.support import run_python
from tf_rigl.backend import native_ops
from tf_rigl.core import drop_and_grow
from tf_rigl.native import kernels
from tf_rigl.native import library

pytestmark = cases.needs_library


@pytest.fixture(name="case", scope="module")
def case_fixture():
    return cases.make((60, 40), 20, 0.2, seed=1, integers=True)


def index_of(case):
    return native_ops.SparseIndex(*map(tf.constant, case.index))


def scatter(values, index, shape):
    """The dense weight."""
    dense = np.zeros(shape, np.float32)
    positions = native_ops.positions_of(index).numpy()
    dense.ravel()[positions] = tf.gather(values, index.t_perm).numpy()
    return dense


def gradients(function, case):
    variables = [tf.Variable(one) for one in (case.values, case.bias)]
    x = tf.constant(case.x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x, *variables)
        loss = tf.reduce_sum(y * case.dy)
    return [y, *tape.gradient(loss, [x, *variables])]


@pytest.mark.parametrize("compiled", [False, True])
def test_gradients_are_those_of_the_dense_weight(case, compiled):
    index = index_of(case)

    def sparse(x, values, bias):
        return native_ops.spmm(x, values, index, bias)

    found = gradients(tf.function(sparse) if compiled else sparse, case)
    weight = case.x @ case.weight + case.bias
    expected = [
        weight,
        case.dy @ case.weight.T,
        (case.x.T @ case.dy).T[case.mask.T],
        case.dy.sum(0),
    ]
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one, other)


def test_inputs_without_a_gradient(case):
    def sparse(x, values, bias):
        return native_ops.spmm(
            x, values, index_of(case), bias, input_gradient=False
        )

    _, of_x, *others = gradients(sparse, case)
    assert of_x is None
    assert all(one is not None for one in others)


def test_static_shapes():
    index = native_ops.SparseIndex(
        *(
            tf.TensorSpec([size], dtype)
            for size, dtype in (
                (41, tf.int32),
                (99, tf.uint16),
                (61, tf.int32),
                (99, tf.uint16),
                (99, tf.int32),
            )
        )
    )

    @tf.function
    def shapes(x, dy, values, bias, index, positions):
        like = tf.zeros([7], tf.int32)
        candidates, scores = native_ops.grow(x, dy, index, like)
        new, order = native_ops.drop_and_grow(
            values, values, index, candidates, scores, 5
        )
        other, _ = native_ops.reindex(positions, index)
        return (
            native_ops.spmm(x, values, index, bias),
            *native_ops.spmm_gradients(dy, x, values, index),
            candidates,
            scores,
            *new,
            order,
            *other,
            native_ops.positions_of(index),
            native_ops.check_index(index),
        )

    floats = tf.float32
    concrete = shapes.get_concrete_function(
        tf.TensorSpec([None, 60], floats),
        tf.TensorSpec([None, 40], floats),
        tf.TensorSpec([99], floats),
        tf.TensorSpec([40], floats),
        index,
        tf.TensorSpec([80], tf.int64),
    )
    found = [tuple(one.shape) for one in concrete.structured_outputs]
    assert found == [
        *((None, 40), (None, 60), (99,), (40,)),
        *((7,), (7,)),
        *((41,), (99,), (61,), (99,), (99,), (99,)),
        *((41,), (80,), (61,), (80,), (80,)),
        *((99,), ()),
    ]
    types = [one.dtype for one in concrete.structured_outputs[6:12]]
    assert types == [*(one.dtype for one in index), tf.int32]


def test_reindex_brings_values_along(case):
    random = np.random.default_rng(0)
    positions = random.permutation(np.flatnonzero(case.mask))
    listed = case.weight.ravel()[positions]
    index, order = native_ops.reindex(tf.constant(positions), index_of(case))
    values = tf.gather(listed, order)
    assert np.array_equal(scatter(values, index, case.mask.shape), case.weight)
    assert native_ops.check_index(index)


def updated(case, dy, count):
    """The masks, by the operations and by `core`, and weights by the first."""
    index = index_of(case)
    like = tf.zeros([max(count, 1)], tf.int32)
    candidates, scores = native_ops.grow(case.x, dy, index, like)
    _, dvalues, _ = native_ops.spmm_gradients(dy, case.x, case.values, index)
    new, order = native_ops.drop_and_grow(
        case.values, dvalues, index, candidates, scores, count
    )
    native_ops.check_index(new)
    kept = native_ops.bring_along(case.values, order, 0.0)
    shape = case.mask.shape
    mask = scatter(tf.ones_like(kept), new, shape) > 0
    with np.errstate(invalid="ignore"):
        gradient = case.x.T @ dy
    expected = drop_and_grow.drop_and_grow(
        case.weight, case.mask, gradient, count
    )
    return mask, expected.mask.numpy(), scatter(kept, new, shape)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_updates_are_those_of_masked_weights(share, seed):
    """With many ties, among values and among scores."""
    case = cases.make((50, 30), 6, 0.3, seed=seed, integers=True)
    count = int(share * len(case.values))
    mask, expected, values = updated(case, case.dy, count)
    assert np.array_equal(mask, expected)
    # What stays or comes back keeps its value, what grows starts at 0.
    assert np.array_equal(values, np.where(mask, case.weight, 0))
    assert (count > 0) == (not np.array_equal(mask, case.mask))


def test_ties_of_zeros():
    """A gradient of 0 nearly everywhere: the lowest positions grow."""
    case = cases.make((50, 30), 6, 0.3, seed=5, integers=True)
    dy = np.zeros_like(case.dy)
    dy[0, 20] = 1
    mask, expected, _ = updated(case, dy, 100)
    assert np.array_equal(mask, expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_finite_change_nothing(bad):
    case = cases.make((50, 30), 6, 0.3, seed=6, integers=True)
    dy = case.dy.copy()
    dy[2, 3] = bad
    mask, expected, values = updated(case, dy, 100)
    assert np.array_equal(mask, expected)
    assert np.array_equal(mask, case.mask)
    assert np.array_equal(values, case.weight)


def test_almost_no_position_is_inactive():
    case = cases.make((10, 10), 6, 1, seed=7, integers=True)
    mask, expected, _ = updated(case, case.dy, len(case.values))
    assert np.array_equal(mask, expected)


def test_errors_name_the_operation_and_what_is_wrong(case):
    index = index_of(case)
    with pytest.raises(tf.errors.InvalidArgumentError, match="dy must be of"):
        native_ops.spmm_gradients(case.dy, case.x[1:], case.values, index)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="RiglSpmm: row_ptr must be"
    ):
        native_ops.spmm(case.x, case.values, index, case.bias[1:])
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="values must be of size"
    ):
        native_ops.spmm(case.x, case.values[1:], index, case.bias)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="as many as connections are"
    ):
        native_ops.drop_and_grow(case.values, case.values, index, [1], [1.0], 2)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="order must be below the size"
    ):
        native_ops.bring_along(case.values, [0, len(case.values)], 0.0)
    size = case.mask.size
    for candidates in ([3, 2], [2, 2], [0, size]):
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="candidates must"
        ):
            native_ops.drop_and_grow(
                case.values, case.values, index, candidates, [1.0, 1.0], 1
            )


def test_candidates_that_are_connections_are_an_error(case):
    largest = [int(np.abs(case.weight).argmax())]
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="must be distinct"
    ):
        native_ops.drop_and_grow(
            case.values,
            np.zeros_like(case.values),
            index_of(case),
            largest,
            [1.0],
            1,
        )


def test_damaged_indexes_are_errors(case):
    index = index_of(case)._replace(
        cols=tf.fill(len(case.values), tf.constant(60, tf.uint16))
    )
    for call in (
        lambda: native_ops.spmm(case.x, case.values, index, case.bias),
        lambda: native_ops.check_index(index),
    ):
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="cols must be below"
        ):
            call()


def test_without_the_library(case):
    library.use(False)
    try:
        assert not native_ops.available()
        with pytest.raises(RuntimeError, match="switched off"):
            native_ops.positions_of(index_of(case))
    finally:
        library.use(True)
    assert native_ops.available()


@pytest.mark.slow
def test_kernels_may_be_called_before_tensorflow_is_loaded():
    """One library, loaded twice; it has as many threads as TensorFlow."""
    code = """
from tf_rigl.native import library
library.find()
import tensorflow as tf
from tf_rigl.backend import native_ops
tf.config.threading.set_intra_op_parallelism_threads(3)
print(native_ops.available(), library.threads())
"""
    assert run_python("-c", code).split() == ["True", "3"]


def test_column_dtype():
    assert native_ops.column_dtype(2**16) == tf.uint16
    assert native_ops.column_dtype(2**16 + 1) == tf.int32
    assert kernels.empty_index(2**16, 2**16 + 1, 0).cols.dtype == np.uint16
