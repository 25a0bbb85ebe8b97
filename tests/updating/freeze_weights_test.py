"""Weights of which a part is trained: the rest never changes by a bit."""

import json

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests.updating.frozen import AVERAGES
from tests.updating.frozen import DECAY
from tests.updating.frozen import MODES
from tests.updating.frozen import OPTIMIZERS
from tests.updating.frozen import STEPS
from tests.updating.frozen import AfterEachBatch
from tests.updating.frozen import make_masks
from tests.updating.frozen import make_model
from tests.updating.frozen import make_values
from tests.updating.frozen import trainable_values
from tf_rigl.backend import platform_limits
from tf_rigl.masking.masked_weight import masked_weights

CASES = [
    *((name, "graph") for name in OPTIMIZERS),
    *(("overwritten", mode) for mode in MODES if mode != "graph"),
]


@support.keras_in_turn("case", CASES)
def test_frozen_values_in_every_step(keras, case):
    name, mode = case
    model = make_model(keras)
    masks = make_masks(model)
    values = make_values(model, masks)
    before = tf_rigl.Snapshot.of(model).weights
    checked = AfterEachBatch(keras, model, masks, values)

    support.train(
        keras,
        model,
        None,
        epochs=1,
        samples=32 * STEPS,
        optimizer=OPTIMIZERS[name](keras),
        callbacks=[tf_rigl.FreezeWeights(masks, values), checked.callback],
        **MODES[mode],
    )

    assert checked.seen >= STEPS // 3
    # Keras has written the averages at the end.
    checked.check(model, masks, values)
    after = tf_rigl.Snapshot.of(model).weights
    for path, mask in masks.items():
        moved = after[path] != before[path]
        assert moved[mask].mean() > 0.8
        assert np.all(np.isfinite(after[path]))
        assert tf_rigl.masks(model)[path].all()


@support.keras_in_turn("name", ["momentum", "adamw", "averages"])
def test_frozen_at_zero_is_masked(keras, name):
    """Bit for bit what a model with these masks becomes."""
    frozen, masked = make_model(keras), make_model(keras)
    masks = make_masks(frozen)
    zeros = {path: np.zeros(mask.shape) for path, mask in masks.items()}
    tf_rigl.set_masks(
        masked, dict(zip(tf_rigl.masks(masked), masks.values(), strict=True))
    )
    for model, callback in (
        (frozen, tf_rigl.FreezeWeights(masks, zeros)),
        (masked, tf_rigl.UpdateMasks(tf_rigl.Static())),
    ):
        optimizer = OPTIMIZERS[name](keras)
        arguments = {"optimizer": optimizer, "callbacks": [callback]}
        support.train(keras, model, None, epochs=1, **arguments)
    support.assert_all_equal(trainable_values(frozen), trainable_values(masked))


