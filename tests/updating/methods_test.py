"""Every method against the promises that all of them make.

Its masks and counts, step by step; the same masks in both Keras flavors,
compiled or not, on replicas; exact resume; configuration. The rows are in
`methods_table.py`.
"""

import importlib
import subprocess
import sys

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
    masks, changes = tf_rigl.masks(model), 0
    for number, batch in enumerate(support.batches() * EPOCHS):
        weights = [w.numpy() for w in model.trainable_weights]
        step(*batch)
        check_counts(row, model, number)
        support.assert_masked(
            model, optimizer, slots_too=not row.algorithm.trains_inactive
        )
        new = tf_rigl.masks(model)
        changed = any(np.any(new[path] != masks[path]) for path in masks)
        updates = schedule is not None and schedule.is_update(number)
        prunes = row.algorithm.trains_inactive and number == 0
        assert not changed or updates or prunes
        changes += changed
        rests = updates and row.algorithm.skip_weight_update
        if rests:
            assert_only_dropped_and_grown(row, weights, model)
        masks = new
    assert changes > 1 if row.moves else changes <= 1


def check_counts(row, model, number):
    actual = [w.nonzeros() for w in masked_weights(model)]
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


# A row that differs by an option compiles what another one does.
VARIANTS = {
    "rigl_tf1",
    "rigl_initial",
    "snip_weight",
    "pruning_random",
    "pruning_channel",
    "dnw",
}


# Rows that take no update, or compile a part of what another one does: see
# `compiled_step_test`, which compiles all of them in both Keras.
PARTS = {"static", "one_shot", "pruning", "ste", "rigl_block", "snfs"}


def cases(slow):
    return [
        pytest.param(name, marks=[pytest.mark.slow] if name in slow else [])
        for name in ROWS
    ]


@pytest.mark.parametrize("name", cases(VARIANTS | PARTS))
def test_other_keras_under_xla_and_several_steps_per_execution(trained, name):
    import tf_keras

    model = fit(tf_keras, ROWS[name], jit_compile=True, steps_per_execution=4)
    assert_same(model, trained("keras", name))


@pytest.mark.parametrize("name", cases(VARIANTS))
def test_replicas(trained, name, two_replicas):
    keras = importlib.import_module(flavor_of_row(name, 0))
    if keras.__version__.startswith("3.6."):
        pytest.skip("Keras 3.6 sums the losses of replicas, dense ones too")
    with two_replicas.scope():
        model = fit(keras, ROWS[name])
    assert_same(model, trained("keras", name))
    for weight in masked_weights(model):
        for variable in (weight.mask, *weight.state.values()):
            first, second = two_replicas.experimental_local_results(variable)
            np.testing.assert_array_equal(first.numpy(), second.numpy())


def assert_same(model, other):
    support.assert_same_masks(tf_rigl.masks(model), tf_rigl.masks(other))
    assert support.moved(model) == support.moved(other)


@pytest.mark.parametrize("name", cases(VARIANTS))
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
    inputs, labels = support.make_data((20,), 256)
    model.fit(
        inputs,
        labels,
        batch_size=32,
        initial_epoch=1,
        epochs=EPOCHS,
        shuffle=False,
        verbose=0,
        callbacks=[tf_rigl.UpdateMasks(row.algorithm)],
    )
    whole = trained(keras.__name__, name)
    assert_same(model, whole)
    for one, other in zip(
        model.get_weights(), whole.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ROWS)
def test_configuration_round_trip(name):
    algorithm = ROWS[name].algorithm
    config = algorithm.get_config()
    again = type(algorithm)(**config)
    assert again == algorithm
    assert hash(again) == hash(algorithm)
    assert again.get_config() == config


TRAINED_MASKS = """
import hashlib

import keras

import tf_rigl
from tests import support

ALGORITHMS = (
    tf_rigl.SET(6, 2, seed=3),
    tf_rigl.RigL(6, 2, drop_noise=1e-3, grow_init="random", seed=3),
)


def trained_masks():
    digest = hashlib.sha256()
    for algorithm in ALGORITHMS:
        model = tf_rigl.sparsify(support.make_mlp(keras, (9,)), 0.7)
        optimizer = keras.optimizers.SGD(0.1)
        tf_rigl.attach(optimizer, model, algorithm)
        step = support.make_step(keras, model, optimizer)
        for batch in support.batches()[:6]:
            step(*batch)
        for mask in tf_rigl.masks(model).values():
            digest.update(mask.tobytes())
    return digest.hexdigest()
"""


def test_updates_do_not_depend_on_the_hash_of_strings():
    """Another PYTHONHASHSEED, the same masks after random updates."""
    names = {}
    exec(TRAINED_MASKS, names)
    done = subprocess.run(
        [sys.executable, "-c", TRAINED_MASKS + "\nprint(trained_masks())"],
        env={"PYTHONHASHSEED": "12345", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == names["trained_masks"]()
