"""Plans against float64 NumPy, at each level that the machine has."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from tests.native import cases
from tests.native import plan_cases
from tests.native import plan_reference
from tf_rigl.native import Plan
from tf_rigl.native import library
from tf_rigl.native import plan_file
from tf_rigl.native import plan_recurrence

pytestmark = cases.needs_library

BATCHES = st.sampled_from([1, 1, 2, 3, 5, 16, 17, 33, 35])
SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(autouse=True)
def _level():
    yield
    library.cap_level(max(cases.LEVELS))


def data_for(graph, batch, seed=0):
    random = np.random.default_rng(seed)
    data = []
    for value in graph.inputs:
        shape = (batch, *graph.shapes[value])
        rows = graph.rows(value)
        drawn = (
            random.integers(0, rows, shape)
            if rows
            else random.normal(size=shape)
        )
        data.append(drawn.astype(np.float32))
    return data


def run_plan(plan, *inputs):
    found = plan(*inputs)
    return found if isinstance(found, tuple) else (found,)


def assert_equal_to_numpy(graph, batch, tolerance=1e-5):
    """At each level, and with the same bits for any number of threads."""
    inputs = data_for(graph, batch)
    expected = plan_reference.run(graph, *inputs)
    data = plan_file.encode(graph)
    for level in cases.LEVELS:
        library.cap_level(level)
        plan = Plan(data, threads=1)
        found = run_plan(plan, *inputs)
        for one, right in zip(found, expected, strict=True):
            assert one.shape == right.shape and one.dtype == np.float32
            # Inputs are about 1: smaller outputs are differences of such.
            largest = np.max(np.abs(right), initial=0.03)
            assert np.max(np.abs(one - right), initial=0) <= (
                tolerance * largest
            )
        plan.threads = 2
        for one, same in zip(found, run_plan(plan, *inputs), strict=True):
            assert np.array_equal(one, same)


@pytest.mark.parametrize("kind", plan_cases.KINDS)
@cases.examples(10)
@hypothesis.given(SEEDS, BATCHES)
def test_an_operation(kind, seed, batch):
    assert_equal_to_numpy(plan_cases.random_network(seed, [kind]), batch)


@pytest.mark.slow
@pytest.mark.parametrize("kind", plan_cases.KINDS)
@cases.examples(400)
@hypothesis.given(SEEDS, BATCHES)
def test_an_operation_hundreds_of_times(kind, seed, batch):
    assert_equal_to_numpy(plan_cases.random_network(seed, [kind]), batch)


@pytest.mark.parametrize("space", [(1, 1), (6, 6)])
def test_a_residual_that_nothing_else_needs(space):
    """Its memory is taken for the output where that is possible."""
    network = plan_cases.Network(np.random.default_rng(0), (*space, 24))
    shape = network.shapes[0]
    scale = {"scale": network.floats(24), "offset": network.floats(24)}
    residual = network.add("affine", (0,), shape, {}, scale)
    kernel = {"kernel": network.kernel(3, 3, 24, 24, fan=216)}
    same = {"padding": ((1, 1), (1, 1)), "activation": "relu"}
    network.add("convolution", (0, residual), shape, same, kernel)
    assert_equal_to_numpy(network.graph(), 2)


@pytest.mark.parametrize("batch", [1, 5])
def test_a_window_that_sees_zeros_alone(batch):
    network = plan_cases.Network(np.random.default_rng(0), (1, 15))
    kernel = {"kernel": network.kernel(1, 15, 9, fan=15)}
    given = {"padding": ((1, 0),), "strides": (2,)}
    network.add("convolution", (0,), (1, 9), given, kernel)
    assert_equal_to_numpy(network.graph(), batch)


@pytest.mark.parametrize("width", [5, 7, 8, 14, 17, 32, 40, 63])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(3, 3), (5, 5), (4, 2)])
def test_a_depthwise_layer_between_others(size, stride, width):
    """Rows shorter and longer than vectors, with zeros for the next layer."""
    network = plan_cases.Network(np.random.default_rng(0), (9, width, 3))
    padding = [((one - 1) // 2, one // 2) for one in size]
    x, space = 0, np.array([9, width])
    for multiplier, name in ((2, "relu6"), (1, "swish")):
        channels = 3 * 2
        kernel = network.random.normal(size=(*size, channels // multiplier, 1))
        kernel = np.repeat(kernel, multiplier, -1).astype(np.float32)
        given = {"padding": padding, "strides": (stride, stride)}
        given["activation"] = name
        arrays = {"kernel": kernel, "bias": network.floats(channels)}
        space = (space - 1) // stride + 1
        shape = (*space, channels)
        x = network.add("depthwise", (x,), shape, given, arrays)
    assert_equal_to_numpy(network.graph(), 2)


@pytest.mark.parametrize(
    "shape",
    [(7, 7, 150), (4, 13, 9), (3, 17, 24), (64, 64, 40)],
    ids=["many channels", "four positions left", "three left", "large"],
)
def test_a_dense_kernel(shape):
    """Positions that are no whole vectors, outputs that are no whole block."""
    network = plan_cases.Network(np.random.default_rng(0), shape)
    space = shape[:2]
    for name in ("relu", "gelu"):
        last = len(network.shapes) - 1
        kernel = network.random.normal(
            size=(1, 1, network.shapes[last][-1], 13)
        )
        kernel /= np.sqrt(network.shapes[last][-1])
        arrays = {
            "kernel": kernel.astype(np.float32),
            "bias": network.floats(13),
        }
        inputs = (0,) if last == 0 else (last, last)
        given = {"padding": ((0, 0), (0, 0)), "activation": name}
        network.add("convolution", inputs, (*space, 13), given, arrays)
    assert_equal_to_numpy(network.graph(), 2)


@pytest.mark.parametrize("number", [-1, 0.5, 7, np.nan, np.inf, 2**40])
def test_what_is_no_number_of_a_row_is_an_error(number):
    network = plan_cases.Network(np.random.default_rng(0), (3,))
    table = {"table": network.floats(7 * 4).reshape(7, 4)}
    network.add("embedding", (0,), (3, 4), {}, table)
    plan = Plan(plan_file.encode(network.graph()))
    assert plan.inputs == (("input_0", (3,), 7),)
    rows = np.array([[0, 6, 3], [1, 2, 5]])
    assert np.array_equal(plan(rows), table["table"][rows])
    rows = rows.astype(np.float32)
    rows[1, 2] = number
    with pytest.raises(
        ValueError, match=r"input_0 .*whole numbers from 0 to 6"
    ):
        plan(rows)


def large_network():
    """Each step is worth several threads."""
    network = plan_cases.Network(np.random.default_rng(0), (56, 56, 32))
    same = {"padding": ((1, 1), (1, 1))}
    halved = {**same, "strides": (2, 2)}

    def kernel(density, *shape):
        dense = network.random.normal(size=shape) / np.sqrt(np.prod(shape[:3]))
        dense[network.random.random(shape) >= density] = 0
        return {"kernel": dense.astype(np.float32)}

    def add(kind, inputs, shape, attributes, arrays=None):
        relu = {"activation": "relu"} if arrays else {}
        return network.add(kind, inputs, shape, attributes | relu, arrays)

    wide, small, image = (56, 56, 32), (28, 28, 32), (28, 28, 96)
    x = add("depthwise", (0,), wide, same, kernel(1, 3, 3, 32, 1))
    x = add("convolution", (x, 0), wide, same, kernel(0.2, 3, 3, 32, 32))
    y = add("depthwise", (x,), small, halved, kernel(1, 3, 3, 32, 1))
    y = add("convolution", (y,), image, same, kernel(1, 3, 3, 32, 96))
    x = add("convolution", (x,), image, halved, kernel(0.1, 3, 3, 32, 96))
    x = add("multiply", (x, y), image, {})
    pool = {"mode": "max", "size": (3, 3), "strides": (1, 1)}
    x = add("pool", (x,), image, same | pool)
    x = add("global_pool", (x,), (96,), {"mode": "average"})
    x = add("dense", (x,), (9000,), {}, kernel(1, 96, 9000))
    add("dense", (x,), (900,), {}, kernel(0.3, 9000, 900))
    return network.graph()


def large_recurrent_network():
    """Each step of each cell is worth several threads."""
    network = plan_cases.Network(np.random.default_rng(0), (4, 30))
    value, units, functions = 0, 800, (("sigmoid",), ("tanh",))
    for cell, density in (("gru_reset_first", 0.4), ("lstm", 1)):
        count = plan_recurrence.GATES[cell] * units
        steps, inputs = network.shapes[value]
        read = {"kernel": network.kernel(inputs, count, fan=inputs)}
        value = network.add("dense", (value,), (steps, count), {}, read)
        kernel = network.random.normal(size=(units, count)) / units**0.5
        kernel[network.random.random(kernel.shape) >= density] = 0
        given = {"cell": cell, "direction": "backward", "returns": "sequence"}
        given |= zip(("gate", "candidate"), functions, strict=True)
        value = network.add(
            "recurrence",
            (value,),
            (steps, units),
            given,
            {"kernel": kernel.astype(np.float32)},
        )
    return network.graph()


@pytest.mark.parametrize(
    "level", [*(pytest.param(i, marks=pytest.mark.slow) for i in (0, 1)), 2]
)
@pytest.mark.parametrize("make", [large_network, large_recurrent_network])
def test_results_do_not_depend_on_the_number_of_threads(make, level):
    library.cap_level(level)
    graph = make()
    plan = Plan(plan_file.encode(graph))
    for batch in (1, 5):
        (x,) = data_for(graph, batch)
        found = []
        for threads in (1, 2, 5):
            plan.threads = threads
            found.append(plan(x))
        assert np.array_equal(found[0], found[1])
        assert np.array_equal(found[0], found[2])


@pytest.mark.slow
def test_a_large_network():
    assert_equal_to_numpy(large_network(), 2, 3e-5)


NETWORKS = st.lists(st.sampled_from(plan_cases.KINDS), min_size=2, max_size=9)


@cases.examples(40)
@hypothesis.given(SEEDS, NETWORKS, st.integers(1, 2), BATCHES)
def test_networks(seed, kinds, inputs, batch):
    """Values lie in one memory, and images have borders for one another."""
    graph = plan_cases.random_network(seed, kinds, inputs)
    # Errors of layers add up.
    assert_equal_to_numpy(graph, min(batch, 3), 1e-5 * len(kinds))


@pytest.mark.slow
@cases.examples(2000)
@hypothesis.given(SEEDS, NETWORKS, st.integers(1, 2), BATCHES)
def test_thousands_of_networks(seed, kinds, inputs, batch):
    graph = plan_cases.random_network(seed, kinds, inputs)
    assert_equal_to_numpy(graph, min(batch, 17), 2e-5 * len(kinds))
