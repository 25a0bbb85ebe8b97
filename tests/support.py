import importlib
import itertools
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tf_rigl.backend.flavor import flavor_of
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.updating import slots

FLAVORS = ("keras", "tf_keras")
ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = ROOT / "bin"


def in_turn(names, is_slow=lambda name: False):
    """Parameters (name, flavor): by turns one Keras, the other `-m slow`.

    Those that `is_slow` names are slow in both.
    """
    return [
        pytest.param(
            name,
            flavor,
            marks=[pytest.mark.slow]
            if is_slow(name) or number != place % 2
            else [],
        )
        for place, name in enumerate(names)
        for number, flavor in enumerate(FLAVORS)
    ]


def keras_in_turn(name, values, is_slow=lambda value: False):
    """Runs a test of each value with one Keras by turns, `-m slow` both."""
    return pytest.mark.parametrize(
        (name, "keras"), in_turn(values, is_slow), indirect=["keras"]
    )


def one_keras(flavor):
    """Runs a test that hangs little on the Keras with one, `-m slow` both."""
    others = [
        pytest.param(other, marks=pytest.mark.slow)
        for other in FLAVORS
        if other != flavor
    ]
    return pytest.mark.parametrize("keras", [flavor, *others], indirect=True)


def fresh_keras(name):
    """A Keras as in a new process: it names layers from the start, and a seed.

    Garbage is Python's to collect. Keras 3 would collect all that there is
    each time, which took a quarter of the time of tests that train.
    """
    keras = importlib.import_module(name)
    options = {"free_memory": False} if name == "keras" else {}
    keras.backend.clear_session(**options)
    keras.utils.set_random_seed(1)
    return keras


def child_environment(**changes):
    """The environment of a process that finds this library, and is quiet."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        **changes,
    }


def start_python(*arguments, cwd=ROOT):
    """Runs Python in a process of its own, to whatever end."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def run_python(*arguments, cwd=ROOT):
    """Runs Python likewise, to a good end; returns what it printed."""
    done = start_python(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def assert_all_equal(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def make_data(shape, samples=64, classes=3, seed=0):
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(samples, *shape)).astype("float32")
    return inputs, random.integers(0, classes, samples)


def make_mlp(keras, units=(64, 32), outputs=10, inputs=20, dtype=None):
    """A network with the same weights in every Keras."""
    layers = [keras.Input((inputs,))]
    layers += [keras.layers.Dense(n, activation="relu") for n in units]
    layers += [keras.layers.Dense(outputs, dtype=dtype)]
    model = keras.Sequential(layers)
    random = np.random.default_rng(1)
    model.set_weights(
        [
            random.normal(size=w.shape, scale=0.2).astype(w.dtype)
            for w in model.get_weights()
        ]
    )
    return model


def make_noisy(keras, units=16, dropout=0.3):
    """A network that keeps averages, and draws random numbers in training."""
    if keras.__name__ == "tf_keras":
        keras.backend.experimental.enable_tf_random_generator()
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((20,)),
            layers.Dense(units, "relu", name="first"),
            layers.BatchNormalization(name="normalization"),
            layers.Dropout(dropout, seed=1),
            layers.Dense(10, name="logits"),
        ]
    )


def make_traced(keras):
    """A network, and the list of the times that its training was traced."""
    traces = []

    class Traced(keras.layers.Layer):
        def call(self, inputs, training=False):
            if training:
                traces.append(inputs.shape)
            return inputs

    model = keras.Sequential(
        [keras.Input((20,)), Traced(), keras.layers.Dense(10, name="logits")]
    )
    return model, traces


def crossentropy(keras):
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def counts(model):
    return {path: int(m.sum()) for path, m in tf_rigl.masks(model).items()}


def moved(model):
    return sum(int(w.counters.numpy()[1]) for w in masked_weights(model))


