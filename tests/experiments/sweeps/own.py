"""A model and data of a user's own, small enough for tests of sweeps."""

import functools
import importlib

import numpy as np

from tests import support

CLASSES = 3
# Three epochs of four steps.
TINY = {
    "methods": ["dense", "rigl"],
    "sparsities": [0.5],
    "seeds": [0],
    "epochs": 3,
    "batch_size": 16,
    "update_interval": 2,
    "verbose": False,
}


def build(keras, width=1.0, rate=0.1):
    """A compiled model with dropout, whose random numbers must be resumed."""
    model = keras.Sequential(
        [
            keras.Input((20,)),
            keras.layers.Dense(max(1, round(32 * width)), activation="relu"),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(CLASSES),
        ],
        name="mine",
    )
    model.compile(
        keras.optimizers.SGD(rate, momentum=0.9),
        support.crossentropy(keras),
        metrics=["accuracy"],
    )
    return model


def builder(keras, **arguments):
    return functools.partial(build, keras, **arguments)


def arrays():
    inputs, labels = support.make_data((20,), 64, CLASSES)
    labels = np.argmax(inputs[:, :CLASSES], axis=1)  # can be learned
    more, _ = support.make_data((20,), 32, CLASSES, seed=1)
    return (inputs, labels), (more, np.argmax(more[:, :CLASSES], axis=1))


def sweep_in_child(flavor, folder, kill_at):
    """Sweeps as a program of its own, killed at a step unless that is 0."""
    import os
    import signal

    import tf_rigl
    from tf_rigl.experiments.sweeps import own_runs

    keras = importlib.import_module(flavor)
    steps = own_runs._Steps
    before = steps.on_train_batch_end

    def act(self, batch, logs=None):
        before(self, batch, logs)
        if self._steps == int(kill_at):
            os.kill(os.getpid(), signal.SIGKILL)

    steps.on_train_batch_end = act
    result = tf_rigl.sweep(
        builder(keras), arrays(), **{**TINY, "methods": ["rigl"]}, folder=folder
    )
    print(result)
