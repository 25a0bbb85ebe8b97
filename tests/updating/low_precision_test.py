"""Training in low precision, against the same training in NumPy."""

import re

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests.core import block_oracle
from tf_rigl.backend.flavor import flavor_of
from tf_rigl.core import random_masks

STEPS, BITS, SEED = 4, 8, 5
RATE, MOMENTUM = 0.125, 0.5  # powers of two, so that products are exact
SHAPES = {"first/kernel": (6, 5), "second/kernel": (5, 3), "second/bias": (3,)}


def make_values():
    random = np.random.default_rng(0)
    return {
        path: random.normal(size=shape).astype("float32")
        for path, shape in SHAPES.items()
    }


def make_data():
    random = np.random.default_rng(1)
    inputs = random.normal(size=(8, 6)).astype("float32")
    return inputs, random.integers(-3, 4, (8, 3)).astype("float32")


def make_model(keras):
    """Two products, and sums that float32 holds exactly."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(5, use_bias=False, name="first"),
            layers.Dense(3, name="second"),
        ]
    )
    model.set_weights(list(make_values().values()))
    return model


def product(labels, outputs):
    return tf.reduce_sum(labels * outputs, axis=-1)


def train(keras, model, epochs=STEPS, **options):
    optimizer = keras.optimizers.SGD(RATE, momentum=MOMENTUM)
    model.compile(optimizer, product, **options)
    fit(model, epochs)


def fit(model, epochs=STEPS):
    support.fit(model, make_data(), epochs=epochs, batch_size=8)


def train_by_hand(rounding="stochastic"):
    """The oracle: values of all weights and momenta after the steps."""
    values, (inputs, labels) = make_values(), make_data()

    def draw(use, step, shape):
        if rounding == "nearest":
            return np.full(shape, 0.5)
        seed = random_masks.stateless_seed(SEED, use, step)
        return block_oracle.noise(shape, BITS, seed)

    def q(array, u, axis=-1):
        return block_oracle.quantize(array, BITS, axis, u)

    def read(array, use, step):
        return q(array, draw(use, step, array.shape), 0)

    values = {
        path: q(one, draw(f"{path} start", 0, (1, *one.shape))[0])
        for path, one in values.items()
    }
    momenta = {path: np.zeros_like(one) for path, one in values.items()}
    for step in range(STEPS):
        first, second = values["first/kernel"], values["second/kernel"]
        shown = read(inputs, "first activation", step)
        hidden = read(shown @ first, "second activation", step)
        error = labels / np.float32(8)
        hidden_error = read(error @ second.T, "second error", step)
        gradients = {
            "first/kernel": shown.T @ hidden_error,
            "second/kernel": hidden.T @ error,
            "second/bias": error.sum(0),
        }
        for path, gradient in gradients.items():
            u = draw(path, step, (3, *gradient.shape))
            momentum = MOMENTUM * momenta[path] - RATE * q(gradient, u[0])
            moved = values[path] + momentum
            momenta[path] = q(momentum, u[1])
            values[path] = q(moved, u[2])
    return [*values.values(), *momenta.values()]


def state_of(model):
    """Weights and momenta."""
    momenta = model.optimizer.momentums
    return [*model.get_weights(), *(np.asarray(one) for one in momenta)]


MODES = {
    "graph": {},
    "several": {"steps_per_execution": 2},
    "jit": {"jit_compile": True},
    "eager": {"run_eagerly": True},
}


@support.keras_in_turn("mode", MODES, is_slow=lambda m: m in ("eager", "jit"))
def test_equals_numpy(keras, mode):
    model = tf_rigl.low_precision(make_model(keras), seed=SEED)
    train(keras, model, **MODES[mode])
    support.assert_all_equal(state_of(model), train_by_hand())


@support.one_keras("keras")
def test_rounding_to_the_nearest(keras):
    model = make_model(keras)
    optimizer = keras.optimizers.SGD(RATE, momentum=MOMENTUM)
    model.compile(optimizer, product)
    # After `compile`, the same.
    tf_rigl.low_precision(model, rounding="nearest")
    fit(model)
    support.assert_all_equal(state_of(model), train_by_hand("nearest"))


@support.one_keras("tf_keras")
def test_a_loop_of_ones_own(keras):
    model = make_model(keras)
    optimizer = keras.optimizers.SGD(RATE, momentum=MOMENTUM)
    tf_rigl.low_precision(model, seed=SEED, optimizer=optimizer)
    step = tf.function(
        support.make_step(
            keras, model, optimizer, lambda *p: tf.reduce_mean(product(*p))
        )
    )
    for _ in range(STEPS):
        step(*map(tf.constant, make_data()))
    model.optimizer = optimizer
    support.assert_all_equal(state_of(model), train_by_hand())


def is_block_number(values, axis=-1):
    """Whether each slice has multiples of a power of two, at most 2^7."""
    values = np.moveaxis(np.asarray(values, np.float64), axis, 0)
    for block in values.reshape(len(values), -1):
        largest = np.abs(block).max()
        if largest:
            _, exponent = np.frexp(largest)
            integers = block / 2.0 ** (exponent - 7)
            # Of the lowest integer, in multiples of the next power.
            if not np.array_equal(2 * integers, np.round(2 * integers)):
                return False
    return True


def make_network(keras):
    layers = keras.layers

    class Block(keras.layers.Layer):
        def __init__(self, **options):
            super().__init__(**options)
            self.conv = layers.Conv2D(6, 3, padding="same", name="conv")
            self.depthwise = layers.DepthwiseConv2D(3, name="depthwise")

        def call(self, inputs):
            return self.depthwise(self.conv(inputs))

    class Network(keras.Model):
        def __init__(self):
            super().__init__()
            self.block = Block(name="block")
            self.norm = layers.BatchNormalization(name="norm")
            self.pool = layers.GlobalAveragePooling2D()
            self.logits = layers.Dense(3, name="logits")

        def call(self, inputs, training=False):
            features = self.norm(self.block(inputs), training=training)
            return self.logits(self.pool(tf.nn.relu(features)))

    model = Network()
    model(np.zeros((1, 6, 6, 2), np.float32))
    return model


@support.one_keras("tf_keras")
def test_a_subclassed_network_with_masks(keras):
    """All that is trained is in blocks, zeros stay, and it learns."""
    model = tf_rigl.sparsify(make_network(keras), 0.5, dense=["depthwise"])
    tf_rigl.low_precision(model)
    algorithm = tf_rigl.RigL(update_interval=3, stop_step=20)
    history = support.train(
        keras, model, algorithm, epochs=3, shape=(6, 6, 2), samples=96
    )
    assert history.history["loss"][-1] < history.history["loss"][0]
    support.assert_masked(model)
    assert support.moved(model) > 0
    for variable in model.trainable_variables:
        name = getattr(variable, "path", variable.name)
        axis = -2 if "depthwise" in name and len(variable.shape) > 1 else -1
        assert is_block_number(variable.numpy(), axis), name
    assert not is_block_number(model.norm.moving_variance.numpy()[None])

    tf_rigl.full_precision(model)
    support.fit(model, support.make_data((6, 6, 2), 32), tf_rigl.Static())
    kernel = model.logits.kernel.numpy()
    assert not is_block_number(kernel)
    support.assert_masked(model)


@pytest.mark.slow
def test_other_optimizers_and_replicas(keras, two_replicas):
    """Adam's momentum is in blocks, its averages of squares are not."""
    with two_replicas.scope():
        model = tf_rigl.low_precision(make_model(keras), seed=SEED)
        model.compile(keras.optimizers.Adam(0.01), product)
        fit(model)
    optimizer = model.optimizer
    for index, variable in enumerate(model.trainable_variables):
        assert is_block_number(variable.numpy())
        assert is_block_number(np.asarray(optimizer._momentums[index]))
    assert not is_block_number(np.asarray(optimizer._velocities[0]))
    raw = flavor_of(model).raw
    for variable in map(raw, model.trainable_variables):
        one, other = two_replicas.experimental_local_results(variable)
        np.testing.assert_array_equal(one.numpy(), other.numpy())

    @tf.function
    def call(inputs):
        return two_replicas.run(model, args=(inputs,))

    # Each rounds its examples differently.
    inputs = tf.constant(make_data()[0])
    one, other = two_replicas.experimental_local_results(call(inputs))
    assert np.any(one.numpy() != other.numpy())
    np.testing.assert_array_equal(one, model(inputs))


