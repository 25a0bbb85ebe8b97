"""Training by connections alone against training by masks.

Inputs, labels and initial values are small integers and rates are powers of
two, so that sums are exact and masks must be equal, update by update.
"""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl import native
from tf_rigl.backend import native_ops
from tf_rigl.masking.masked_weight import masked_weights

UPDATES = {"stop_step": 12, "update_interval": 3}
METHODS = {
    "static": tf_rigl.Static(),
    "rigl": tf_rigl.RigL(**UPDATES),
    "rigl_jaxpruner": tf_rigl.RigL(
        **UPDATES, preset="jaxpruner", skip_weight_update=False
    ),
    "rigl_tf1": tf_rigl.RigL(**UPDATES, preset="tf1"),
    "set": tf_rigl.SET(**UPDATES),
}
# A large epsilon: gradients that are 0 but for rounding would move values by
# the rate. Lion, which takes the sign of all, is left out.
ADAPTIVE = {"learning_rate": 2**-7, "epsilon": 2**-3}
OPTIMIZERS = {
    "SGD": {"learning_rate": 2**-9, "momentum": 0.5},
    "Ftrl": {"learning_rate": 2**-7},
    **{
        name: ADAPTIVE
        for name in "Adam AdamW Adamax Adadelta Adagrad Nadam RMSprop".split()
    },
}


def data(shape=(12,), outputs=6):
    rng = np.random.default_rng(0)
    return (
        rng.integers(-2, 3, (32, *shape)).astype("float32"),
        rng.integers(-4, 5, (32, outputs)).astype("float32"),
    )


def dense_layers(keras):
    return (12,), [
        keras.layers.Dense(20, activation="relu", name="one"),
        keras.layers.Dense(6, use_bias=False, name="two"),
    ]


def einsum_layers(keras):
    layer = keras.layers.EinsumDense
    return (3, 4), [
        layer("abc,cde->abde", (3, 2, 5), bias_axes="e", name="split"),
        layer("abde,def->abf", (3, 6), bias_axes="f", name="merge"),
        keras.layers.Flatten(),
        keras.layers.Dense(6, name="out"),
    ]


def convolution_layers(keras):
    return (4, 4, 3), [
        keras.layers.Conv2D(8, 1, strides=2, activation="relu", name="one"),
        keras.layers.Conv2D(4, 2, name="window"),
        keras.layers.Flatten(),
        keras.layers.Dense(6, name="out"),
    ]


def window_layers(keras):
    conv = keras.layers.Conv2D
    return (6, 7, 2), [
        conv(8, 3, padding="same", activation="relu", name="one"),
        conv(6, (2, 3), strides=2, padding="same", name="two"),
        conv(4, 2, dilation_rate=2, use_bias=False, name="three"),
        keras.layers.Reshape((2, 4)),
        keras.layers.Conv1D(6, 2, padding="causal", name="line"),
        keras.layers.Flatten(),
        keras.layers.Dense(6, name="out"),
    ]


def attention_layers(keras):
    """Attention to one position, whose weight is exactly one."""
    inputs = keras.Input((1, 12))
    attention = keras.layers.MultiHeadAttention(3, 4, name="attention")
    return (1, 12), [
        keras.Model(inputs, attention(inputs, inputs), name="inner"),
        keras.layers.Dense(8, activation="relu", name="sequence"),
        keras.layers.Flatten(),
        keras.layers.Dense(6, name="out"),
    ]


LAYERS = {
    "dense": dense_layers,
    "attention": attention_layers,
    "windows": window_layers,
    "einsum": einsum_layers,
    "convolution": convolution_layers,
}


def build(keras, storage, layers=dense_layers, **kwargs):
    shape, body = layers(keras)
    model = keras.Sequential([keras.Input(shape), *body])
    rng = np.random.default_rng(1)
    model.set_weights(
        [
            rng.integers(-2, 3, weight.shape).astype("float32")
            for weight in model.get_weights()
        ]
    )
    return tf_rigl.sparsify(model, 0.6, "uniform", storage=storage, **kwargs)


def train(keras, storage, method="rigl", optimizer="SGD", **kwargs):
    """Trains for twelve steps and returns the model and all of its masks."""
    layers = LAYERS[kwargs.pop("layers", "dense")]
    model = build(keras, storage, layers)
    rule = getattr(keras.optimizers, optimizer)
    model.compile(
        rule(**OPTIMIZERS[optimizer], **kwargs.pop("options", {})),
        "mse",
        **kwargs,
    )
    inputs, labels = data(layers(keras)[0])
    masks = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: masks.append(tf_rigl.masks(model))
    )
    history = support.fit(
        model,
        (inputs, labels),
        METHODS[method],
        [note],
        epochs=6,
        batch_size=16,
    ).history
    return model, masks, history


