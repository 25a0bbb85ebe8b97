"""A training run that may be killed at any moment and started again.

```shell
python -m tests.resume.program --keras=keras3 --loop=fit \
    --directory=... --result=....npz
```

Goes on from what is in the directory. Prints the number of each batch that is
trained and writes all variables at the end.
"""

import itertools
import os

import numpy as np
import tensorflow as tf
from absl import app
from absl import flags

import tf_rigl
from tests import support
from tf_rigl.checkpointing.training_state import TrainingState
from tf_rigl.data import mnist
from tf_rigl.experiments import keras_modules

_KERAS = flags.DEFINE_enum("keras", "keras3", ["keras3", "keras2"], "")
_LOOP = flags.DEFINE_enum("loop", "fit", ["fit", "custom"], "")
_DIRECTORY = flags.DEFINE_string("directory", None, "", required=True)
_RESULT = flags.DEFINE_string("result", None, "", required=True)
_STEPS = flags.DEFINE_integer("steps", 300, "")
_SAVE_EVERY = flags.DEFINE_integer("save_every", 7, "")

_STEPS_PER_EPOCH = 50
_BATCH_SIZE = 32
_UPDATE_INTERVAL = 5


def make_data():
    digits = mnist.load("small")
    images = digits.train_images[:2000].astype("float32") / 255
    data = tf.data.Dataset.from_tensor_slices(
        (images, digits.train_labels[:2000].astype("int64"))
    )
    return data.shuffle(2000, seed=1).repeat().batch(_BATCH_SIZE)


def make_model(keras):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input(mnist.IMAGE_SHAPE),
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dropout(0.2, seed=1),
            keras.layers.Dense(mnist.CLASSES),
        ]
    )
    return tf_rigl.sparsify(model, 0.9)


def make_optimizer(keras):
    return keras.optimizers.SGD(0.1, momentum=0.9)


def train_by_fit(keras, model):
    """As a user of `Checkpoints` trains."""

    class Report(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            report(int(self.model.optimizer.iterations.numpy()))

    checkpoints = tf_rigl.Checkpoints(
        _DIRECTORY.value, save_every=_SAVE_EVERY.value
    )
    model.compile(make_optimizer(keras), support.crossentropy(keras))
    model.fit(
        make_data().skip(checkpoints.step),
        steps_per_epoch=_STEPS_PER_EPOCH,
        epochs=_STEPS.value // _STEPS_PER_EPOCH,
        initial_epoch=checkpoints.step // _STEPS_PER_EPOCH,
        verbose=0,
        callbacks=[
            tf_rigl.UpdateMasks(tf_rigl.RigL(update_interval=_UPDATE_INTERVAL)),
            checkpoints,
            Report(),
        ],
    )
    return model.optimizer


def train_by_loop(keras, model):
    """As a user of `tf.train.CheckpointManager` trains."""
    optimizer = make_optimizer(keras)
    tf_rigl.attach(
        optimizer,
        model,
        tf_rigl.RigL(
            stop_step=_STEPS.value * 3 // 4, update_interval=_UPDATE_INTERVAL
        ),
    )
    iterator = iter(make_data())
    step = tf.Variable(0, dtype=tf.int64)
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(
            variables=tf_rigl.training_variables(model, optimizer),
            iterator=iterator,
            step=step,
        ),
        _DIRECTORY.value,
        max_to_keep=2,
    )
    manager.restore_or_initialize()
    train = tf.function(support.make_step(keras, model, optimizer))

    for number in itertools.count(int(step.numpy())):
        if number == _STEPS.value:
            return optimizer
        train(*next(iterator))
        step.assign_add(1)
        report(number + 1)
        if (number + 1) % _SAVE_EVERY.value == 0:
            manager.save(checkpoint_number=number + 1)


def report(step):
    print(f"step {step}", flush=True)


def main(arguments):
    del arguments
    tf.config.experimental.enable_op_determinism()
    keras = keras_modules.load_keras(_KERAS.value)
    if _KERAS.value == "keras2":
        keras.backend.experimental.enable_tf_random_generator()
    model = make_model(keras)
    train_by = train_by_fit if _LOOP.value == "fit" else train_by_loop
    optimizer = train_by(keras, model)
    values = TrainingState.of(model, optimizer).values()
    draft = f"{_RESULT.value}.draft.npz"
    np.savez(draft, *values)
    os.replace(draft, _RESULT.value)


if __name__ == "__main__":
    app.run(main)
