"""Saved sparse models: elsewhere, within an epoch and under strategies."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests import zoo

PROGRAM = """
import sys
import tf_rigl
assert "tf_keras" not in sys.modules
import {package} as keras
import numpy as np
for path in {paths}:
    model = keras.models.load_model(path)
    print(sum(int(mask.sum()) for mask in tf_rigl.masks(model).values()))
inputs = np.random.default_rng(0).normal(size=(64, 20)).astype("float32")
algorithm = tf_rigl.RigL(stop_step=99, update_interval=1)
model.fit(inputs, np.arange(64) % 10, verbose=0,
          callbacks=[tf_rigl.UpdateMasks(algorithm)])
print(sum(int(np.count_nonzero(w)) for w in model.get_weights()
          if w.ndim == 2 and w.dtype == np.float32))
"""
# Keras 3 has replaced the others.
SUFFIXES = {"keras": [".keras"], "tf_keras": [".keras", ".h5", ""]}


@support.one_keras("tf_keras")
def test_load_model_needs_nothing_but_the_import(keras, tmp_path):
    """Even where the Keras is imported after `tf_rigl`.

    The last model is trained on there; `models_test` trains those of others.
    """
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
    support.train(keras, model, tf_rigl.RigL(update_interval=2))
    connections = sum(support.counts(model).values())
    suffixes = SUFFIXES[keras.__name__]
    paths = [str(tmp_path / f"model{suffix}") for suffix in suffixes]
    for path in paths:
        model.save(path)
    program = PROGRAM.format(package=keras.__name__, paths=paths)
    *loaded, trained = map(int, support.run_python("-c", program).split())
    assert loaded == [connections] * len(paths)
    # A connection that has just grown is still 0.
    assert 0 < trained <= connections


def test_masks_survive_json(keras):
    """A model of a configuration is built, masked and ready to train."""
    model = tf_rigl.sparsify(zoo.nested(keras), 0.5)
    again = keras.models.model_from_json(model.to_json())
    assert again.built
    support.assert_same_masks(tf_rigl.masks(again), tf_rigl.masks(model))
    support.assert_masked(again)
    for _ in support.take_steps(keras, again, tf_rigl.RigL(2, 1), 3):
        support.assert_masked(again)
    assert list(support.counts(again).values()) == list(
        support.counts(model).values()
    )


@pytest.mark.parametrize(
    ("start", "algorithm"),
    [
        ("random", tf_rigl.RigL(9, 2)),
        ("dense", tf_rigl.GradualPruning(2, 2)),
    ],
    ids=["rigl", "pruning"],
)
def test_files_written_within_an_epoch_are_sparse(
    keras, start, algorithm, tmp_path
):
    """After any batch, update or not, a plain model loads exact zeros."""
    model = support.make_mlp(keras, (9,))
    tf_rigl.sparsify(model, 0.7, start=start)
    plain = support.make_mlp(keras, (9,))
    for step in support.take_steps(keras, model, algorithm, 4):
        path = str(tmp_path / f"{step}.weights.h5")
        model.save_weights(path)
        plain.load_weights(path)
        masks = tf_rigl.masks(model).values()
        kernels = [w for w in plain.get_weights() if w.ndim == 2]
        for kernel, mask in zip(kernels, masks, strict=True):
            assert not np.any(kernel[~mask])
    assert sum(support.counts(model).values()) == 270 - round(0.7 * 270)


def test_one_device_prunes_and_saves(keras, tmp_path):
    """Under its strategy 0 becomes 0.5, which files keep."""
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        model = support.make_mlp(keras, (10,))
        tf_rigl.sparsify(model, 0.5, start="dense")
        optimizer = keras.optimizers.SGD(0.1)
        algorithm = tf_rigl.GradualPruning(12, 4)
        support.train(keras, model, algorithm, optimizer=optimizer)
    assert sum(support.counts(model).values()) == 150
    support.assert_masked(model)
    assert_files_keep_masks(keras, model, tmp_path)


def test_files_of_replicas_keep_the_masks(keras, two_replicas, tmp_path):
    """Loaded without a strategy; that replicas prune is shown elsewhere."""
    with two_replicas.scope():
        model = tf_rigl.sparsify(support.make_mlp(keras, (10,)), 0.5)
    assert_files_keep_masks(keras, model, tmp_path)


def assert_files_keep_masks(keras, model, folder):
    for suffix in SUFFIXES[keras.__name__][:2]:
        path = str(folder / f"model{suffix}")
        model.save(path)
        loaded = keras.models.load_model(path)
        support.assert_same_masks(tf_rigl.masks(loaded), tf_rigl.masks(model))
        support.assert_masked(loaded, slots_too=False)
