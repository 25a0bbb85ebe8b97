import importlib
import inspect

import numpy as np
import pytest

import tf_rigl
from tests import support
from tests.support import FLAVORS

SIDE = 96


# The others are for a quiet hour.
SAMPLE = ("keras", "MobileNet")


def all_applications():
    found = []
    for package in FLAVORS:
        applications = importlib.import_module(f"{package}.applications")
        found += [
            (package, name)
            for name, builder in sorted(vars(applications).items())
            if inspect.isfunction(builder)
        ]
    assert SAMPLE in found
    return [
        pytest.param(*one, marks=[pytest.mark.slow] if one != SAMPLE else [])
        for one in found
    ]


@pytest.mark.parametrize(("package", "name"), all_applications())
def test_sparsify_update_strip(package, name):
    """One mask update in one batch, then back to a plain model.

    Eagerly: compiling the largest takes minutes and says no more.
    """
    keras = support.fresh_keras(package)
    builder = getattr(keras.applications, name)
    model = builder(
        weights=None,
        input_shape=(SIDE, SIDE, 3),
        classes=10,
        classifier_activation=None,
    )
    parameters = model.count_params()
    tf_rigl.sparsify(model, 0.9)
    before = support.counts(model)
    size = sum(mask.size for mask in tf_rigl.masks(model).values())
    assert sum(before.values()) == size - int(0.9 * size)
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        support.crossentropy(keras),
        run_eagerly=True,
    )
    inputs, labels = support.make_data((SIDE, SIDE, 3), 2, classes=10)
    algorithm = tf_rigl.RigL(stop_step=1, update_interval=1)
    support.fit(model, (inputs, labels), algorithm)
    assert support.counts(model) == before
    assert support.moved(model) > 0
    support.assert_masked(model)
    outputs = np.asarray(model(inputs, training=False))
    tf_rigl.strip(model)
    np.testing.assert_array_equal(
        np.asarray(model(inputs, training=False)), outputs
    )
    assert model.count_params() == parameters
