"""A decay that no update rule adds is told of, whoever trains the factors."""

import warnings

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests.factors import factor_models

TOLD = "trained without any decay"
CALLBACK = tf_rigl.UpdateMasks(tf_rigl.Static())


def make_model(keras, decay=0.1):
    model, inputs = factor_models.sequential(
        keras,
        (12,),
        keras.layers.Dense(14, "relu", name="first"),
        keras.layers.Dense(9, name="second"),
    )
    tf_rigl.factorize(model, rank_scale=0.3, frobenius_decay=decay)
    return model, inputs


def fit(model, inputs, *callbacks, **arguments):
    model.compile("sgd", "mse", **arguments)
    model.fit(inputs, model(inputs), verbose=0, callbacks=[*callbacks])


def test_plain_fit_warns(keras, tmp_path):
    """Until there are no factors any more; loaded models likewise."""
    model, inputs = make_model(keras)
    with pytest.warns(UserWarning, match=TOLD):
        fit(model, inputs)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    fit(loaded, inputs, CALLBACK)
    with pytest.warns(UserWarning, match=TOLD):
        fit(loaded, inputs, run_eagerly=True)
    fit(tf_rigl.strip(loaded, factors="kernel"), inputs)


@support.one_keras("tf_keras")
def test_it_is_no_warning_without_a_decay(keras):
    fit(*make_model(keras, 0.0))


def test_loops_warn_unless_attached(keras):
    model, inputs = make_model(keras)

    def step(optimizer):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model(inputs) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        pairs = zip(gradients, model.trainable_variables, strict=True)
        optimizer.apply_gradients(pairs)

    attached = keras.optimizers.SGD(0.1)
    tf_rigl.attach(attached, model, tf_rigl.Static())
    step(attached)
    with pytest.warns(UserWarning, match=TOLD):
        step(keras.optimizers.SGD(0.1))


def test_masked_factors(keras):
    """The watch stays behind that of the mask, and comes back with it."""
    model, inputs = make_model(keras)
    tf_rigl.sparsify(model, 0.5)
    fit(model, inputs, tf_rigl.UpdateMasks(tf_rigl.RigL(9, 1)))
    support.assert_masked(model)
    with pytest.warns(UserWarning, match=TOLD):
        fit(model, inputs)
    support.assert_masked(model, slots_too=False)


@pytest.mark.slow
def test_heads(keras):
    inputs = keras.Input((5, 8))
    outputs = keras.layers.MultiHeadAttention(2, 4)(inputs, inputs)
    model = keras.Model(inputs, outputs)
    tf_rigl.factorize(
        model, rank_scale=0.5, attention=True, frobenius_decay=0.1
    )
    data = factor_models.draw(3, 5, 8)
    fit(model, data, CALLBACK)
    with pytest.warns(UserWarning, match=TOLD):
        fit(model, data)
    fit(tf_rigl.strip(model), data)


@support.one_keras("tf_keras")
def test_two_replicas(keras, two_replicas):
    with two_replicas.scope():
        model, inputs = make_model(keras)
        model.compile("sgd", "mse")
    inputs = np.concatenate([inputs] * 4)
    data = inputs, np.ones((12, 9), "float32")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(*data, batch_size=4, verbose=0, callbacks=[CALLBACK])
    with pytest.warns(UserWarning, match=TOLD):
        model.fit(*data, batch_size=4, verbose=0)
