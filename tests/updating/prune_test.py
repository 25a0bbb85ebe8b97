"""Pruning at once, against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests.methods import ranking
from tf_rigl.core import criteria
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.updating import loss_gradients

SPARSITY = 0.8


def compiled(keras, **kwargs):
    arguments = {"sparsity": SPARSITY, "start": "dense", **kwargs}
    model = tf_rigl.sparsify(support.make_mlp(keras, (16,)), **arguments)
    model.compile("sgd", support.crossentropy(keras))
    return model


def data(batch_size=32):
    inputs, labels = support.make_data((20,), 64, classes=10)
    return tf.data.Dataset.from_tensor_slices((inputs, labels)).batch(
        batch_size
    )


def largest(scores, counts):
    """Masks by sorting, one count for each or one for all."""
    everywhere = [np.ones(score.shape, bool) for score in scores]
    if isinstance(counts, int):
        return ranking.largest_of_all(scores, everywhere, counts)
    return list(map(ranking.largest, scores, everywhere, counts))


def gradients_by_keras(keras, model):
    inputs, labels = next(iter(data(64)))
    with tf.GradientTape() as tape:
        loss = support.crossentropy(keras)(labels, model(inputs))
    variables = [w.storage.variable for w in masked_weights(model)]
    return tape.gradient(loss, variables)


@pytest.mark.parametrize("scope", ["weight", "global"])
@pytest.mark.parametrize("criterion", ["magnitude", "snip"])
def test_keeps_the_highest_scores(keras, criterion, scope):
    model = compiled(keras)
    records = masked_weights(model)
    scores = [np.abs(record.values().numpy()) for record in records]
    values = [record.values().numpy() for record in records]
    if criterion == "snip":
        scores = [
            np.abs(record.values().numpy() * gradient.numpy())
            for record, gradient in zip(
                records, gradients_by_keras(keras, model), strict=True
            )
        ]
    counts = [record.target for record in records]
    expected = largest(scores, counts if scope == "weight" else sum(counts))
    assert tf_rigl.prune(model, criterion, data(), scope=scope) is model
    support.assert_same_masks(tf_rigl.masks(model), dict(enumerate(expected)))
    for record, value, mask in zip(records, values, expected, strict=True):
        np.testing.assert_array_equal(
            record.values().numpy(), np.where(mask, value, 0)
        )


def test_product_of_hessian_and_gradient(keras):
    """Against a difference of gradients along the gradient, in float64."""
    keras.backend.set_floatx("float64")
    try:
        model = compiled(keras)
    finally:
        keras.backend.set_floatx("float32")
    records = masked_weights(model)
    loss, batches = support.crossentropy(keras), list(data())
    gradients = loss_gradients.mean_gradients(model, records, batches, loss)
    products = loss_gradients.hessian_gradient_products(
        model, records, batches, loss, temperature=1.0
    )
    values, step = [record.values().numpy() for record in records], 1e-4
    shifted = []
    for sign in (1, -1):
        for record, value, gradient in zip(
            records, values, gradients, strict=True
        ):
            record.variable.assign(value + sign * step * gradient.numpy())
        shifted.append(
            loss_gradients.mean_gradients(model, records, batches, loss)
        )
    for product, above, below in zip(products, *shifted, strict=True):
        slope = (above.numpy() - below.numpy()) / (2 * step)
        scale = np.abs(slope).max()
        np.testing.assert_allclose(product / scale, slope / scale, atol=5e-3)


@pytest.mark.parametrize("scope", ["weight", "global"])
def test_grasp_keeps_the_largest_signed_scores(keras, scope):
    model = compiled(keras)
    records = masked_weights(model)
    products = loss_gradients.hessian_gradient_products(
        model, records, data(), support.crossentropy(keras), 200.0
    )
    scores = [
        record.values().numpy() * product.numpy()
        for record, product in zip(records, products, strict=True)
    ]
    counts = [record.target for record in records]
    tf_rigl.prune(model, "grasp", data(), scope=scope)
    actual = list(tf_rigl.masks(model).values())
    assert sum(int(mask.sum()) for mask in actual) == sum(counts)
    # Ranks give up the lowest bit, so compare scores, not positions.
    if scope == "global":
        actual = [np.concatenate([mask.ravel() for mask in actual])]
        scores = [np.concatenate([score.ravel() for score in scores])]
    for mask, score in zip(actual, scores, strict=True):
        tolerance = 1e-5 * np.abs(score).max()
        assert score[mask].min() >= score[~mask].max() - tolerance


def test_random_depends_on_the_seed_only(keras):
    masks = [
        tf_rigl.masks(tf_rigl.prune(compiled(keras), "random", seed=seed))
        for seed in (0, 0, 1)
    ]
    support.assert_same_masks(masks[0], masks[1])
    with pytest.raises(AssertionError):
        support.assert_same_masks(masks[0], masks[2])


def test_structured(keras):
    structure = tf_rigl.Block(2, 2)
    model = compiled(keras, structure=structure)
    tf_rigl.prune(model)
    for record in masked_weights(model):
        assert record.num_active() == record.target
        blocks = record.mask.numpy().reshape(
            record.size // record.shape[1] // 2, 2, -1, 2
        )
        assert np.all(blocks.all((1, 3)) == blocks.any((1, 3)))
    with pytest.raises(
        ValueError, match=r"without a structure.*scope='weight'"
    ):
        tf_rigl.prune(compiled(keras, structure=structure), scope="global")


def test_moving_averages_rest(keras):
    model = tf_rigl.sparsify(support.make_noisy(keras), 0.5, start="dense")
    model.compile("sgd", support.crossentropy(keras))
    before = [w.numpy() for w in model.layers[1].non_trainable_weights]
    tf_rigl.prune(model, "snip", data())
    after = [w.numpy() for w in model.layers[1].non_trainable_weights]
    support.assert_all_equal(before, after)


def test_a_criterion_of_ones_own(keras):
    """Signed: the highest scores stay, here the smallest magnitudes."""
    model = compiled(keras)
    records = masked_weights(model)
    scores = [-np.abs(record.values().numpy()) for record in records]
    expected = largest_signed(scores, [record.target for record in records])
    tf_rigl.prune(model, lambda evidence: -tf.abs(evidence.final))
    support.assert_same_masks(tf_rigl.masks(model), dict(enumerate(expected)))


def largest_signed(scores, counts):
    return largest([score - score.min() for score in scores], counts)


def test_a_criterion_sees_the_gradient_and_the_initial_values(keras):
    model = compiled(
        keras, options=tf_rigl.SparsifyOptions(keep_initial_values=True)
    )
    seen = []

    def score(evidence):
        seen.append(evidence)
        return evidence.final

    criterion = criteria.Criterion(score, "gradient", needs_initial=True)
    gradients = gradients_by_keras(keras, model)
    initial = [record.values().numpy() for record in masked_weights(model)]
    tf_rigl.prune(model, criterion, data())
    for evidence, gradient, value in zip(seen, gradients, initial, strict=True):
        np.testing.assert_allclose(
            evidence.gradient, gradient, rtol=1e-4, atol=1e-6
        )
        np.testing.assert_array_equal(evidence.initial, value)
        assert evidence.hessian_gradient is None
    with pytest.raises(ValueError, match="needs the initial values"):
        tf_rigl.prune(compiled(keras), criterion, data())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"criterion": "entropy"}, r"`criterion` must be one of .*'entropy'"),
        ({"criterion": "snip"}, r"needs gradients.*Received: data=None"),
        ({"criterion": "snip", "data": []}, r"at least one batch"),
        ({"criterion": "grasp", "data": [1]}, r"batches of \(inputs, labels"),
        (
            {"criterion": "snip", "data": [(1, 2, 3)]},
            r"without sample weights.*tuple'> of 3\. Of a dataset, pass",
        ),
        ({"scope": "layer"}, "`scope` must be one of"),
        ({"criterion": lambda e: e.final[0]}, r"a float for each position"),
        ({"criterion": lambda e: tf.cast(e.final, tf.int32)}, r"dtype .*int32"),
        ({"criterion": lambda e: e.gradient}, r"derivative='gradient'"),
    ],
)
def test_bad_arguments(keras, arguments, message):
    with pytest.raises(ValueError, match=message):
        tf_rigl.prune(compiled(keras), **arguments)


@pytest.mark.parametrize("argument", ["derivative", "scope"])
def test_bad_arguments_of_a_criterion(argument):
    with pytest.raises(ValueError, match=f"`{argument}` must be one of"):
        criteria.Criterion(lambda evidence: evidence.final, **{argument: "x"})


def test_models_that_are_not_ready(keras):
    model = support.make_mlp(keras)
    with pytest.raises(ValueError, match="must have masked weights"):
        tf_rigl.prune(model)
    tf_rigl.sparsify(model, 0.5, start="dense")
    with pytest.raises(ValueError, match="Received: loss=None"):
        tf_rigl.prune(model, "snip", data())


def test_scores_that_are_not_finite(keras):
    model = compiled(keras)
    inputs, labels = support.make_data((20,), 8)
    inputs[0, 0] = np.nan
    with pytest.raises(ValueError, match="The scores must be finite"):
        tf_rigl.prune(model, "snip", [(inputs, labels)])
