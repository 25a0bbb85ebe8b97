"""The operation that runs a whole plan."""

import threading

import numpy as np
import pytest
import tensorflow as tf

from tf_rigl import native
from tf_rigl.backend import native_ops
from tf_rigl.native import plan_file
from tf_rigl.native import plan_graph

pytestmark = pytest.mark.skipif(
    not native_ops.available(), reason="needs the native library"
)


def make_plan(seed=0):
    """The bytes of a plan of two inputs and two outputs."""
    random = np.random.default_rng(seed)

    def dense(source, target, inputs, outputs):
        kernel = random.normal(size=(inputs, outputs)).astype("float32")
        kernel[random.random(kernel.shape) < 0.8] = 0
        name = f"dense_{target}"
        return plan_graph.Operation(
            "dense", name, (source,), target, {}, {"kernel": kernel}
        )

    flatten = plan_graph.Operation("reshape", "flatten", (1,), 2)
    both = plan_graph.Operation("add", "add", (3, 4), 5)
    graph = plan_graph.Graph(
        ((16,), (2, 4), (8,), (5,), (5,), (5,)),
        (0, 1),
        (5, 3),
        (flatten, dense(0, 3, 16, 5), dense(2, 4, 8, 5), both),
        ("row", "image"),
    )
    return plan_file.encode(graph)


def make_inputs(batch):
    random = np.random.default_rng(batch)
    shapes = ((batch, 16), (batch, 2, 4))
    return [random.normal(size=s).astype("float32") for s in shapes]


@pytest.fixture(scope="module")
def plan():
    return make_plan()


def as_tensor(plan):
    return tf.constant(np.frombuffer(plan, np.uint8))


def test_same_as_without_tensorflow(plan):
    tensor = as_tensor(plan)
    run = tf.function(lambda *x: native_ops.run_plan(x, tensor, 2))
    for batch in (1, 3, 0):
        inputs = make_inputs(batch)
        eager = native_ops.run_plan(inputs, tensor, 2)
        traced = run(*map(tf.constant, inputs))
        expected = native.Plan(plan)(*inputs) if batch else None
        for place, pair in enumerate(zip(eager, traced, strict=True)):
            for one in pair:
                assert one.shape == (batch, 5)
                if batch:
                    np.testing.assert_array_equal(one, expected[place])


def test_one_kernel_may_run_several_plans(plan):
    """Each tensor has its plan, whatever was at the same address before."""
    inputs = make_inputs(2)
    run = tf.function(lambda plan, *x: native_ops.run_plan(x, plan, 2))
    for seed in (0, 1, 0, 2):
        other = make_plan(seed)
        found = run(as_tensor(other), *map(tf.constant, inputs))
        expected = native.Plan(other)(*inputs)
        np.testing.assert_array_equal(found[0], expected[0])


def test_many_threads_run_one_plan(plan):
    tensor, inputs = as_tensor(plan), make_inputs(4)
    expected = native.Plan(plan)(*inputs)[0]
    run = tf.function(lambda *x: native_ops.run_plan(x, tensor, 2))
    wrong = []

    def work():
        for _ in range(20):
            found = run(*map(tf.constant, inputs))[0]
            if not np.array_equal(found, expected):
                wrong.append(found)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not wrong


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, p: (x[:1], p, 2), "inputs must be those of the plan"),
        (lambda x, p: (x, p, 1), "M must be the number of outputs"),
        (lambda x, p: ([x[0], x[1][:, :1]], p, 2), r"shape \[batch, 2, 4\]"),
        (lambda x, p: ([x[0][0], x[1]], p, 2), r"row must be of shape"),
        (lambda x, p: ([x[0][:1], x[1]], p, 2), "batch of the other inputs"),
        (lambda x, p: (x, p[:-1], 2), "RiglPlan: "),
        (lambda x, p: (x, p[:0], 2), "RiglPlan: "),
        (lambda x, p: (x, p[None], 2), "plan must be a vector of bytes"),
    ],
)
def test_wrong_arguments_are_errors(plan, change, message):
    arguments = change(make_inputs(3), as_tensor(plan))
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        native_ops.run_plan(*arguments)
