"""Exports a normalized network from within a strategy, on every worker."""

import numpy as np
import tensorflow as tf

import tf_rigl
from tf_rigl.backend import distribution
from tf_rigl.backend.flavor import flavor_of

SHAPE = (6, 6, 3)
COMPRESSIONS = ("smallest", None)
FOUND = "found.npz"


def build(keras):
    keras.utils.set_random_seed(3)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Conv2D(16, 3, name="conv"),
            layers.BatchNormalization(name="normal"),
            layers.Flatten(),
            layers.Dense(4, name="dense"),
        ]
    )


def examples():
    values = np.random.default_rng(0).normal(size=(5, *SHAPE))
    return values.astype("float32")


def export(keras, strategy, folder, worker, workers):
    """Exports in every way, with averages that differ where they may.

    All workers call it together. Beside the artifacts stands `FOUND`: the
    network's outputs as the strategy computes them, before and after the masks
    are gone, its multiply-accumulates, what the averages are in all, and what
    is said of a signature that sums over workers.
    """
    with strategy.scope():
        model = tf_rigl.sparsify(build(keras), 0.5, seed=7)
    average = spread_averages(model, worker, workers)
    folder.mkdir()
    refusal = _refusal(model, folder)

    for compression in COMPRESSIONS:
        path = folder / str(compression)
        tf_rigl.export_saved_model(model, path, compression)
    tf_rigl.export_litert(model, folder / "model.tflite")
    with strategy.scope():
        tf_rigl.export_saved_model(model, folder / "in_scope")

    sparse = model(examples(), training=False).numpy()
    macs = tf_rigl.profile(model).dense_macs
    tf_rigl.strip(model)
    stripped = model(examples(), training=False).numpy()
    np.savez(
        folder / FOUND,
        average=average,
        macs=macs,
        refusal=refusal,
        sparse=sparse,
        stripped=stripped,
    )


def _refusal(model, folder):
    @tf.function(input_signature=[tf.TensorSpec([None, *SHAPE])])
    def infer(images):
        return model(images, training=False)

    try:
        tf_rigl.export_saved_model(
            model,
            folder / "refused",
            signatures={"infer": infer.get_concrete_function()},
        )
    except ValueError as error:
        return str(error)
    return ""


def spread_averages(model, worker=0, workers=1):
    """Gives each replica of an average over replicas a value of its own.

    Returns:
        Their mean.
    """
    flavor = flavor_of(model)
    mean = 1.0
    for variable in model.get_layer("normal").non_trainable_weights:
        raw = flavor.raw(variable)
        parts = distribution.components(raw)
        is_average = (
            len(parts) * workers > 1
            and raw.synchronization == tf.VariableSynchronization.ON_READ
        )
        for replica, part in enumerate(parts):
            share = (worker * len(parts) + replica) if is_average else 0
            part.assign(tf.ones(part.shape) + share)
        mean = 1 + (workers * len(parts) - 1) / 2 if is_average else 1.0
    return mean
