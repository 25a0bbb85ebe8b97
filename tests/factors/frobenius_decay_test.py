"""Frobenius decay: its gradients, and training against an oracle."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.algorithms import frobenius_decay

RATE, STRENGTH, WEIGHT_DECAY, STEPS = 0.05, 0.3, 0.1, 50


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def norm(kind, values):
    """½ ‖W‖² of the product, or of those of all heads."""
    if kind == frobenius_decay.MATRICES:
        return np.sum(np.linalg.multi_dot([*values, np.eye(5)]) ** 2) / 2
    equation = {
        frobenius_decay.QUERY_KEY: "dhr,ehr->hde",
        frobenius_decay.VALUE_OUTPUT: "dhr,hro->hdo",
    }[kind]
    return np.sum(np.einsum(equation, *values) ** 2) / 2


@pytest.mark.parametrize(
    ("kind", "shapes"),
    [
        (frobenius_decay.MATRICES, [(4, 3), (3, 5)]),
        (frobenius_decay.MATRICES, [(4, 3), (3, 3), (3, 5)]),
        (frobenius_decay.QUERY_KEY, [(4, 2, 3), (5, 2, 3)]),
        (frobenius_decay.VALUE_OUTPUT, [(4, 2, 3), (2, 3, 5)]),
    ],
)
def test_gradients_are_those_of_finite_differences(kind, shapes):
    values = [draw(*shape, seed=n) for n, shape in enumerate(shapes)]
    decay = frobenius_decay.FrobeniusDecay(STRENGTH)
    penalty = frobenius_decay.ProductDecay(decay, kind)
    found = penalty.gradients([tf.constant(one) for one in values])

    for place, value in enumerate(values):
        expected = np.zeros_like(value)
        for index in np.ndindex(value.shape):
            sides = []
            for step in (1e-5, -1e-5):
                moved = [one.copy() for one in values]
                moved[place][index] += step
                sides.append(norm(kind, moved))
            expected[index] = STRENGTH * (sides[0] - sides[1]) / 2e-5
        np.testing.assert_allclose(found[place], expected, atol=1e-7)


def test_gradients_of_deep_factors_are_the_closed_form():
    first, middle, last = draw(4, 3), draw(3, 3, seed=1), draw(3, 5, seed=2)
    product = first @ middle @ last
    penalty = frobenius_decay.ProductDecay(
        frobenius_decay.FrobeniusDecay(STRENGTH), frobenius_decay.MATRICES
    )
    values = [tf.constant(one) for one in (first, middle, last)]
    expected = (
        product @ last.T @ middle.T,
        first.T @ product @ last.T,
        middle.T @ first.T @ product,
    )
    for found, one in zip(penalty.gradients(values), expected, strict=True):
        np.testing.assert_allclose(found, STRENGTH * one, rtol=1e-13)


class Oracle:
    """Trains x V U + b to the mean of squares, in NumPy."""

    def __init__(self, weights, decoupled, decay=0.0):
        self.weights = [one.astype(np.float64) for one in weights]
        self.decoupled = decoupled
        self.decay = decay
        self.slots = [[np.zeros_like(w), np.zeros_like(w)] for w in weights]

    def gradients(self, inputs, targets):
        v, u, bias = self.weights
        error = 2 * (inputs @ v @ u + bias - targets) / targets.size
        return [
            inputs.T @ error @ u.T,
            (inputs @ v).T @ error,
            error.sum(0),
        ]

    def step(self, inputs, targets, update):
        gradients = self.gradients(inputs, targets)
        v, u, _ = self.weights
        decays = [STRENGTH * v @ u @ u.T, STRENGTH * v.T @ v @ u]
        if not self.decoupled:
            for place, one in enumerate(decays):
                gradients[place] += one
        else:
            for place, one in enumerate(decays):
                self.weights[place] = self.weights[place] - RATE * one
        # Of the bias alone: factors have a decay of their own.
        self.weights[2] = self.weights[2] * (1 - RATE * self.decay)
        for place, gradient in enumerate(gradients):
            change = update(self.slots[place], gradient)
            self.weights[place] = self.weights[place] + change


def sgd(slots, gradient):
    return -RATE * gradient


def momentum(slots, gradient):
    slots[0] = 0.9 * slots[0] - RATE * gradient
    return slots[0]


def adam(slots, gradient):
    slots[0] = 0.9 * slots[0] + 0.1 * gradient
    slots[1] = 0.999 * slots[1] + 0.001 * gradient**2
    if len(slots) == 2:
        slots.append(0)
    slots[2] += 1
    rate = RATE * np.sqrt(1 - 0.999 ** slots[2]) / (1 - 0.9 ** slots[2])
    return -rate * slots[0] / (np.sqrt(slots[1]) + 1e-7)


OPTIMIZERS = {
    "sgd": (lambda keras: keras.optimizers.SGD(RATE), sgd, 0.0),
    "momentum": (
        lambda keras: keras.optimizers.SGD(RATE, momentum=0.9),
        momentum,
        0.0,
    ),
    "adamw": (
        lambda keras: keras.optimizers.AdamW(RATE, weight_decay=WEIGHT_DECAY),
        adam,
        WEIGHT_DECAY,
    ),
}


def make_model(keras, decoupled):
    model = keras.Sequential(
        [keras.Input((9,)), keras.layers.Dense(7, name="dense")]
    )
    model.layers[0].kernel.assign(draw(9, 7, seed=4) / 3)
    decay = tf_rigl.FrobeniusDecay(STRENGTH, decoupled)
    return tf_rigl.factorize(model, ranks=3, frobenius_decay=decay)


def data():
    inputs = draw(8, 9, seed=5).astype("float32")
    return inputs, draw(8, 7, seed=6).astype("float32")


def check(keras, name, decoupled, strategy=None, **arguments):
    make, update, decay = OPTIMIZERS[name]
    with (strategy or tf.distribute.get_strategy()).scope():
        model = make_model(keras, decoupled)
        model.compile(make(keras), "mse", **arguments)
    inputs, targets = data()
    oracle = Oracle(
        [weight.numpy() for weight in model.weights], decoupled, decay
    )
    # One epoch: with Keras 3, replicas take a second to begin each.
    model.fit(
        np.tile(inputs, (STEPS, 1)),
        np.tile(targets, (STEPS, 1)),
        batch_size=8,
        shuffle=False,
        verbose=0,
        callbacks=[tf_rigl.UpdateMasks(tf_rigl.Static())],
    )
    for _ in range(STEPS):
        oracle.step(inputs, targets, update)
    for weight, expected in zip(model.weights, oracle.weights, strict=True):
        np.testing.assert_allclose(weight.numpy(), expected, atol=2e-5)


@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize(
    "name", [pytest.param("sgd", marks=pytest.mark.slow), "momentum", "adamw"]
)
def test_fifty_steps_equal_an_oracle(keras, name, decoupled):
    check(keras, name, decoupled)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["eager", "xla"])
@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fifty_steps_in_other_modes(keras, name, decoupled, mode):
    modes = {"eager": {"run_eagerly": True}, "xla": {"jit_compile": True}}
    check(keras, name, decoupled, **modes[mode])


# Those that are not slow first.
ON_REPLICAS = [
    ("adamw", True),
    ("momentum", False),
    ("momentum", True),
    ("adamw", False),
    ("sgd", False),
    ("sgd", True),
]


@support.keras_in_turn(
    "case", ON_REPLICAS, lambda case: case not in ON_REPLICAS[:2]
)
def test_two_replicas_do_not_double_it(keras, two_replicas, case):
    check(keras, *case, two_replicas)


def test_attach_brings_the_decay(keras):
    model = make_model(keras, decoupled=False)
    optimizer = keras.optimizers.SGD(RATE)
    tf_rigl.attach(optimizer, model, tf_rigl.Static())
    v, u = (weight.numpy() for weight in model.weights[:2])
    zeros = [tf.zeros(weight.shape) for weight in model.trainable_weights]
    optimizer.apply_gradients(zip(zeros, model.trainable_weights, strict=True))
    np.testing.assert_allclose(
        model.weights[0].numpy(), v - RATE * STRENGTH * v @ u @ u.T, rtol=1e-5
    )


def test_masked_factors_stay_zero_under_a_decoupled_decay(keras):
    model = make_model(keras, decoupled=True)
    tf_rigl.sparsify(model, 0.5)
    model.compile(keras.optimizers.AdamW(RATE), "mse")
    before = {name: mask.copy() for name, mask in tf_rigl.masks(model).items()}
    callback = tf_rigl.UpdateMasks(tf_rigl.Static())
    model.fit(*data(), epochs=3, verbose=0, callbacks=[callback])
    assert sorted(before) == ["dense/kernel_u", "dense/kernel_v"]
    for weight, name in zip(
        model.weights[:2], ("dense/kernel_v", "dense/kernel_u"), strict=True
    ):
        np.testing.assert_array_equal(weight.numpy() != 0, before[name])


@support.one_keras("keras")
def test_without_an_update_rule_there_is_no_decay(keras):
    model = make_model(keras, decoupled=False)
    model.compile(keras.optimizers.SGD(RATE), lambda _, y: tf.reduce_sum(y) * 0)
    before = [weight.numpy() for weight in model.weights]
    with pytest.warns(UserWarning, match="trained without any decay"):
        model.fit(*data(), verbose=0)
    for one, weight in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(one, weight.numpy())


def test_strength_must_not_be_negative():
    with pytest.raises(
        ValueError, match=r"`strength` must be at least 0\. Received: strength="
    ):
        tf_rigl.FrobeniusDecay(-1.0)
