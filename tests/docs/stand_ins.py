"""Stand-ins for what code blocks leave to the reader, small enough to run.

A page names what it uses of these in a comment above the block; the reader
has a model and data of her own. Each is a function of the Keras to use.
"""

import inspect

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tf_rigl import wann
from tf_rigl.wann import genome as genomes
from tf_rigl.wann import mutation

INPUTS = 20
CLASSES = 10
STEPS = 4  # batches of an epoch


def _batches(*shape):
    """Random examples and labels, in batches of 8, shuffled with a seed."""
    random = np.random.default_rng(0)
    examples = random.normal(size=(8 * STEPS, *shape)).astype("float32")
    labels = random.integers(0, CLASSES, 8 * STEPS)
    data = tf.data.Dataset.from_tensor_slices((examples, labels))
    return data.shuffle(8 * STEPS, seed=0).batch(8)


def data(_):
    return _batches(INPUTS)


def train_data(_):
    return _batches(28, 28)


def test_data(keras):
    return train_data(keras)


def trained(keras):
    """A classifier of 28×28 images, in the file `trained.keras`."""
    made = keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(CLASSES),
        ]
    )
    made.compile(optimizer(keras), loss(keras), metrics=["accuracy"])
    made.fit(train_data(keras), verbose=0)
    made.save("trained.keras")


def make_model(keras):
    """A function that makes `model`."""

    def make():
        return keras.Sequential(
            [
                keras.Input((INPUTS,)),
                keras.layers.Dense(64, activation="relu", name="first"),
                keras.layers.Dense(64, activation="relu", name="second"),
                keras.layers.Dense(CLASSES, name="out"),
            ]
        )

    return make


def model(keras):
    return make_model(keras)()


def loss(keras):
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def optimizer(keras):
    return keras.optimizers.SGD(0.1, momentum=0.9)


def sparse_model(keras):
    """`model`, sparse and compiled."""
    made = tf_rigl.sparsify(model(keras), 0.5)
    made.compile(optimizer(keras), loss(keras))
    return made


def any_size_model(keras):
    layers = keras.layers
    inputs = keras.Input((None, None, 3))
    hidden = layers.Conv2D(8, 3, activation="relu")(inputs)
    outputs = layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(hidden))
    return keras.Model(inputs, outputs)


def left(keras):
    del keras
    return np.ones((2, 3), "float32")


def right(keras):
    return left(keras)


def two_arguments(keras):
    """A sparse model of the user's, whose `call` takes two arguments."""

    class TwoArguments(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(8)

        def call(self, left, right):
            return self.dense(left) + self.dense(right)

    made = TwoArguments()
    made(left(keras), right(keras))
    return tf_rigl.sparsify(made, 0.5)


def convnet(keras):
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(8, 3, activation="relu", name="conv"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(CLASSES, name="out"),
        ]
    )


def make_conv_model(keras):
    """A function that makes a convolutional network, normalized."""

    def make():
        layers = keras.layers
        return keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                layers.Conv2D(8, 3, use_bias=False, name="conv"),
                layers.BatchNormalization(name="normalization"),
                layers.Activation("relu"),
                layers.GlobalAveragePooling2D(),
                layers.Dense(CLASSES, name="out"),
            ]
        )

    return make


def images(_):
    return _batches(8, 8, 3)


def steps(_):
    return STEPS


def name(_):
    """The name of a strategy, as a flag of a program would give it."""
    return "one_device"


def genome(_):
    """The champion of a search for swing-up, or nearly."""
    generator = np.random.default_rng(0)
    one = genomes.start(5, 1, generator)
    innovations = mutation.Innovations.after(one)
    for _ in range(12):
        one = mutation.mutate(one, generator, innovations)
    return one


def task(_):
    """Swing-up for half a second."""
    return wann.SwingUp(steps=50)


def tfmot(_):
    """The TensorFlow Model Optimization Toolkit."""
    return pytest.importorskip("tensorflow_model_optimization")


def pruned(keras):
    """A model of tf_keras that TFMOT has wrapped, trained and pruned."""
    pruning = tfmot(keras).sparsity.keras
    schedule = pruning.PolynomialDecay(0.0, 0.5, 0, 2, frequency=1)
    made = pruning.prune_low_magnitude(model(keras), pruning_schedule=schedule)
    made.compile(optimizer(keras), loss(keras))
    made.fit(data(keras), verbose=0, callbacks=[pruning.UpdatePruningStep()])
    return made


def make(name, keras):
    """Makes a stand-in.

    Raises:
        KeyError: if there is none of this name.
    """
    return STAND_INS[name](keras)


STAND_INS = {
    name: function
    for name, function in vars().items()
    if inspect.isfunction(function) and name != "make" and name[0] != "_"
}
