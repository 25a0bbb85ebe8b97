"""The same masks however training is run."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.updating import mask_update

# Modes differ in what becomes of the graph.
pytestmark = pytest.mark.usefixtures("grappler")

ALGORITHM = tf_rigl.RigL(stop_step=12, update_interval=3)
EPOCHS = 2  # of 8 batches


def fresh_model(keras):
    return tf_rigl.sparsify(support.make_mlp(keras), 0.8, seed=7)


def fit(keras, **kwargs):
    model = fresh_model(keras)
    support.train(keras, model, ALGORITHM, EPOCHS, **kwargs)
    return model


def custom_loop(keras, compiled, jit=False):
    model = fresh_model(keras)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    tf_rigl.attach(optimizer, model, ALGORITHM)
    step = support.make_step(keras, model, optimizer)
    if compiled:
        step = tf.function(step, jit_compile=jit)
    for batch in support.batches() * EPOCHS:
        step(*batch)
        support.assert_masked(model, optimizer)
    return model


@pytest.fixture(scope="module")
def expected():
    """Masks of `fit` with Keras 3, by which all others are measured."""
    import keras

    model = fit(keras)
    assert support.moved(model) > 100
    return tf_rigl.masks(model)


# In turn with one Keras, `fit` with another than that of `expected`.
MODES = {
    "jit": lambda keras: fit(keras, jit_compile=True),
    "fit": fit,
    "eager": lambda keras: fit(keras, run_eagerly=True),
    "steps_per_execution": lambda keras: fit(keras, steps_per_execution=4),
    "loop-eager": lambda keras: custom_loop(keras, compiled=False),
    "loop-compiled": lambda keras: custom_loop(keras, compiled=True),
    "loop-jit": lambda keras: custom_loop(keras, compiled=True, jit=True),
}


@support.keras_in_turn("mode", MODES, lambda mode: mode == "loop-jit")
def test_every_mode_gives_the_same_masks(keras, mode, expected):
    model = MODES[mode](keras)
    support.assert_same_masks(tf_rigl.masks(model), expected)
    support.assert_masked(model)


@support.one_keras("keras")
def test_replicas_with_weight_decay_and_averages(keras, two_replicas):
    """Both leave the replica context while they are being skipped."""
    with two_replicas.scope():
        model = fresh_model(keras)
        optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.1, use_ema=True)
        support.train(keras, model, ALGORITHM, EPOCHS, optimizer=optimizer)
    assert support.moved(model) > 100
    support.assert_masked(model)


@support.one_keras("tf_keras")
def test_replicas_without_the_callback_are_static_sparse(keras, two_replicas):
    with two_replicas.scope():
        model = fresh_model(keras)
        before = tf_rigl.masks(model)
        optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
        support.train(keras, model, None, 1, optimizer=optimizer)
    support.assert_same_masks(tf_rigl.masks(model), before)
    support.assert_replicas_masked(model, two_replicas)


@pytest.mark.parametrize(
    ("policy", "keras"),
    [
        ("mixed_float16", "keras"),
        ("mixed_float16", "tf_keras"),
        ("mixed_bfloat16", "keras"),
        # Without a loss scale it is the same code in both.
        pytest.param("mixed_bfloat16", "tf_keras", marks=pytest.mark.slow),
    ],
    indirect=["keras"],
)
def test_mixed_precision(keras, policy):
    keras.mixed_precision.set_global_policy(policy)
    try:
        model = tf_rigl.sparsify(support.make_mlp(keras, dtype="float32"), 0.8)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    before = support.counts(model)
    optimizer = keras.optimizers.Adam(0.01)
    support.train(keras, model, ALGORITHM, EPOCHS, optimizer=optimizer)
    scaled = hasattr(model.optimizer, "inner_optimizer")
    assert scaled == (policy == "mixed_float16")
    assert support.counts(model) == before
    assert support.moved(model) > 100
    assert support.assert_masked(model) > 0


def test_gradient_accumulation_updates_on_real_updates(expected):
    """Keras 3 only: two micro-batches make the batch of one update.

    Announced are 32 batches, which make 16 updates, and 12 of them, where
    updates of masks end, are 3/4 of those.
    """
    import keras

    model = fresh_model(keras)
    optimizer = keras.optimizers.SGD(
        0.1, momentum=0.9, gradient_accumulation_steps=2
    )
    algorithm = tf_rigl.RigL(update_interval=3)
    arguments = {"optimizer": optimizer, "batch_size": 16}
    support.train(keras, model, algorithm, EPOCHS, **arguments)
    assert masked_weights(model)[0].counters.numpy()[0] == len(range(0, 12, 3))
    support.assert_same_masks(tf_rigl.masks(model), expected)
    support.assert_masked(model)


def test_several_optimizers_on_one_model():
    import keras

    if not hasattr(keras.optimizers, "MultiOptimizer"):
        pytest.skip("this Keras has no MultiOptimizer")
    model = fresh_model(keras)
    first = model.layers[0].kernel.path
    optimizers = {
        True: keras.optimizers.Adam(0.01),
        False: keras.optimizers.SGD(0.1, momentum=0.9),
    }
    optimizer = keras.optimizers.MultiOptimizer(
        lambda variable: optimizers[variable.path == first]
    )
    with pytest.raises(ValueError, match="must know its optimizers"):
        tf_rigl.attach(optimizer, model, ALGORITHM)
    optimizer.build(model.trainable_variables)
    support.train(keras, model, ALGORITHM, EPOCHS, optimizer=optimizer)
    for weight in masked_weights(model):
        assert weight.counters.numpy()[1] > 0
    support.assert_masked(model)


@support.keras_in_turn("jit_compile", [False, True], bool)
def test_at_sparsity_0_training_is_dense_training(keras, jit_compile):
    def weights(algorithm, sparse):
        keras.utils.set_random_seed(1)
        model = support.make_mlp(keras)
        if sparse:
            tf_rigl.sparsify(model, 0.0)
        optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.1)
        support.train(
            keras,
            model,
            algorithm,
            EPOCHS,
            optimizer=optimizer,
            jit_compile=jit_compile,
        )
        return [w.numpy() for w in model.trainable_weights]

    rigl = tf_rigl.RigL(update_interval=2)
    support.assert_all_equal(weights(rigl, True), weights(None, False))


@support.one_keras("keras")
def test_static_training_is_that_without_the_callback(keras):
    static, without = fresh_model(keras), fresh_model(keras)
    before = tf_rigl.masks(without)
    values = [w.values().numpy() for w in masked_weights(without)]
    for model, algorithm in ((static, tf_rigl.Static()), (without, None)):
        support.train(keras, model, algorithm, EPOCHS)
    support.assert_all_equal(
        static.trainable_weights, without.trainable_weights
    )
    support.assert_same_masks(tf_rigl.masks(without), before)
    support.assert_masked(without, slots_too=False)
    for weight, old in zip(masked_weights(without), values, strict=True):
        assert np.any(weight.values().numpy() != old)


@support.keras_in_turn("compiled", [False, True])
def test_200_updates_keep_every_count(keras, compiled):
    """Before, after and at each of 200 updates the integers are the same."""
    model = tf_rigl.sparsify(support.make_mlp(keras, (32,)), 0.8)
    before = support.counts(model)
    optimizer = keras.optimizers.Adam(0.01)
    tf_rigl.attach(
        optimizer, model, tf_rigl.RigL(stop_step=400, update_interval=2)
    )
    step = support.make_step(keras, model, optimizer)
    if compiled:
        step = tf.function(step)
    batches = support.batches()
    for number in range(400 if compiled else 20):
        step(*batches[number % len(batches)])
        assert support.counts(model) == before
        support.assert_masked(model, optimizer)
    updates = [w.counters.numpy()[0] for w in masked_weights(model)]
    assert updates == [200 if compiled else 10] * len(updates)


@support.one_keras("keras")
def test_large_weights_are_updated_one_after_the_other(
    keras, expected, monkeypatch
):
    """Each begins when the one before has its mask, which changes no mask."""
    update = tf_rigl.RigL.update
    waits_for = []

    def noting(*args):
        waits_for.append(len(tf.no_op().control_inputs))
        return update(*args)

    monkeypatch.setattr(tf_rigl.RigL, "update", noting)
    fit(keras)
    assert not any(waits_for)
    waits_for.clear()
    monkeypatch.setattr(mask_update, "_LARGE", 1)
    model = fit(keras)
    weights = len(expected)
    assert waits_for[:weights] == [0] + [1] * (weights - 1)
    support.assert_same_masks(tf_rigl.masks(model), expected)


def snapshot(model):
    """Everything that a step may change, as bytes."""
    variables = [*model.variables, *getattr(model.optimizer, "variables", [])]
    return [np.asarray(variable).tobytes() for variable in variables]


def test_inference_needs_no_callback_and_advances_nothing(keras):
    """`evaluate` and `predict` leave masks, values and counters alone."""
    model = tf_rigl.sparsify(support.make_mlp(keras, (9,)), 0.7)
    inputs, labels = support.make_data((20,))
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    model.compile(optimizer, support.crossentropy(keras))
    before = snapshot(model)
    model.evaluate(inputs, labels, verbose=0)
    np.testing.assert_allclose(
        model.predict(inputs, verbose=0),
        np.asarray(support.plain_clone(keras, model, (9,))(inputs)),
        rtol=1e-5,
        atol=1e-6,
    )
    assert snapshot(model) == before
    # With an algorithm at work whose next update is due.
    algorithm = tf_rigl.RigL(99, 1)
    for _ in support.take_steps(keras, model, algorithm, 2, optimizer):
        before = snapshot(model)
        model.evaluate(inputs, labels, verbose=0)
        model.predict(inputs, verbose=0)
        model(inputs, training=False)
        assert snapshot(model) == before


@support.one_keras("tf_keras")
def test_steps_are_batches(keras):
    """The counter of steps is that of batches, in `fit` and in a loop.

    Those that update masks instead of weights count as well.
    """
    algorithm = tf_rigl.RigL(stop_step=8, update_interval=3)
    fitted, looped = (
        tf_rigl.sparsify(support.make_mlp(keras, (9,)), 0.7) for _ in range(2)
    )
    support.train(keras, fitted, algorithm, epochs=1)
    assert int(fitted.optimizer.iterations) == 8
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    for step in support.take_steps(keras, looped, algorithm, 8, optimizer):
        assert int(optimizer.iterations) == step + 1
    for model in (fitted, looped):
        assert masked_weights(model)[0].counters.numpy()[0] == 3
    support.assert_same_masks(tf_rigl.masks(fitted), tf_rigl.masks(looped))
