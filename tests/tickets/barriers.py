"""Networks on the line between two, of which tests know what they hold."""

import numpy as np

import tf_rigl
from tests import support

POINTS = 5
ALPHAS = np.linspace(0, 1, POINTS)


def snapshot_of_random(model, seed):
    """A snapshot of drawn values, put through the masks of the model."""
    generator = np.random.default_rng(seed)
    model.set_weights(
        [generator.random(one.shape) + 0.1 for one in model.get_weights()]
    )
    return tf_rigl.Snapshot.of(model)


def values_of(model):
    return [np.array(value) for value in model.get_weights()]


def between(first, second, alpha):
    """In float64, rounded to the dtype: an oracle of its own."""
    start, end = (
        [np.asarray(one, "float64") for one in each.weights.values()]
        for each in (first, second)
    )
    return [
        (one * (1 - alpha) + other * alpha).astype("float32")
        for one, other in zip(start, end, strict=True)
    ]


def batches(shape, sizes=(32, 32, 16)):
    return [
        support.make_data(shape, size, classes=10, seed=seed)
        for seed, size in enumerate(sizes)
    ]
