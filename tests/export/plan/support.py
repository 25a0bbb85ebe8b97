"""Compares plans, and networks that plans are made of, with models."""

import hypothesis
import numpy as np

from tests.export.plan import reference
from tf_rigl import native
from tf_rigl.export.plan import read
from tf_rigl.native import plan_file

TOLERANCE = 1e-5  # of the largest output


def few(examples):
    """Settings of tests in which each example is a model."""
    return hypothesis.settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )


def assert_alike(model, *inputs):
    """Checks the outputs of a model's network; returns the network."""
    graph = read.graph_of(model)
    assert_computes(graph, inputs, expected_of(model, *inputs))
    return graph


def assert_computes(graph, inputs, expected):
    """Checks a network in NumPy and, if it is there, by the native library."""
    results = [reference.run(graph, *inputs)]
    data = plan_file.encode(graph)
    if native.available():
        made = native.Plan(data, threads=1)(*inputs)
        results.append(made if isinstance(made, tuple) else [made])

    for made in results:
        assert len(made) == len(expected)
        for one, other in zip(made, expected, strict=True):
            assert_close(one, other)


def expected_of(model, *inputs):
    given = inputs[0] if len(inputs) == 1 else list(inputs)
    outputs = model(given, training=False)
    if isinstance(outputs, dict):
        outputs = [outputs[name] for name in sorted(outputs)]
    if not isinstance(outputs, (list, tuple)):
        outputs = [outputs]
    return [np.asarray(one) for one in outputs]


def assert_close(one, other):
    assert one.shape == other.shape
    # A layer of few outputs may have none that is not near 0.
    largest = max(np.abs(other).max(), 0.1)
    assert np.abs(one - other).max() <= TOLERANCE * largest


def batch(*shape, examples=2, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(examples, *shape)).astype(np.float32)


def randomize(model, sparsity=0.0, seed=0):
    """Gives a model statistics, offsets and zeros, so that all of it counts."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        name = getattr(variable, "path", variable.name)
        shape = tuple(variable.shape)
        if "variance" in name or "gamma" in name:
            variable.assign(random.uniform(0.3, 0.9, shape))
        elif len(shape) < 2:
            variable.assign(random.normal(0, 0.2, shape))
        elif sparsity:
            kept = random.uniform(size=shape) >= sparsity
            variable.assign(np.asarray(variable) * kept / (1 - sparsity) ** 0.5)
    return model


def kinds(graph):
    return [one.kind for one in graph.operations]
