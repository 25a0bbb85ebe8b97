"""Penalties that the update rule adds, of one variable or of several."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.algorithms import Penalty

RATE, STRENGTH, STEPS = 0.125, 0.25, 8


@dataclasses.dataclass(frozen=True)
class ProductDecay(Penalty):
    """The term λ/2 · ‖U V‖² of two kernels."""

    names: tuple[str, str] = ("u", "v")
    strength: float = STRENGTH

    def groups(self, layers):
        return [tuple(layers[name].kernel for name in self.names)]

    def gradients(self, values):
        u, v = values
        product = self.strength * tf.matmul(u, v)
        return [
            tf.matmul(product, v, transpose_b=True),
            tf.matmul(u, product, transpose_a=True),
        ]


def make_model(keras):
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(4, use_bias=False, name="u"),
            keras.layers.Dense(3, use_bias=False, name="v", dtype="float32"),
        ]
    )
    random = np.random.default_rng(1)
    model.set_weights(
        [random.normal(size=w.shape) / 2 for w in model.get_weights()]
    )
    return model


def no_loss(labels, outputs):
    """A loss whose gradients are all 0, so that the penalty is alone."""
    del labels
    return tf.reduce_sum(tf.cast(outputs, tf.float32), -1) * 0


def fit(keras, model, optimizer, loss=no_loss, epochs=STEPS, **arguments):
    callback = tf_rigl.UpdateMasks(tf_rigl.Static(), penalties=[ProductDecay()])
    model.compile(optimizer, loss, **arguments)
    random = np.random.default_rng(2)
    data = random.normal(size=(8, 6)), random.normal(size=(8, 3))
    support.fit(model, data, callbacks=[callback], batch_size=8, epochs=epochs)
    return model


def by_hand(model, mask=None, steps=STEPS):
    """Kernels after so many steps of SGD with momentum on the penalty alone."""
    u, v = (weight.numpy().astype("float64") for weight in model.weights)
    mask = np.ones_like(u) if mask is None else mask
    u *= mask
    momenta = [np.zeros_like(u), np.zeros_like(v)]
    for _ in range(steps):
        of_u, of_v = STRENGTH * (u @ v) @ v.T, STRENGTH * u.T @ (u @ v)
        momenta[0] = 0.875 * momenta[0] - RATE * of_u * mask
        momenta[1] = 0.875 * momenta[1] - RATE * of_v
        u, v = u + momenta[0], v + momenta[1]
    return u, v


def assert_kernels(model, expected):
    for weight, value in zip(model.weights, expected, strict=True):
        np.testing.assert_allclose(weight.numpy(), value, rtol=0, atol=1e-6)


def sgd(keras, **arguments):
    return keras.optimizers.SGD(RATE, momentum=0.875, **arguments)


@pytest.mark.parametrize(
    ("arguments", "epochs"),
    [
        ({}, STEPS),
        # Several optimizer steps in one call, and one in several batches.
        ({"jit_compile": True}, STEPS),
        ({"gradient_accumulation_steps": 2}, 2 * STEPS),
    ],
)
def test_the_step_of_two_variables(arguments, epochs):
    keras = support.fresh_keras("keras")
    of_optimizer = {
        key: arguments[key]
        for key in arguments
        if key == "gradient_accumulation_steps"
    }
    of_compile = {
        key: arguments[key] for key in arguments if key not in of_optimizer
    }
    model = make_model(keras)
    expected = by_hand(model)
    fit(keras, model, sgd(keras, **of_optimizer), epochs=epochs, **of_compile)
    assert_kernels(model, expected)


@support.one_keras("tf_keras")
def test_replicas_do_not_multiply_it(keras, two_replicas):
    with two_replicas.scope():
        model = make_model(keras)
        expected = by_hand(model)
        fit(keras, model, sgd(keras))
    assert_kernels(model, expected)


@support.one_keras("keras")
def test_loss_scaling_does_not_scale_it(keras):
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = make_model(keras)
        expected = by_hand(model)
        scaled = keras.mixed_precision.LossScaleOptimizer(sgd(keras))
        fit(keras, model, scaled)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert_kernels(model, expected)


def test_with_a_loss_it_equals_the_gradient_of_the_sum():
    """In a custom loop, against a loss that has the term itself."""
    keras = support.fresh_keras("tf_keras")
    model, other = make_model(keras), make_model(keras)
    inputs = tf.random.stateless_normal((8, 6), (1, 2))
    labels = tf.random.stateless_normal((8, 3), (3, 4))
    optimizer, plain = sgd(keras), sgd(keras)
    tf_rigl.attach(
        optimizer, model, tf_rigl.Static(), penalties=[ProductDecay()]
    )

    def step(model, optimizer, strength):
        with tf.GradientTape() as tape:
            u, v = model.trainable_variables
            loss = tf.reduce_mean((model(inputs) - labels) ** 2)
            loss += strength / 2 * tf.reduce_sum(tf.matmul(u, v) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(
            zip(gradients, model.trainable_variables, strict=True)
        )

    for _ in range(STEPS):
        step(model, optimizer, 0.0)
        step(other, plain, STRENGTH)
    assert_kernels(model, [weight.numpy() for weight in other.weights])


def test_a_mask_is_above_it():
    keras = support.fresh_keras("keras")
    model = tf_rigl.sparsify(make_model(keras), 0.5, dense=["v"])
    expected = by_hand(model, tf_rigl.masks(model)["u/kernel"])
    fit(keras, model, sgd(keras))
    assert_kernels(model, expected)
    support.assert_masked(model)


def test_a_frozen_variable_counts_for_the_others():
    keras = support.fresh_keras("keras")
    model = make_model(keras)
    model.get_layer("v").trainable = False
    (u, v), before = (
        by_hand(model, steps=1),
        model.get_layer("v").kernel.numpy(),
    )
    del v
    fit(keras, model, sgd(keras), epochs=1)
    np.testing.assert_allclose(
        model.get_layer("u").kernel.numpy(), u, rtol=0, atol=1e-6
    )
    np.testing.assert_array_equal(model.get_layer("v").kernel.numpy(), before)


def test_other_penalties_are_another_step():
    """The compiled step is kept for equal penalties alone."""
    keras = support.fresh_keras("keras")
    model = make_model(keras)
    model.compile(sgd(keras), no_loss)
    data = np.ones((8, 6)), np.ones((8, 3))

    def fit_with(strength):
        before = model.get_weights()
        penalties = [ProductDecay(strength=strength)]
        callback = tf_rigl.UpdateMasks(tf_rigl.Static(), penalties=penalties)
        support.fit(model, data, callbacks=[callback])
        step = model.__dict__["_tf_rigl_train_step"].functions
        moved = np.abs(before[0] - model.get_weights()[0]).max()
        return step["train_function"], moved

    first, moved = fit_with(0.0)
    assert moved == 0
    second, moved = fit_with(0.5)
    assert second is not first
    assert moved > 0.01
    third, _ = fit_with(0.5)
    assert third is second


def test_methods_that_train_something_else_refuse():
    keras = support.fresh_keras("keras")
    for method in (tf_rigl.STE(), tf_rigl.EdgePopup()):
        model = tf_rigl.sparsify(make_model(keras), 0.5, start="dense")
        with pytest.raises(ValueError, match="trains other values in"):
            tf_rigl.attach(
                keras.optimizers.SGD(),
                model,
                method,
                penalties=[ProductDecay()],
            )


@pytest.mark.parametrize("penalties", [ProductDecay(), [0.1]])
def test_wrong_penalties(penalties):
    with pytest.raises(TypeError, match="must be a list of"):
        tf_rigl.UpdateMasks(tf_rigl.Static(), penalties=penalties)


def test_a_dense_model_needs_masks_for_a_method_that_moves_them():
    keras = support.fresh_keras("keras")
    with pytest.raises(ValueError, match="must have masked weights"):
        fit_method(keras, tf_rigl.RigL(8, 2))


def fit_method(keras, method):
    model = make_model(keras)
    tf_rigl.attach(sgd(keras), model, method, penalties=[ProductDecay()])


def test_an_optimizer_that_steps_one_by_one_is_refused():
    """It would give the others the values of another step."""
    keras = support.fresh_keras("keras")
    model = make_model(keras)
    optimizer = sgd(keras)
    optimizer.build(model.trainable_variables)
    tf_rigl.attach(
        optimizer, model, tf_rigl.Static(), penalties=[ProductDecay()]
    )
    kernel = model.get_layer("u").kernel
    with pytest.raises(ValueError, match="applies all gradients together"):
        optimizer.update_step(tf.zeros(kernel.shape), kernel, 0.1)