def assert_trained_alike(keras, **kwargs):
    masked, expected, history = train(keras, "masked", **kwargs)
    model, masks, found = train(keras, "compressed", **kwargs)

    assert any(r.storage.is_compressed for r in masked_weights(model))
    for one, other in zip(masks, expected, strict=True):
        for path in other:
            np.testing.assert_array_equal(one[path], other[path])
    pairs = zip(masked_weights(model), masked_weights(masked), strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(
            one.values(), other.values(), rtol=1e-5, atol=1e-6
        )
        np.testing.assert_array_equal(one.counters, other.counters)
    np.testing.assert_allclose(found["loss"], history["loss"], rtol=1e-5)
    assert found.get("mask_churn") == history.get("mask_churn")
    return model


@support.keras_in_turn("method", METHODS, lambda name: name != "rigl")
def test_methods(keras, method):
    assert_trained_alike(keras, method=method)


@pytest.mark.slow
@support.keras_in_turn("optimizer", OPTIMIZERS)
def test_optimizers(keras, optimizer):
    model = assert_trained_alike(keras, optimizer=optimizer)
    for variable in model.optimizer.variables:
        assert variable.shape.rank is None or len(variable.shape) < 2


@pytest.mark.slow
@support.keras_in_turn("layers", LAYERS)
def test_layers(keras, layers):
    assert_trained_alike(keras, layers=layers)


@pytest.mark.slow
@support.keras_in_turn("method", METHODS)
def test_several_steps_per_execution(keras, method):
    assert_trained_alike(keras, method=method, steps_per_execution=2)


@pytest.mark.slow
@support.keras_in_turn("method", METHODS)
def test_eager_steps(keras, method):
    assert_trained_alike(keras, method=method, run_eagerly=True)


@pytest.mark.slow
@support.one_keras("keras")
@pytest.mark.parametrize("layers", LAYERS)
def test_without_the_library(keras, layers):
    if not native_ops.available():
        pytest.skip(f"no native library: {native.why_unavailable()}")
    native.use(False)
    try:
        assert_trained_alike(keras, layers=layers)
    finally:
        native.use(True)


@support.one_keras("tf_keras")
@pytest.mark.parametrize(
    "traces", [True, pytest.param(False, marks=pytest.mark.slow)]
)
def test_own_loops(keras, traces):
    masks = []
    for storage in ("masked", "compressed"):
        model = build(keras, storage)
        optimizer = keras.optimizers.SGD(2**-9, momentum=0.5)
        tf_rigl.attach(optimizer, model, METHODS["rigl"])

        def step(inputs, labels, model=model, optimizer=optimizer):
            variables = model.trainable_variables
            with tf.GradientTape() as tape:
                outputs = model(inputs, training=True)
                loss = tf.reduce_mean((outputs - labels) ** 2)
            gradients = tape.gradient(loss, variables)
            optimizer.apply_gradients(zip(gradients, variables, strict=True))

        call = tf.function(step, autograph=False) if traces else step
        for _ in range(7):
            call(*map(tf.constant, data()))
        masks.append(tf_rigl.masks(model))
    support.assert_all_equal(masks[0].values(), masks[1].values())
    assert support.moved(model)


@pytest.mark.slow
@support.one_keras("keras")
def test_real_data_for_sixty_steps(keras):
    losses = []
    for storage in ("masked", "compressed"):
        keras.utils.set_random_seed(3)
        model = support.make_mlp(keras)
        tf_rigl.sparsify(model, 0.8, storage=storage)
        history = support.train(
            keras,
            model,
            tf_rigl.Static(),
            epochs=60,
            samples=32,
        )
        losses.append(history.history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)


@support.one_keras("tf_keras")
def test_regularizers_move_to_the_connections(keras):
    losses = []
    for storage in ("masked", "compressed"):

        def layers(keras):
            shape, body = dense_layers(keras)
            body[0].kernel_regularizer = keras.regularizers.L2(0.5)
            return shape, body

        model = build(keras, storage, layers)
        model.compile(keras.optimizers.SGD(2**-9), "mse")
        fitted = support.fit(model, data(), METHODS["rigl"], epochs=4)
        losses.append(fitted.history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)


REFUSED = {
    "method": (tf_rigl.SNFS(stop_step=8), {}, "SNFS with these options"),
    "gradient_init": (
        tf_rigl.RigL(stop_step=8, grow_init="gradient"),
        {},
        "RigL with these options needs values or gradients of all positions",
    ),
    "clipping": (METHODS["rigl"], {"clipnorm": 1.0}, "clips, or scales"),
    "accumulation": (
        METHODS["rigl"],
        {"gradient_accumulation_steps": 2},
        "the optimizer accumulates those of 2",
    ),
}


@support.one_keras("keras")
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name == "method" else [])
        for name in REFUSED
    ],
)
def test_trainings_that_need_more_than_connections(keras, case):
    method, options, message = REFUSED[case]
    if case == "accumulation" and keras.__name__ == "tf_keras":
        pytest.skip("optimizers of tf_keras do not accumulate")
    model = build(keras, "compressed")
    model.compile(keras.optimizers.SGD(0.1, **options), "mse")
    with pytest.raises(ValueError, match=message) as error:
        support.fit(model, data(), method, batch_size=8)
    assert "storage='masked'" in str(error.value)
    # The same is no obstacle where masks rest.
    support.fit(model, data(), tf_rigl.Static(), batch_size=8)


@support.one_keras("keras")
def test_non_finite_gradients_move_nothing(keras):
    model = build(keras, "compressed")
    model.compile(keras.optimizers.SGD(2**-9), "mse")
    inputs, labels = data()
    inputs[3, 4] = np.nan
    before = tf_rigl.masks(model)
    fitted = support.fit(
        model, (inputs, labels), METHODS["rigl"], batch_size=32
    )
    support.assert_all_equal(tf_rigl.masks(model).values(), before.values())
    assert fitted.history["skipped_mask_updates"] == [2]


@pytest.mark.slow
@support.keras_in_turn("layers", LAYERS)
def test_reports_count_the_same(keras, layers):
    reports = []
    for storage in ("masked", "compressed"):
        model, _, _ = train(keras, storage, layers=layers)
        reports.append(
            [
                (
                    row.size,
                    row.connections,
                    row.unused_inputs,
                    row.dead_units,
                    row.moved,
                    row.overlap_start,
                    row.jaccard_start,
                )
                for row in tf_rigl.diagnose(model).rows
            ]
        )
    assert reports[0] == reports[1]
