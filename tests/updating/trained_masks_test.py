"""Methods that train masks over weights that stay as they are."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.masking.masked_weight import masked_weights

METHODS = {
    "edge_popup": tf_rigl.EdgePopup(),
    "supermask": tf_rigl.Supermask(),
    "supermask_rescaled": tf_rigl.Supermask(rescale=True),
}
# Every kind of layer, by the optimizers that people use.
OPTIMIZERS = {
    "edge_popup": lambda keras: keras.optimizers.Adam(0.01),
    "supermask": lambda keras: keras.optimizers.SGD(50.0, 0.9, nesterov=True),
    "supermask_rescaled": lambda keras: keras.optimizers.RMSprop(0.1),
}


def make_model(keras):
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((12, 4)),
            layers.Conv1D(8, 3, name="convolution"),
            layers.BatchNormalization(name="normalization"),
            layers.LSTM(6, return_sequences=True, name="lstm"),
            layers.SeparableConv1D(5, 2, name="separable"),
            layers.Flatten(),
            layers.Dense(16, "relu", name="hidden"),
            layers.Dense(3, name="logits"),
        ]
    )


def snapshot(model):
    return {
        f"{index} {weight.name}": np.array(tf.convert_to_tensor(weight))
        for index, weight in enumerate(model.weights)
    }


@support.keras_in_turn("name", METHODS)
def test_only_masks_are_trained(keras, name):
    """Weights are 0 or what they were, times the factor; all others stay."""
    model = make_model(keras)
    initial = snapshot(model)
    tf_rigl.sparsify(model, 0.5, start="dense", dense=["logits"])
    support.train(
        keras,
        model,
        METHODS[name],
        optimizer=OPTIMIZERS[name](keras),
        shape=(12, 4),
    )

    masked = {id(w.variable): w for w in masked_weights(model)}
    assert len(masked) >= 6
    for (path, before), variable in zip(
        initial.items(), model.weights, strict=True
    ):
        if "moving" in path:
            continue
        record = masked.get(id(variable))
        if record is None or record.target == record.size:
            np.testing.assert_array_equal(np.array(variable), before, path)
            continue
        mask = record.mask.numpy()
        factor = 1.0
        if name == "supermask_rescaled":
            factor = np.float32(mask.size) / np.float32(mask.sum())
        np.testing.assert_array_equal(
            record.values().numpy(), np.where(mask, before * factor, 0), path
        )
    assert support.moved(model) > 0


@support.one_keras("tf_keras")
@pytest.mark.parametrize(
    "name",
    [
        "edge_popup",
        "supermask",
        # The factor comes after training.
        pytest.param("supermask_rescaled", marks=pytest.mark.slow),
    ],
)
def test_others_are_trained_on_request(keras, name):
    model = tf_rigl.sparsify(make_model(keras), 0.5, start="dense")
    biases = [w for w in model.trainable_weights if "bias" in w.name]
    before = [w.numpy() for w in biases]
    method = dataclasses.replace(METHODS[name], train_others=True)
    support.train(keras, model, method, 1, shape=(12, 4))
    assert all(
        np.any(w.numpy() != old) for w, old in zip(biases, before, strict=True)
    )


@support.one_keras("keras")
def test_gradients_of_scores_are_those_straight_through_a_product(keras):
    """Automatic differentiation of |s| · w, with the selection passed by."""
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.6, start="dense")
    optimizer = keras.optimizers.SGD(1.0)
    tf_rigl.attach(optimizer, model, tf_rigl.EdgePopup())
    records = masked_weights(model)
    scores = [tf.Variable(w.state["scores"]) for w in records]
    inputs, labels = support.batches()[0]

    with tf.GradientTape() as tape:
        kernels = [
            # Its value is that of the mask, its gradient that of |s|.
            w.state["frozen_values"]
            * (
                tf.abs(s)
                + tf.stop_gradient(tf.cast(w.mask, s.dtype) - tf.abs(s))
            )
            for w, s in zip(records, scores, strict=True)
        ]
        hidden = tf.nn.relu(inputs @ kernels[0] + model.layers[0].bias)
        logits = hidden @ kernels[1] + model.layers[1].bias
        loss = support.crossentropy(keras)(labels, logits)
    expected = [
        np.array(s - g)
        for s, g in zip(scores, tape.gradient(loss, scores), strict=True)
    ]

    support.make_step(keras, model, optimizer)(inputs, labels)
    for record, score in zip(masked_weights(model), expected, strict=True):
        np.testing.assert_allclose(
            record.state["scores"].numpy(), score, rtol=1e-5, atol=1e-8
        )


@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        ({"weight_decay": 0.01}, r"weight_decay=0\.01"),
        ({"use_ema": True}, "use_ema=True"),
    ],
)
def test_optimizers_that_would_change_the_weights_are_refused(
    keras, arguments, received
):
    model = tf_rigl.sparsify(support.make_mlp(keras), 0.5, start="dense")
    optimizer = keras.optimizers.SGD(0.1, **arguments)
    with pytest.raises(ValueError, match=f"EdgePopup trains .*{received}"):
        tf_rigl.attach(optimizer, model, tf_rigl.EdgePopup())
    with pytest.raises(ValueError, match=f"EdgePopup trains .*{received}"):
        support.train(keras, model, tf_rigl.EdgePopup(), 1, optimizer=optimizer)


@support.one_keras("keras")
def test_weights_that_were_changed_since_are_not_silently_put_back(keras):
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.5, start="dense")
    support.train(keras, model, tf_rigl.EdgePopup(), 1)
    tf_rigl.reinitialize(model, "signed_kaiming")
    with pytest.raises(ValueError, match=r"goes on with .*dense/kernel"):
        support.train(keras, model, tf_rigl.EdgePopup(), 1)


@support.one_keras("tf_keras")
def test_another_method_begins_anew(keras):
    model = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.5)
    support.train(keras, model, tf_rigl.SET(stop_step=6, update_interval=2), 1)
    with pytest.raises(ValueError, match=r"Supermask goes on .*another method"):
        support.train(keras, model, tf_rigl.Supermask(), 1)
    # Nor does it take masks that were there before.
    sparse = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.5)
    with pytest.raises(
        ValueError, match=r"EdgePopup .*which was sparse before"
    ):
        support.train(keras, sparse, tf_rigl.EdgePopup(), 1)
    model = tf_rigl.sparsify(tf_rigl.strip(model), 0.5, start="dense")
    support.train(keras, model, tf_rigl.Supermask(), 1)


@support.one_keras("keras")
def test_supermasks_have_single_positions(keras):
    model = tf_rigl.sparsify(
        support.make_mlp(keras),
        0.5,
        start="dense",
        structure=tf_rigl.Block(2, 2),
    )
    with pytest.raises(ValueError, match="masks of the structure unstructured"):
        support.train(keras, model, tf_rigl.Supermask(), 1)
    # Scores of edge-popup are pooled.
    support.train(keras, model, tf_rigl.EdgePopup(), 1)