@support.one_keras("tf_keras")
def test_steps_against_numpy(keras):
    """Momentum with decay, the gradients from outside."""
    rate, momentum, decay = 0.1, 0.9, 0.1
    model = make_model(keras)
    masks = make_masks(model)
    values = make_values(model, masks)
    records = masked_weights(model)
    variables = [record.storage.variable for record in records]
    loss = support.crossentropy(keras)
    expected = [
        np.where(masks[one.path], one.values(), values[one.path])
        for one in records
    ]
    velocity = [np.zeros_like(value) for value in expected]
    inputs, labels = support.make_data((20,), 32)

    class Step(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            with tf.GradientTape() as tape:
                error = loss(labels, model(inputs, training=True))
            for place, gradient in enumerate(tape.gradient(error, variables)):
                mask = masks[records[place].path]
                gradient = np.where(mask, gradient, 0)
                decayed = expected[place] * np.float32(1 - decay * rate)
                velocity[place] = momentum * velocity[place] - rate * gradient
                stepped = decayed + velocity[place]
                expected[place] = np.where(mask, stepped, expected[place])

        def on_train_batch_end(self, batch, logs=None):
            for record, value in zip(records, expected, strict=True):
                np.testing.assert_allclose(
                    record.values(), value, rtol=1e-5, atol=1e-6
                )

    optimizer = keras.optimizers.SGD(rate, momentum, weight_decay=decay)
    model.compile(optimizer, loss, run_eagerly=True)
    callbacks = [tf_rigl.FreezeWeights(masks, values), Step()]
    support.fit(model, (inputs, labels), None, callbacks, epochs=5)


def test_gradient_accumulation():
    """Keras 3 only: weights rest between updates, averages do not."""
    import keras

    model = make_model(keras)
    masks = make_masks(model)
    values = make_values(model, masks)
    checked = AfterEachBatch(keras, model, masks, values)
    optimizer = keras.optimizers.Adam(
        0.01, gradient_accumulation_steps=2, **AVERAGES, **DECAY
    )
    support.train(
        keras,
        model,
        None,
        epochs=1,
        optimizer=optimizer,
        callbacks=[tf_rigl.FreezeWeights(masks, values), checked.callback],
    )
    assert checked.seen > STEPS


def test_two_replicas(keras, two_replicas):
    """Keras 3 itself cannot overwrite weights by averages on replicas."""
    with two_replicas.scope():
        model = make_model(keras)
        optimizer = keras.optimizers.AdamW(0.01, **AVERAGES, **DECAY)
        masks = make_masks(model)
        values = make_values(model, masks)
        freeze = tf_rigl.FreezeWeights(masks, values, check_replicas=True)
        support.train(
            keras,
            model,
            None,
            epochs=1,
            optimizer=optimizer,
            callbacks=[freeze],
        )
    for record in masked_weights(model):
        frozen = ~masks[record.path]
        of_replicas = two_replicas.experimental_local_results(
            record.storage.variable
        )
        for one in of_replicas:
            np.testing.assert_array_equal(
                one.numpy()[frozen], values[record.path][frozen]
            )
        np.testing.assert_array_equal(of_replicas[0], of_replicas[1])


@support.keras_in_turn("structure", [tf_rigl.Block(3, 2), tf_rigl.NByM(2, 4)])
def test_structures(keras, structure):
    """The masks here need not have the structure, which is for zeros."""
    model = make_model(keras, structure=structure)
    masks = make_masks(model)
    values = make_values(model, masks)
    freeze = tf_rigl.FreezeWeights(masks, values)
    support.train(keras, model, None, 1, callbacks=[freeze], run_eagerly=True)
    freeze.check_frozen()


@support.one_keras("keras")
def test_mixed_precision(keras):
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = support.make_mlp(keras, (16,), dtype="float32")
        tf_rigl.sparsify(model, 0.0, start="dense")
    finally:
        keras.mixed_precision.set_global_policy("float32")
    masks = make_masks(model)
    values = make_values(model, masks)
    freeze = tf_rigl.FreezeWeights(masks, values)
    support.train(keras, model, None, 1, callbacks=[freeze])
    freeze.check_frozen()


@support.one_keras("keras")
def test_present_values_and_weights_without_a_mask(keras):
    """By default what is there; weights that are not named are trained."""
    model = make_model(keras)
    first, second = masks = make_masks(model)
    masks.pop(second)
    before = tf_rigl.Snapshot.of(model).weights
    freeze = tf_rigl.FreezeWeights(masks)
    support.train(keras, model, None, 1, callbacks=[freeze])
    after = tf_rigl.Snapshot.of(model).weights
    np.testing.assert_array_equal(
        after[first][~masks[first]], before[first][~masks[first]]
    )
    assert np.mean(after[second] != before[second]) > 0.9

    # Another method trains all of them afterwards.
    support.train(keras, model, tf_rigl.Static(), 1)
    later = tf_rigl.Snapshot.of(model).weights
    assert np.mean(later[first] != after[first]) > 0.9
    assert not masked_weights(model)[0].state


def test_rounds_trace_once(keras):
    traces = []

    class Traced(keras.layers.Layer):
        def call(self, inputs):
            traces.append(inputs.shape)
            return inputs

    model = keras.Sequential(
        [
            keras.Input((20,)),
            keras.layers.Dense(16),
            Traced(),
            keras.layers.Dense(10),
        ]
    )
    tf_rigl.sparsify(model, 0.0, start="dense")
    model.compile("adam", support.crossentropy(keras))
    data = support.make_data((20,), 64, classes=10)
    counts = []
    for seed in range(3):
        masks = make_masks(model, seed=seed)
        freeze = tf_rigl.FreezeWeights(masks, make_values(model, masks, seed))
        support.fit(model, data, callbacks=[freeze])
        freeze.check_frozen()
        counts.append(len(traces))
    assert counts[0] == counts[2]


@support.keras_in_turn("given", [False, True])
def test_training_goes_on(keras, tmp_path, given):
    """From a checkpoint: the same values, whether they are passed or not."""
    data = support.make_data((20,), 128)

    def run(model, epochs, directory):
        masks = make_masks(model)
        callbacks = [
            tf_rigl.FreezeWeights(
                masks, make_values(model, masks) if given else None
            ),
            tf_rigl.Checkpoints(directory),
        ]
        begun = callbacks[1].step // 4
        support.fit(
            model,
            data,
            callbacks=callbacks,
            epochs=epochs,
            initial_epoch=begun,
        )

    def compiled(factor=1.0):
        model = make_model(keras)
        model.set_weights([factor * w for w in model.get_weights()])
        optimizer = keras.optimizers.Adam(0.01, weight_decay=0.1)
        model.compile(optimizer, support.crossentropy(keras))
        return model

    whole, first, second = compiled(), compiled(), compiled(2.0)
    run(whole, 4, tmp_path / "whole")
    run(first, 2, tmp_path / "parts")
    run(second, 4, tmp_path / "parts")
    support.assert_all_equal(trainable_values(whole), trainable_values(second))


@support.one_keras("keras")
def test_a_model_saved_meanwhile(keras, tmp_path):
    model = make_model(keras)
    masks = make_masks(model)
    values = make_values(model, masks)
    path = tmp_path / "model.keras"

    class Save(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            model.save(path)

    callbacks = [tf_rigl.FreezeWeights(masks, values), Save()]
    support.train(keras, model, None, 1, callbacks=callbacks)
    loaded = keras.models.load_model(path)
    freeze = tf_rigl.FreezeWeights(masks, values)
    data = support.make_data((20,), 64)
    support.fit(loaded, data, callbacks=[freeze])
    freeze.check_frozen()
    tf_rigl.strip(loaded)
    assert json.loads(loaded.to_json())["class_name"] == "Sequential"


@support.one_keras("tf_keras")
def test_errors(keras, monkeypatch):
    model = make_model(keras)
    masks = make_masks(model)
    (path, mask), *_ = masks.items()
    data = support.make_data((20,), 64)
    optimizer = keras.optimizers.SGD(0.1)
    model.compile(optimizer, support.crossentropy(keras))

    def refuses(match, *arguments, of=model, error=ValueError):
        with pytest.raises(error, match=match):
            support.fit(of, data, callbacks=[tf_rigl.FreezeWeights(*arguments)])

    refuses(r"\['no'\]. Known weights", {"no": mask})
    refuses("must map the paths", list(masks.values()), error=TypeError)
    refuses("must be bool and have the shape", {path: mask[1:]})
    refuses("dtype float64.*array != 0", {path: mask.astype(float)})
    refuses(r"Received: none for", masks, {path: np.zeros(mask.shape)})
    refuses(r"Received: shape \(2,\) for", {path: mask}, {path: np.zeros(2)})
    plain = support.make_mlp(keras)
    plain.compile("sgd", support.crossentropy(keras))
    refuses(r'has none. Call .*start="dense"', masks, of=plain)
    sparse = tf_rigl.sparsify(support.make_mlp(keras, (16,)), 0.5)
    sparse.compile("sgd", support.crossentropy(keras))
    given = tf_rigl.masks(sparse)
    refuses(r"of which .* are active. Sparsify", given, of=sparse)

    with monkeypatch.context() as patched:
        servers = platform_limits.Platform("parameter_server", workers=2)
        patched.setattr(platform_limits, "platform_of", lambda _: servers)
        refuses("Received: 2 workers", masks)

    freeze = tf_rigl.FreezeWeights(masks, make_values(model, masks))
    support.fit(model, data, callbacks=[freeze])
    freeze.check_frozen()
    support.fit(model, data, tf_rigl.Static())
    with pytest.raises(ValueError, match=r"of which \d+ have changed"):
        freeze.check_frozen()
