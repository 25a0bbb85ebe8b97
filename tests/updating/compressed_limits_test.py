"""What training by connections does not do, and that it says so."""

import contextlib

import numpy as np
import pytest

import tf_rigl
from tests import support
from tf_rigl.backend import native_ops
from tf_rigl.masking import storage_choice
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.updating import attach

RIGL = tf_rigl.RigL(update_interval=2)


def build(keras, storage="compressed", **options):
    keras.utils.set_random_seed(1)
    model = support.make_mlp(keras, units=(200,), inputs=200)
    last = model.layers[-1]
    tf_rigl.sparsify(model, 0.9, "uniform", dense=[last], storage=storage)
    if options:
        options = {"optimizer": keras.optimizers.SGD(0.01), **options}
        model.compile(loss=support.crossentropy(keras), **options)
    return model


def data():
    return support.make_data((200,), samples=32, classes=10)


@support.one_keras("keras")
def test_xla_after_sparsify(keras):
    is_keras_3 = keras.__name__ == "keras"

    def refusal():
        if not is_keras_3:
            return contextlib.nullcontext()
        return pytest.warns(UserWarning, match="doesn't support `jit_compile")

    with refusal():
        model = build(keras, jit_compile=True)
    assert model.jit_compile is not is_keras_3
    if is_keras_3:
        support.fit(model, data(), RIGL)
    else:
        with pytest.raises(ValueError, match="are not compiled by XLA"):
            support.fit(model, data(), RIGL)

    if not native_ops.available():
        return
    with refusal():
        model = build(keras, "auto", jit_compile=True)
    support.fit(model, data(), RIGL)
    reason = next(iter(storage_choice.reasons(model).values()))
    assert reason.startswith("compressed" if is_keras_3 else "masked: XLA")


@support.one_keras("keras")
def test_xla_before_sparsify(keras):
    model = support.make_mlp(keras, units=(200,), inputs=200)
    model.compile("sgd", "mse", jit_compile=True)
    with pytest.raises(ValueError, match="compile with jit_compile=False"):
        tf_rigl.sparsify(model, 0.9, storage="compressed")


@support.one_keras("tf_keras")
def test_several_replicas_have_partial_sums(keras, two_replicas):
    for storage in ("compressed", "auto"):
        with two_replicas.scope():
            model = support.make_mlp(keras, units=(200,), inputs=200)
        if storage == "auto":
            tf_rigl.sparsify(model, 0.9, storage=storage)
            reason = next(iter(storage_choice.reasons(model).values()))
            assert reason.startswith("masked: several replicas have partial")
        else:
            with pytest.raises(ValueError, match="several replicas have par"):
                tf_rigl.sparsify(model, 0.9, storage=storage)


def loss_scaling(keras, inner):
    name = "LossScaleOptimizer"
    found = getattr(keras.optimizers, name, None)
    return (found or getattr(keras.mixed_precision, name))(inner)


@pytest.mark.slow
@support.one_keras("keras")
def test_loss_scaling(keras):
    def make(storage):
        optimizer = loss_scaling(keras, keras.optimizers.SGD(0.01))
        return build(keras, storage, optimizer=optimizer)

    with pytest.raises(ValueError, match="clips, or scales with the loss"):
        support.fit(make("compressed"), data(), RIGL)
    support.fit(make("compressed"), data(), tf_rigl.SET(stop_step=8))
    losses = []
    for storage in ("masked", "auto"):
        model = make(storage)
        losses.append(support.fit(model, data(), RIGL).history["loss"])
        assert not any(r.storage.is_compressed for r in masked_weights(model))
    np.testing.assert_allclose(*losses, rtol=1e-5)


@support.one_keras("keras")
@pytest.mark.parametrize("name", ["Muon", "Adafactor"])
def test_optimizers_that_look_at_the_matrix(keras, name):
    rule = getattr(keras.optimizers, name, None)
    if rule is None:
        pytest.skip(f"no {name} in this Keras")
    options = {"learning_rate": 0.01}
    if name == "Muon":
        options["adam_lr_ratio"] = 1.0
    model = build(keras)
    with pytest.raises(ValueError, match=f"{name} (orthogonal|factors)"):
        tf_rigl.attach(rule(**options), model, tf_rigl.RigL(stop_step=8))
    assert not attach.attached_to(model)


@pytest.mark.slow
@support.keras_in_turn("name", ["Lion", "Lamb", "SGD", "Adam"])
@pytest.mark.parametrize("ema", [False, True])
def test_other_optimizers_and_averages(keras, name, ema):
    rule = getattr(keras.optimizers, name, None)
    if rule is None:
        pytest.skip(f"no {name} in this Keras")
    results = []
    for storage in ("masked", "compressed"):
        options = {"use_ema": True, "ema_momentum": 0.5} if ema else {}
        optimizer = rule(learning_rate=2**-7, **options)
        model = build(keras, storage, optimizer=optimizer)
        fitted = support.fit(model, data(), RIGL, epochs=4, batch_size=16)
        results.append(
            (
                fitted.history["loss"],
                [one.values().numpy() for one in masked_weights(model)],
                tf_rigl.masks(model),
            )
        )
    (losses, values, masks), (others, found, others_masks) = results
    np.testing.assert_allclose(losses, others, rtol=1e-4)
    for one, other in zip(masks.values(), others_masks.values(), strict=True):
        # Sums differ in their last bits, and so may which of two ties wins.
        assert np.mean(one != other) < 1e-3
    for one, other in zip(values, found, strict=True):
        close = np.isclose(one, other, rtol=1e-3, atol=1e-4)
        assert np.mean(close) > 0.995


@support.one_keras("keras")
def test_denormal_numbers_are_not_flushed(keras):
    # TensorFlow flushes them in its own operations, in threads of its own.
    model = build(keras)
    model(data()[0])
    assert np.float32(1e-38) * np.float32(0.01) > 0
