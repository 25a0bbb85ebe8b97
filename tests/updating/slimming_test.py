"""Network slimming by `fit` against its oracle, step for step."""

import numpy as np
import pytest

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