def test_undone(keras):
    model = make_model(keras)
    model.compile("sgd", product)
    inputs, _ = make_data()
    before = model.predict(inputs, verbose=0)
    optimizer = model.optimizer
    own = dict(vars(optimizer))
    tf_rigl.low_precision(model)
    low = model.predict(inputs, verbose=0)
    assert np.any(low != before)
    np.testing.assert_array_equal(low, model.predict(inputs, verbose=0))
    # Anew, for weights that are in blocks already.
    tf_rigl.low_precision(model, rounding="nearest")
    tf_rigl.full_precision(tf_rigl.full_precision(model))
    found = dict(vars(optimizer))
    assert {*own} == {*found}
    assert own.get("jit_compile") == found.get("jit_compile")
    assert "update_step" not in found
    assert all("call" not in vars(layer) for layer in model.layers)
    assert "compile" not in vars(model)

    model.set_weights(list(make_values().values()))
    np.testing.assert_array_equal(model.predict(inputs, verbose=0), before)

    # `strip` undoes it, too, and leaves the values.
    tf_rigl.strip(tf_rigl.low_precision(model))
    assert "compile" not in vars(model)
    assert "update_step" not in vars(model.optimizer)
    assert is_block_number(model.layers[0].kernel.numpy())


@support.one_keras("keras")
def test_saved_models_are_plain(keras, tmp_path):
    model = tf_rigl.low_precision(make_model(keras))
    train(keras, model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(
        tmp_path / "model.keras", custom_objects={"product": product}
    )
    assert type(loaded.layers[0]) is keras.layers.Dense
    assert "call" not in vars(loaded.layers[0])
    support.assert_all_equal(loaded.get_weights(), model.get_weights())


def test_files_are_of_full_precision(keras, tmp_path):
    """Of a network within another one, too; nothing is written before."""
    inner = make_model(keras)
    inputs = keras.Input(inner.inputs[0].shape[1:])
    model = keras.Model(inputs, inner(inputs))
    tf_rigl.low_precision(inner)
    for export in (
        tf_rigl.export_saved_model,
        tf_rigl.export_litert,
        tf_rigl.export_plan,
    ):
        with pytest.raises(ValueError, match=r"Call `tf_rigl.full_precision"):
            export(model, tmp_path / "exported")
    assert not list(tmp_path.iterdir())
    tf_rigl.full_precision(inner)
    tf_rigl.export_saved_model(model, tmp_path / "exported")


@support.one_keras("tf_keras")
def test_a_new_optimizer(keras):
    model = tf_rigl.low_precision(make_model(keras))
    model.compile("sgd", product)
    first = model.optimizer
    assert "update_step" in vars(first)
    model.compile("adam", product)
    assert "update_step" not in vars(first)
    assert "update_step" in vars(model.optimizer)

    sparse = tf_rigl.sparsify(make_model(keras), 0.5)
    tf_rigl.low_precision(sparse).compile("sgd", product)
    tf_rigl.attach(sparse.optimizer, sparse, tf_rigl.Static())
    with pytest.raises(ValueError, match="before an optimizer is attached"):
        tf_rigl.full_precision(sparse)
    tf_rigl.detach(sparse.optimizer, sparse)
    tf_rigl.full_precision(sparse)


@support.one_keras("tf_keras")
def test_models_that_cannot(keras):
    layers = keras.layers
    unbuilt = keras.Sequential([layers.Dense(3)])
    recurrent = keras.Sequential(
        [keras.Input((4, 3)), layers.LSTM(2, name="lstm")]
    )
    plain = keras.Sequential([keras.Input((4,)), layers.ReLU()])
    for model, message in (
        (unbuilt, "must be built"),
        (recurrent, "Received: ['lstm']"),
        (plain, "has none that is known"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            tf_rigl.low_precision(model)


def test_optimizers_of_another_kind():
    keras = support.fresh_keras("tf_keras")
    model = make_model(keras)
    model.compile(keras.optimizers.legacy.SGD(), product)
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"has none. Use one of `tf_keras"):
        tf_rigl.low_precision(model)
    support.assert_all_equal(model.get_weights(), before)
    assert "call" not in vars(model.layers[0])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"bits": 2}, "integer from 3 to 16. Received: bits=2"),
        ({"bits": 8.0}, "bits=8.0"),
        ({"seed": -1}, "seed=-1"),
        ({"number": "fixed"}, "number='fixed'"),
        ({"rounding": "up"}, "rounding='up'"),
    ],
)
@support.one_keras("keras")
def test_bad_arguments(keras, arguments, error):
    with pytest.raises(ValueError, match=re.escape(error)):
        tf_rigl.low_precision(make_model(keras), **arguments)


def test_thawed_layers_are_in_low_precision(keras):
    model = make_model(keras)
    model.get_layer("first").trainable = False
    tf_rigl.low_precision(model, bits=3)
    before = model.get_layer("first").get_weights()
    support.assert_all_equal(before, list(make_values().values())[:1])
    model.get_layer("first").trainable = True
    train(keras, model)
    kernel = model.get_layer("first").get_weights()[0]
    assert (kernel != before[0]).any()
    # Integers of 3 bits times a power of 2 in each column; -4 is of another.
    for column in kernel.T:
        step = 2.0 ** (np.floor(np.log2(np.abs(column).max())) - 2)
        np.testing.assert_array_equal(column / step % 1, 0)
