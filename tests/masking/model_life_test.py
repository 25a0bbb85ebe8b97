"""Copies of a sparse model, and what Keras's own callbacks do to it."""

import copy
import importlib
import pickle

import numpy as np
import pytest

import tf_rigl
from tests import support
from tf_rigl.masking.masked_weight import masked_weights

RIGL = tf_rigl.RigL(stop_step=100, update_interval=2)


@pytest.fixture
def model(keras):
    """A sparse model whose masks have moved."""
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
    support.train(keras, model, RIGL, 1)
    return model


@support.one_keras("tf_keras")
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))]
)
def test_a_copy_has_the_masks_and_trains(keras, model, copied):
    other = copied(model)
    support.assert_same_masks(tf_rigl.masks(other), tf_rigl.masks(model))
    support.assert_all_equal(other.get_weights(), model.get_weights())
    support.train(keras, other, RIGL, 1)
    support.assert_masked(other)
    support.assert_masked(model)


def test_a_clone_begins_with_the_first_masks(keras, model):
    clone = keras.models.clone_model(model)
    first = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
    support.assert_same_masks(tf_rigl.masks(clone), tf_rigl.masks(first))


def test_dtype_policy_is_set_later():
    keras = importlib.import_module("keras")
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
    masks = tf_rigl.masks(model)
    for layer in model.layers:
        layer.dtype_policy = keras.DTypePolicy("mixed_bfloat16")
    support.assert_same_masks(tf_rigl.masks(model), masks)
    support.train(keras, model, RIGL, 1)
    support.assert_masked(model)
    assert support.moved(model) > 0


def test_swapped_averages_are_masked():
    keras = importlib.import_module("keras")
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8)
    optimizer = keras.optimizers.SGD(0.1, use_ema=True)
    support.train(
        keras,
        model,
        RIGL,
        2,
        optimizer,
        callbacks=[keras.callbacks.SwapEMAWeights(swap_on_epoch=True)],
        validation_data=support.make_data((20,), 32),
    )
    support.assert_masked(model)


@support.one_keras("keras")
def test_a_lower_learning_rate(keras, model):
    callback = keras.callbacks.ReduceLROnPlateau(
        "loss", patience=0, min_delta=9
    )
    support.train(keras, model, RIGL, 3, callbacks=[callback])
    assert float(np.asarray(model.optimizer.learning_rate)) < 0.1
    support.assert_masked(model)


@support.one_keras("tf_keras")
def test_a_weight_that_is_added_while_attached(keras, model):
    """It is none of the method's; the masks go on."""
    layer = model.layers[-1]
    if keras.__name__ == "keras":
        layer._tracker.unlock()
    layer.scale = layer.add_weight(name="scale", shape=(), initializer="ones")
    moved = support.moved(model)
    support.train(keras, model, RIGL, 1)
    assert len(masked_weights(model)) == 2
    assert support.moved(model) > moved
    support.assert_masked(model)


@pytest.mark.slow
def test_keras_tuner(tmp_path):
    keras_tuner = pytest.importorskip("keras_tuner")
    keras = importlib.import_module("keras")

    def build(choices):
        sparsity = choices.Choice("sparsity", [0.5, 0.8])
        model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), sparsity)
        model.compile("sgd", support.crossentropy(keras))
        return model

    tuner = keras_tuner.GridSearch(build, "loss", directory=tmp_path)
    data = support.make_data((20,), 32)
    tuner.search(*data, verbose=0, callbacks=[tf_rigl.UpdateMasks(RIGL)])

    trials = tuner.oracle.get_best_trials(2)
    assert len(trials) == 2
    for trial in trials:
        model = tuner.load_model(trial)
        support.assert_masked(model, slots_too=False)
        (first, *_) = tf_rigl.masks(build(trial.hyperparameters)).values()
        mask = tf_rigl.masks(model)["dense/kernel"]
        assert mask.sum() == first.sum()
        assert (mask != first).any()
