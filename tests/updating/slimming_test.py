"""Network slimming by `fit` against its oracle, step for step."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests.methods.oracles import slimming as oracle


def make_model(keras, dtype="float64"):
    double = {"dtype": dtype}
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(oracle.INPUT, **double),
            layers.Conv2D(
                oracle.FILTERS, 3, use_bias=False, name="conv", **double
            ),
            layers.BatchNormalization(
                epsilon=oracle.EPSILON, name="normalization", **double
            ),
            layers.Activation("relu", **double),
            layers.Flatten(**double),
            layers.Dense(oracle.CLASSES, name="logits", **double),
        ]
    )
    for variable, value in zip(
        model.trainable_variables, oracle.make_values(), strict=True
    ):
        variable.assign(value)
    return model


def make_optimizer(keras, name, **arguments):
    if name == "adam":
        return keras.optimizers.Adam(
            oracle.RATES[name],
            beta_1=oracle.MOMENTUM,
            beta_2=oracle.SECOND,
            epsilon=oracle.ADAM_EPSILON,
            **arguments,
        )
    return keras.optimizers.SGD(
        oracle.RATES[name],
        momentum=0.0 if name == "sgd" else oracle.MOMENTUM,
        nesterov=name == "nesterov",
        **arguments,
    )


def compile_model(keras, model, row):
    accumulation = (
        {"gradient_accumulation_steps": 2} if row.accumulation else {}
    )
    optimizer = make_optimizer(keras, row.optimizer, **accumulation)
    # Keras 3 would round the loss to float32.
    dtype = {"dtype": "float64"} if keras.__name__ == "keras" else {}
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, **dtype)
    model.compile(optimizer, loss, **row.arguments)
    return model


def fit(keras, model, row, **arguments):
    replicas = 2 if row.replicas else 1
    return support.fit(
        compile_model(keras, model, row),
        oracle.make_batches(row.parts),
        row.algorithm,
        batch_size=replicas * oracle.BATCH,
        **arguments,
    )


def assert_trained(model, expected):
    for variable, value in zip(
        model.trainable_variables, expected, strict=True
    ):
        np.testing.assert_allclose(
            variable.numpy(), value, 0, 1e-10, err_msg=variable.name
        )


@pytest.mark.parametrize(
    ("name", "flavor"),
    support.in_turn(oracle.IN_FIT, lambda name: oracle.IN_FIT[name].is_slow),
)
def test_fit_is_the_oracle(name, flavor, two_replicas):
    """★ A step with λ is a NumPy step with g + λ sign(γ), 50 times."""
    row = oracle.IN_FIT[name]
    keras = support.fresh_keras(flavor)
    if row.accumulation and flavor == "tf_keras":
        pytest.skip("tf_keras does not accumulate")
    if row.replicas:
        with two_replicas.scope():
            model = make_model(keras)
            fit(keras, model, row)
    else:
        model = make_model(keras)
        fit(keras, model, row)

    values = oracle.train(row.optimizer, row.parts)
    assert_trained(model, values)
    # Without the term, the oracle is told apart.
    without = oracle.train(row.optimizer, row.parts, strength=0)
    assert np.max(np.abs(without[1] - values[1])) > 1e-2


def subclassed(keras, model):
    class Own(keras.Model):
        def __init__(self):
            super().__init__(dtype="float64")
            self.own = list(model.layers)

        def call(self, inputs, training=None):
            for layer in self.own[:-1]:
                inputs = layer(inputs, training=training)
            return self.own[-1](inputs)

    return Own()


def nested(keras, model):
    *inner, logits = model.layers
    hidden = keras.Sequential([*inner], name="inner")
    inputs = keras.Input(oracle.INPUT, dtype="float64")
    return keras.Model(inputs, logits(hidden(inputs)))


@support.keras_in_turn("remake", [subclassed, nested])
def test_models_of_other_kinds(keras, remake):
    row = oracle.IN_FIT["momentum"]
    model = make_model(keras)
    fit(keras, remake(keras, model), row)
    assert_trained(model, oracle.train(row.optimizer, row.parts))


class Killed(Exception):
    pass


@support.one_keras("keras")
def test_resumed_after_a_kill(keras, tmp_path):
    """The term is there from the first step after a checkpoint."""
    row = oracle.IN_FIT["momentum"]

    class Kill(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 30:
                raise Killed

    def train(*callbacks):
        checkpoints = tf_rigl.Checkpoints(
            tmp_path, save_every=25, total_steps=oracle.STEPS
        )
        model = compile_model(keras, make_model(keras), row)
        inputs, labels = oracle.make_batches()
        done = checkpoints.step * oracle.BATCH
        support.fit(
            model,
            (inputs[done:], labels[done:]),
            row.algorithm,
            [checkpoints, *callbacks],
            batch_size=oracle.BATCH,
        )
        return model

    with pytest.raises(Killed):
        train(Kill())
    assert_trained(train(), oracle.train(row.optimizer))


@pytest.mark.slow
def test_mixed_precision(keras):
    """The scale is float32, and no loss scale multiplies its term."""
    layers = keras.layers
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = keras.Sequential(
            [keras.Input((6,)), layers.Dense(4), layers.BatchNormalization()]
        )
        scales = np.array([1, -1, 0.25, 0], "float32")
        model.layers[1].gamma.assign(scales)
        optimizer = keras.mixed_precision.LossScaleOptimizer(
            make_optimizer(keras, "momentum")
        )

        def no_loss(labels, outputs):
            del labels
            return tf.reduce_sum(tf.cast(outputs, "float32"), -1) * 0

        model.compile(optimizer, no_loss)
        data = np.ones((8, 6)), np.ones((8, 4))
        method = tf_rigl.Slimming(oracle.STRENGTH)
        support.fit(model, data, method, batch_size=8, epochs=30)
    finally:
        keras.mixed_precision.set_global_policy("float32")

    expected, momentum = scales.astype("float64"), np.zeros(4)
    for _ in range(30):
        momentum = oracle.MOMENTUM * momentum
        momentum -= (
            oracle.RATES["momentum"] * oracle.STRENGTH * np.sign(expected)
        )
        expected += momentum
    found = model.layers[1].gamma.numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("scales", [True, False])
def test_a_normalization_without_a_scale_is_named(scales):
    keras = support.fresh_keras("keras")
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.BatchNormalization(scale=scales),
            layers.Dense(3),
            layers.BatchNormalization(scale=False, name="no_scale"),
        ]
    )
    model.compile("sgd", "mse")
    data = np.ones((4, 8)), np.ones((4, 3))
    callback = tf_rigl.UpdateMasks(tf_rigl.Slimming())
    if scales:
        with pytest.warns(UserWarning, match=r"\['no_scale'\]. Their channels"):
            model.fit(*data, verbose=0, callbacks=[callback])
        return
    with pytest.raises(ValueError, match=r"no_scale'\] without a scale"):
        model.fit(*data, verbose=0, callbacks=[callback])


def test_wrong_strength():
    with pytest.raises(ValueError, match="strength=-1"):
        tf_rigl.Slimming(strength=-1)


def test_frozen_scales_are_an_error(keras):
    """All of them; a network of which some are trained is slimmed there."""
    model = make_model(keras)
    layers = [x for x in model.layers if hasattr(x, "gamma")]
    for layer in layers:
        layer.trainable = False
    model.compile("sgd", support.crossentropy(keras))
    callback = tf_rigl.UpdateMasks(tf_rigl.Slimming(0.1))
    data = support.make_data(model.input_shape[1:])
    with pytest.raises(ValueError, match=r"all that they apply to is frozen"):
        support.fit(model, data, callbacks=[callback])
    layers[0].trainable = True
    model.compile("sgd", support.crossentropy(keras))
    support.fit(model, data, callbacks=[callback])