def assert_masked(model, optimizer=None, slots_too=True):
    """Masked positions of weights and slots hold exactly 0, all are finite.

    Returns the number of slots that were looked at.
    """
    optimizer = optimizer or getattr(model, "optimizer", None)
    flavor = flavor_of(model)
    seen = 0
    for weight in masked_weights(model):
        inactive = ~weight.mask.numpy()
        values = weight.values().numpy()
        assert not np.any(values[inactive]), weight.path
        assert np.all(np.isfinite(values.astype("float32"))), weight.path
        if optimizer is None or not slots_too:
            continue
        for one in flavor.updating_optimizers(optimizer):
            if not flavor.optimizer_is_built(one):
                continue
            for slot in slots.slots_of(flavor, one, weight):
                values = flavor.raw(slot).numpy()
                assert not np.any(values[inactive]), weight.path
                assert np.all(np.isfinite(values)), weight.path
                seen += 1
    return seen


def assert_replicas_masked(model, strategy):
    """Masked positions hold exactly 0 on every replica."""
    for weight in masked_weights(model):
        values, _ = weight.storage.variables
        for one in strategy.experimental_local_results(values):
            assert not np.any(one.numpy()[~weight.mask.numpy()])


def assert_same_masks(first, second):
    """Two models' masks agree, whatever their layers are called."""
    assert_all_equal(first.values(), second.values())


def make_step(keras, model, optimizer, loss_function=None):
    loss_function = loss_function or crossentropy(keras)

    def step(inputs, labels):
        with tf.GradientTape() as tape:
            loss = loss_function(labels, model(inputs, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(
            zip(gradients, model.trainable_variables, strict=True)
        )

    return step


def batches(samples=256, batch_size=32):
    """The batches of one epoch, as `train` feeds them."""
    inputs, labels = make_data((20,), samples)
    return [
        (
            tf.constant(inputs[at : at + batch_size]),
            tf.constant(labels[at : at + batch_size]),
        )
        for at in range(0, samples, batch_size)
    ]


def fit(model, data, algorithm=None, callbacks=(), **kwargs):
    """Fits to (inputs, labels), in order and silently: the history.

    The optimizer gets its variables before, where the model has its own: a
    step that makes variables is traced twice.
    """
    if model.built and hasattr(model.optimizer, "build"):
        with model.distribute_strategy.scope():
            model.optimizer.build(model.trainable_variables)
    if algorithm is not None:
        callbacks = [tf_rigl.UpdateMasks(algorithm), *callbacks]
    kwargs = {"shuffle": False, "verbose": 0, **kwargs}
    return model.fit(*data, callbacks=list(callbacks), **kwargs)


def train(keras, model, algorithm, epochs=2, optimizer=None, **kwargs):
    compile_arguments = {
        key: kwargs.pop(key)
        for key in ("jit_compile", "run_eagerly", "steps_per_execution")
        if key in kwargs
    }
    model.compile(
        optimizer or keras.optimizers.SGD(0.1, momentum=0.9),
        crossentropy(keras),
        **compile_arguments,
    )
    shape = kwargs.pop("shape", (20,))
    data = make_data(shape, kwargs.pop("samples", 256))
    kwargs = {"batch_size": 32, "epochs": epochs, **kwargs}
    return fit(model, data, algorithm, **kwargs)


def take_steps(keras, model, algorithm, number, optimizer=None):
    """Trains step by step and yields the number of each, from 0."""
    optimizer = optimizer or keras.optimizers.SGD(0.1)
    tf_rigl.attach(optimizer, model, algorithm)
    step = make_step(keras, model, optimizer)

    for index, batch in zip(
        range(number), itertools.cycle(batches()), strict=False
    ):
        step(*batch)
        yield index


def plain_clone(keras, model, units):
    """A dense model with the values of a sparse one, zeros included."""
    clone = make_mlp(keras, units)
    clone.set_weights([weight.numpy() for weight in model.trainable_weights])
    return clone
