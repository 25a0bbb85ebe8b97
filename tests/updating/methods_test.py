"""Every method against the promises that all of them make.

Its masks and counts, step by step; the same masks in both Keras flavors,
compiled or not, on replicas; exact resume; configuration. The rows are those
of `tests/methods/oracles`.
"""

import functools
import importlib
from typing import NamedTuple

import numpy as np
import pytest

import tf_rigl
from tests import support
from tests.methods import table
from tests.updating.methods_table import ROWS
from tests.updating.methods_table import SPARSITY
from tests.updating.methods_table import STEPS
from tf_rigl.masking.masked_weight import masked_weights

EPOCHS = 2
assert len(support.batches()) * EPOCHS == STEPS


class State(NamedTuple):
    """Masks by path, and all that is trained, between two batches."""

    masks: dict[str, np.ndarray]
    weights: list[np.ndarray]


def state_of(model):
    weights = [weight.numpy() for weight in model.trainable_weights]
    return State(tf_rigl.masks(model), weights)


def fresh_model(keras, row):
    arguments = {"sparsity": SPARSITY, "seed": 7, **row.sparsify}
    return tf_rigl.sparsify(row.build(keras, (24,)), **arguments)


def fit(keras, row, **kwargs):
    model = fresh_model(keras, row)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    support.train(
        keras, model, row.algorithm, EPOCHS, optimizer=optimizer, **kwargs
    )
    return model


def fit_noting(keras, row):
    """Returns the model and the states before and after each batch."""
    steps, latent = [], row.algorithm.requirements.latent

    class Note(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            steps.append([state_of(self.model)])

        def on_train_batch_end(self, batch, logs=None):
            support.assert_masked(self.model, slots_too=latent is None)
            steps[-1].append(state_of(self.model))

    return fit(keras, row, callbacks=[Note()]), steps


@pytest.fixture(scope="module")
def trained():
    @functools.cache
    def get(package, name):
        return fit_noting(importlib.import_module(package), ROWS[name])

    return get


def flavor_of_row(name, every):
    """By turns, of so many rows each."""
    return support.FLAVORS[list(ROWS).index(name) // every % 2]


# Variants of methods whose other rows are fast.
SLOW = (
    "snfs_redistribute rigl_shuffled rigl_block rigl_options rigl_initial "
    "snip_weight ste_global supermask_rescaled pruning_random rigl_tf1 "
    "granet_block pruning_channel pruning_global one_shot granet mest"
).split()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name in ROWS
    ],
)
def test_each_step(trained, name):
    """Counts are exact, inactive weights and slots are zero, masks rest.

    ★ The mask is bit-identical on steps without an update and after the last
    one; all weights rest in batches that update masks instead.
    """
    row = ROWS[name]
    model, steps = trained("keras", name)
    schedule, requirements = row.algorithm.schedule, row.algorithm.requirements
    changes = 0
    for number, (before, after) in enumerate(steps):
        check_counts(row, model, after.masks, number)
        changed = any(
            np.any(after.masks[path] != mask)
            for path, mask in before.masks.items()
        )
        updates = schedule is not None and schedule.is_update(number)
        prunes = requirements.latent is not None and number == 0
        assert not changed or updates or prunes
        changes += changed
        if updates and requirements.skips_step:
            assert_only_dropped_and_grown(row, before.weights, after.weights)
    assert len(steps) == STEPS
    assert changes > 1 if row.moves else changes <= 1


def check_counts(row, model, masks, number):
    actual = [np.count_nonzero(mask) for mask in masks.values()]
    if row.connections is table.as_drawn:
        sizes = [record.size for record in masked_weights(model)]
        assert all(0 < n < size for n, size in zip(actual, sizes, strict=True))
        return
    expected = [
        row.connections(row, record, number) for record in masked_weights(model)
    ]
    if row.over_all:
        actual, expected = sum(actual), sum(expected)
    assert actual == expected


def assert_only_dropped_and_grown(row, before, after):
    """No weight moved but to zero and from zero."""
    fresh = getattr(row.algorithm, "grow_init", "zeros") != "zeros"
    for old, new in zip(before, after, strict=True):
        kept = (new != 0) & ((old != 0) | (not fresh))
        np.testing.assert_array_equal(new[kept], old[kept])


def cases(turn):
    """Every sixth row, from that of number `turn`; others are slow.

    So are rows that compile no more than another.
    """
    return [
        pytest.param(
            name,
            marks=[pytest.mark.slow]
            if row.variant or row.part or name in SLOW or place % 6 != turn
            else [],
        )
        for place, (name, row) in enumerate(ROWS.items())
    ]


# `compiled_step_test` compiles all rows in both Keras.
@pytest.mark.parametrize("name", cases(0))
def test_other_keras_under_xla_and_several_steps_per_execution(trained, name):
    import tf_keras

    model = fit(tf_keras, ROWS[name], jit_compile=True, steps_per_execution=4)
    assert_same(model, trained("keras", name)[0])


@pytest.mark.parametrize("name", cases(1))
def test_replicas(trained, name, two_replicas):
    keras = importlib.import_module(flavor_of_row(name, 1))
    if keras.__version__.startswith("3.6."):
        pytest.skip("Keras 3.6 sums the losses of replicas, dense ones too")
    with two_replicas.scope():
        model = fit(keras, ROWS[name])
    assert_same(model, trained("keras", name)[0])
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
@pytest.mark.parametrize("name", cases(0))
def test_resumed_is_uninterrupted(trained, name, tmp_path):
    """Saved after an epoch and loaded, the second gives the same bits.

    Every third row is tested, hence the turns of three.
    """
    row = ROWS[name]
    keras = importlib.import_module(flavor_of_row(name, 3))
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
    whole, _ = trained(keras.__name__, name)
    assert_same(model, whole)
    support.assert_all_equal(model.get_weights(), whole.get_weights())
