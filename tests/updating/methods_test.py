"""Every method against the promises that all of them make.

Its masks and counts, step by step; the same masks in both Keras flavors,
compiled or not, on replicas; exact resume; configuration. The rows are those
of `tests/methods/oracles`.
"""

import importlib

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests.updating.methods_table import ROWS
from tests.updating.methods_table import SPARSITY
from tests.updating.methods_table import STEPS
from tf_rigl.masking.masked_weight import masked_weights

EPOCHS = 2
assert len(support.batches()) * EPOCHS == STEPS


def fresh_model(keras, row):
    arguments = {"sparsity": SPARSITY, "seed": 7, **row.sparsify}
    return tf_rigl.sparsify(support.make_mlp(keras, (24,)), **arguments)


def fit(keras, row, **kwargs):
    model = fresh_model(keras, row)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    support.train(
        keras, model, row.algorithm, EPOCHS, optimizer=optimizer, **kwargs
    )
    return model


@pytest.fixture(scope="module")
def trained():
    """Models trained by `fit` without options, by flavor and row."""
    models = {}

    def get(package, name):
        if (package, name) not in models:
            keras = importlib.import_module(package)
            models[package, name] = fit(keras, ROWS[name])
        return models[package, name]

    return get


def flavor_of_row(name, other):
    """Each flavor has half of the methods; `other` is 0 or 1."""
    return ("keras", "tf_keras")[(list(ROWS).index(name) + other) % 2]


@pytest.mark.parametrize("name", ROWS)
def test_each_step(name):
    """Counts are exact, inactive weights and slots are zero, masks rest.

    ★ The mask is bit-identical on steps without an update and after the last
    one; all weights rest in batches that update masks instead.
    """
    import keras

    row = ROWS[name]
    model = fresh_model(keras, row)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    tf_rigl.attach(optimizer, model, row.algorithm)
    step = tf.function(support.make_step(keras, model, optimizer))
    schedule = row.algorithm.schedule
    requirements = row.algorithm.requirements
    masks, changes = tf_rigl.masks(model), 0
    for number, batch in enumerate(support.batches() * EPOCHS):
        weights = [w.numpy() for w in model.trainable_weights]
        step(*batch)
        check_counts(row, model, number)
        support.assert_masked(
            model, optimizer, slots_too=requirements.latent is None
        )
        new = tf_rigl.masks(model)
        changed = any(np.any(new[path] != masks[path]) for path in masks)
        updates = schedule is not None and schedule.is_update(number)
        prunes = requirements.latent is not None and number == 0
        assert not changed or updates or prunes
        changes += changed
        rests = updates and requirements.skips_step
        if rests:
            assert_only_dropped_and_grown(row, weights, model)
        masks = new
    assert changes > 1 if row.moves else changes <= 1


def check_counts(row, model, number):
    actual = [w.num_active() for w in masked_weights(model)]
    expected = [
        row.connections(row, record, number) for record in masked_weights(model)
    ]
    if row.over_all:
        actual, expected = sum(actual), sum(expected)
    assert actual == expected


def assert_only_dropped_and_grown(row, before, model):
    """No weight moved but to zero and from zero."""
    fresh = getattr(row.algorithm, "grow_init", "zeros") != "zeros"
    for old, weight in zip(before, model.trainable_weights, strict=True):
        new = weight.numpy()
        kept = (new != 0) & ((old != 0) | (not fresh))
        np.testing.assert_array_equal(new[kept], old[kept])


def cases(is_slow, turn=None):
    """Rows; with a turn, 0 or 1, every second one is slow as well."""
    return [
        pytest.param(
            name,
            marks=[pytest.mark.slow]
            if is_slow(row) or turn not in (None, place % 2)
            else [],
        )
        for place, (name, row) in enumerate(ROWS.items())
    ]


# `compiled_step_test` compiles all rows in both Keras.
@pytest.mark.parametrize("name", cases(lambda row: row.variant or row.part, 0))
def test_other_keras_under_xla_and_several_steps_per_execution(trained, name):
    import tf_keras

    model = fit(tf_keras, ROWS[name], jit_compile=True, steps_per_execution=4)
    assert_same(model, trained("keras", name))


@pytest.mark.parametrize("name", cases(lambda row: row.variant, 1))
def test_replicas(trained, name, two_replicas):
    keras = importlib.import_module(flavor_of_row(name, 0))
    if keras.__version__.startswith("3.6."):
        pytest.skip("Keras 3.6 sums the losses of replicas, dense ones too")
    with two_replicas.scope():
        model = fit(keras, ROWS[name])
    assert_same(model, trained("keras", name))
    for weight in masked_weights(model):
        _, mask = weight.storage.variables
        for variable in (mask, *weight.state.values()):
            first, second = two_replicas.experimental_local_results(variable)
            np.testing.assert_array_equal(first.numpy(), second.numpy())


def assert_same(model, other):
    support.assert_same_masks(tf_rigl.masks(model), tf_rigl.masks(other))
    assert support.moved(model) == support.moved(other)


# After the first epoch.
@pytest.mark.filterwarnings("ignore:.*has not reached the target sparsity")
@pytest.mark.parametrize("name", cases(lambda row: row.variant, 0))
def test_resumed_is_uninterrupted(trained, name, tmp_path):
    """Saved after an epoch and loaded, the second gives the same bits.

    In the flavor in which replicas are not tested.
    """
    row = ROWS[name]
    keras = importlib.import_module(flavor_of_row(name, 1))
    model = fresh_model(keras, row)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    support.train(keras, model, row.algorithm, 1, optimizer=optimizer)
    path = str(tmp_path / "model.keras")
    model.save(path)
    model = keras.models.load_model(path)
    support.fit(
        model,
        support.make_data((20,), 256),
        row.algorithm,
        initial_epoch=1,
        epochs=EPOCHS,
    )
    whole = trained(keras.__name__, name)
    assert_same(model, whole)
    support.assert_all_equal(model.get_weights(), whole.get_weights())
