"""What was written and `load_test.py` loads, for either Keras."""

import dataclasses
import hashlib
import importlib
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

import tf_rigl

BATCH = 8
CLASSES = 4
BEFORE = 5  # steps that were trained before anything was written
AFTER = 2  # steps that are trained after loading
SCHEDULE = {"stop_step": 9, "update_interval": 2}


def load_keras(name):
    """A Keras whose names are those of a new process."""
    keras = importlib.import_module(name)
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    return keras


def mlp(keras):
    return keras.Sequential(
        [
            keras.Input((8,), name="features"),
            keras.layers.Dense(16, activation="relu", name="hidden"),
            keras.layers.Dense(CLASSES, name="logits"),
        ],
        name="mlp",
    )


def recurrent(keras):
    layers = keras.layers
    inputs = keras.Input((6, 6, 2), name="features")
    hidden = layers.Conv2D(4, 3, name="conv")(inputs)
    hidden = layers.BatchNormalization(name="normalization")(hidden)
    hidden = layers.Reshape((4, 16), name="sequence")(hidden)
    hidden = layers.GRU(4, name="gru")(hidden)
    outputs = layers.Dense(CLASSES, name="logits")(hidden)
    return keras.Model(inputs, outputs, name="recurrent")


def branching(keras):
    """A subclassed model with layers in a list and a model within."""

    class Branching(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            layers = keras.layers
            self.blocks = [
                layers.Dense(12, activation="relu", name="first"),
                layers.Dense(12, name="second"),
            ]
            self.head = keras.Sequential(
                [layers.Dense(CLASSES, name="logits")], name="head"
            )

        def call(self, inputs):
            for block in self.blocks:
                inputs = block(inputs)
            return self.head(inputs)

    model = Branching(name="branching")
    model(tf.zeros((2, 8)))
    return model


@dataclasses.dataclass(frozen=True)
class Case:
    """A sparse model in training.

    Attributes:
        algorithm: the method.
        build: the network, of a Keras.
        shape: of an input.
        sparsity: of the masked weights.
        sparsify: other arguments of `sparsify`.
    """

    algorithm: Any
    build: Callable[[Any], Any] = mlp
    shape: tuple[int, ...] = (8,)
    sparsity: float = 0.7
    sparsify: Mapping[str, Any] = dataclasses.field(default_factory=dict)


CASES = {
    "rigl": Case(tf_rigl.RigL(**SCHEDULE)),
    "snfs": Case(tf_rigl.SNFS(**SCHEDULE)),
    "initial": Case(
        tf_rigl.RigL(**SCHEDULE, grow_init="initial", gradient_steps=2),
        sparsify={"options": tf_rigl.SparsifyOptions(keep_initial_values=True)},
    ),
    "dnw": Case(tf_rigl.DNW(), sparsify={"start": "dense"}),
    "n_by_m": Case(
        tf_rigl.RigL(**SCHEDULE),
        sparsity=0.5,
        sparsify={
            "structure": tf_rigl.NByM(2, 4),
            "distribution": "uniform",
        },
    ),
    "fan_in": Case(
        tf_rigl.SRigL(**SCHEDULE),
        sparsify={"structure": tf_rigl.ConstantFanIn()},
    ),
    "block": Case(
        tf_rigl.RigL(**SCHEDULE),
        sparsify={
            "structure": tf_rigl.Block(2, 2),
            "options": tf_rigl.SparsifyOptions(diagnostics=False),
        },
    ),
    "recurrent": Case(
        tf_rigl.RigL(**SCHEDULE), recurrent, (6, 6, 2), sparsity=0.5
    ),
    "branching": Case(tf_rigl.RigL(**SCHEDULE), branching),
}
# A subclassed model has no configuration to be saved by.
MODEL_FILES = tuple(name for name in CASES if name != "branching")
# Of others a fresh model lacks what its method keeps.
WEIGHTS_FILES = ("rigl", "initial", "branching")
LEGACY_FILES = ("rigl", "snfs")  # HDF5, by Keras 2
TF_CHECKPOINTS = (  # Keras 3 itself leaves out layers in lists
    ("rigl", "objects"),
    ("rigl", "variables"),
    ("branching", "variables"),
)
PACKED = ("rigl", "n_by_m", "fan_in", "block", "recurrent")
LITERT = ("rigl",)


def data(case, samples=64):
    random = np.random.RandomState(7)
    inputs = random.randn(samples, *case.shape).astype("float32")
    return inputs, random.randint(0, CLASSES, samples)


def fixed_inputs(case):
    return data(case)[0][:5]


def make(case, keras):
    model = case.build(keras)
    random = np.random.RandomState(3)
    model.set_weights(
        [
            (0.4 * random.randn(*w.shape)).astype("float32")
            if w.ndim > 1
            else w
            for w in model.get_weights()
        ]
    )
    tf_rigl.sparsify(model, case.sparsity, **case.sparsify)
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def train(case, model, first, steps):
    inputs, labels = data(case)
    chosen = slice(first * BATCH, (first + steps) * BATCH)
    model.fit(
        inputs[chosen],
        labels[chosen],
        batch_size=BATCH,
        shuffle=False,
        verbose=0,
        callbacks=[tf_rigl.UpdateMasks(case.algorithm)],
    )


def outputs(case, model):
    return np.asarray(model(tf.constant(fixed_inputs(case)), training=False))


def arrays(variables, kind):
    return {
        f"{kind}:{number}": np.asarray(tf.convert_to_tensor(variable))
        for number, variable in enumerate(variables)
    }


def records(model):
    found = tf_rigl.diagnose(model).total.to_dict()
    return {
        name: -1.0 if value is None else float(value)
        for name, value in found.items()
    }


def snapshot(case, model):
    return {
        **pack_masks(tf_rigl.masks(model)),
        **arrays(model.trainable_variables, "weight"),
        **{f"record:{key}": one for key, one in records(model).items()},
        "outputs": outputs(case, model),
    }


def optimizer_state(model):
    return arrays(model.optimizer.variables, "slot")


def pack_masks(masks, prefix="mask"):
    return {
        f"{prefix}:{path}": np.packbits(mask) for path, mask in masks.items()
    }


def digest(mask):
    """A short text that says which positions are active."""
    return hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()[:16]


def optimizer_is_built(model):
    """Has an optimizer make its slots, for TensorFlow to restore them."""
    model.optimizer.build(model.trainable_variables)
    return model


def checkpoint(model, kind):
    """TensorFlow's checkpoint of a training run.

    Args:
        model: the model, compiled; its optimizer is built.
        kind: `"objects"` or `"variables"`.
    """
    if kind == "objects":
        return tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    return tf.train.Checkpoint(
        variables=tf_rigl.training_variables(model, model.optimizer)
    )


# A run of the callback `Checkpoints`: two epochs of three steps were trained.
RUN_EPOCHS = 4
RUN_STEPS = 3
EPOCHS_BEFORE = 2


def train_with_checkpoints(case, keras, directory, epochs):
    """Trains to the end of an epoch, or goes on to there."""
    model = make(case, keras)
    inputs, labels = data(case)
    checkpoints = tf_rigl.Checkpoints(directory, keep=1)
    batches = tf.data.Dataset.from_tensor_slices((inputs, labels))
    model.fit(
        batches.batch(BATCH).repeat().skip(checkpoints.step),
        steps_per_epoch=RUN_STEPS,
        epochs=epochs,
        initial_epoch=checkpoints.step // RUN_STEPS,
        verbose=0,
        callbacks=[tf_rigl.UpdateMasks(case.algorithm), checkpoints],
    )
    return model


# Of `bin/train_mlp.py`, but for the folder.
RUN_FLAGS = (
    "--width=0.02",
    "--sparsity=0.9",
    "--epochs=3",
    "--steps_per_epoch=4",
    "--batch_size=32",
    "--evaluation_steps=2",
    "--update_interval=2",
    "--notensorboard",
)
