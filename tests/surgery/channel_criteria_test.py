"""Criteria choose the channels of the lowest scores."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support as training
from tests.surgery import dead_units
from tests.surgery import pruning
from tests.surgery import support


def gradients(model, batch, variables):
    inputs, labels = batch
    with tf.GradientTape() as tape:
        outputs = model(inputs, training=True)
        loss = tf.reduce_mean(tf.square(outputs - labels))
    return [np.asarray(one) for one in tape.gradient(loss, variables)]


def mean_squares(labels, outputs):
    return tf.reduce_mean(tf.square(outputs - labels), axis=-1)


def batches(model):
    random = np.random.default_rng(3)
    return [
        (
            tf.constant(support.example(model, 4, seed)),
            tf.constant(random.normal(size=(4, 5)), tf.float32),
        )
        for seed in (5, 6)
    ]


def value_of(variable):
    """The variable that a gradient tape watches, in both Keras."""
    value = getattr(variable, "value", variable)
    return variable if callable(value) else value


def expected_scores(model, criterion, normalized):
    """The scores of `first`, in NumPy."""
    kernel = pruning.filters(model, "first")
    if criterion == "l1":
        return np.abs(kernel).sum(1)
    if criterion == "l2":
        return np.linalg.norm(kernel, axis=1)
    if criterion == "fpgm":
        return np.linalg.norm(kernel[:, None] - kernel, axis=2).sum(1)
    if criterion == "bn_scale":
        return np.abs(np.asarray(model.get_layer("first_norm").gamma))
    if criterion == "taylor":
        layer = model.get_layer("first_norm" if normalized else "first")
        names = ("gamma", "beta") if normalized else ("kernel",)
        variables = [getattr(layer, name) for name in names]
        total = 0
        for batch in batches(model):
            # Batch normalization in training moves its averages.
            before = model.get_weights()
            found = gradients(model, batch, [*map(value_of, variables)])
            model.set_weights(before)
            products = [
                (np.asarray(one) * gradient).reshape(-1, 10).sum(0)
                for one, gradient in zip(variables, found, strict=True)
            ]
            total = total + np.square(sum(products))
        return total
    submodel = type(model)(model.layers[: 3 if normalized else 2])
    values = np.concatenate(
        [np.asarray(submodel(inputs)) for inputs, _ in batches(model)]
    ).reshape(-1, 10)
    if criterion == "apoz":
        return (values != 0).mean(0)
    return np.abs(values).mean(0)


@pytest.mark.parametrize(
    ("criterion", "normalized"),
    [
        ("l1", True),
        pytest.param("l2", True, marks=pytest.mark.slow),
        ("fpgm", True),
        ("bn_scale", True),
        ("taylor", True),
        pytest.param("activation", True, marks=pytest.mark.slow),
        ("apoz", True),
        ("taylor", False),
    ],
)
def test_criteria_remove_the_lowest_scores(keras, criterion, normalized):
    model = pruning.convnet(keras, normalized=normalized)
    scores = expected_scores(model, criterion, normalized)
    _, report = tf_rigl.prune_channels(
        model,
        0.4,
        criterion=criterion,
        data=batches(model),
        loss=mean_squares,
    )
    removed = np.flatnonzero(~report.masks["first"])
    assert removed.tolist() == sorted(np.argsort(scores)[:4].tolist())
    assert np.unique(scores).size > 5


@training.one_keras("keras")
def test_random_scores_depend_on_the_seed(keras):
    model = pruning.convnet(keras)
    masks = [
        tf_rigl.prune_channels(
            model, 0.5, criterion="random", seed=seed
        ).report.masks["first"]
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(masks[0], masks[1])
    assert (masks[0] != masks[2]).any()


@training.one_keras("tf_keras")
def test_coupled_layers_have_one_score(keras):
    """The mean of each layer's l1, divided by its mean."""
    model = dead_units.CASES["residual"].build(keras)
    support.randomize(model)
    norms = [np.abs(pruning.filters(model, name)).sum(1) for name in "acd"]
    scores = np.mean([one / one.mean() for one in norms], axis=0)
    _, report = tf_rigl.prune_channels(model, 0.5)
    expected = np.argsort(scores)[3:]
    assert np.flatnonzero(report.masks["a"]).tolist() == sorted(expected)

    # Not normalized, the largest of three.
    scores = np.max(norms, axis=0)
    _, report = tf_rigl.prune_channels(model, 0.5, reduce="max", normalize=None)
    expected = np.argsort(scores)[3:]
    assert np.flatnonzero(report.masks["d"]).tolist() == sorted(expected)


@training.one_keras("keras")
def test_equal_scores_lose_the_lowest_index(keras):
    model = pruning.convnet(keras)
    for name in ("first", "second"):
        layer = model.get_layer(name)
        layer.kernel.assign(np.ones(layer.kernel.shape))
    _, report = tf_rigl.prune_channels(model, 0.3)
    assert np.flatnonzero(~report.masks["first"]).tolist() == [0, 1, 2]
    assert np.flatnonzero(~report.masks["second"]).tolist() == [0, 1]
    # Of all channels, too, those of the first layer first.
    _, report = tf_rigl.prune_channels(
        model, 7 / 18, scope="global", normalize="mean"
    )
    assert np.flatnonzero(~report.masks["first"]).tolist() == [*range(7)]
    assert report.masks["second"].all()


def branched(keras, names, reverse=False, merging="Add"):
    """Two branches that are merged, made in either order."""
    layers = keras.layers
    made = [layers.Dense(8, name=name) for name in names]
    inputs = keras.Input((5,))
    order = [1, 0] if reverse else [0, 1]
    hidden = {index: made[index](inputs) for index in order}
    hidden = getattr(layers, merging)(name="merged")([hidden[0], hidden[1]])
    return keras.Model(inputs, layers.Dense(2, name="last")(hidden))


def test_names_and_order_of_creation_do_not_matter(keras):
    results = []
    for names, reverse in ((("a", "b"), False), (("z", "b"), True)):
        model = branched(keras, names, reverse)
        random = np.random.default_rng(0)
        for name in (*names, "last"):
            kernel = model.get_layer(name).kernel
            kernel.assign(random.normal(size=kernel.shape))
        _, report = tf_rigl.prune_channels(model, 0.5)
        results.append(report.masks[names[0]])
        np.testing.assert_array_equal(results[-1], report.masks["b"])
    np.testing.assert_array_equal(*results)


@training.keras_in_turn("criterion", ["l1", "random"])
def test_names_and_order_of_groups_do_not_matter(keras, criterion):
    """Two groups of equal scores, or of scores that are drawn in turn."""
    results = []
    for names, reverse in ((("a", "b"), False), (("z", "b"), True)):
        model = branched(keras, names, reverse, merging="Concatenate")
        for name in names:
            kernel = model.get_layer(name).kernel
            kernel.assign(np.ones(kernel.shape))
        _, report = tf_rigl.prune_channels(
            model, 0.25, criterion=criterion, scope="global"
        )
        results.append([report.masks[name] for name in names])
    np.testing.assert_array_equal(*results)
    gone = ~np.concatenate(results[0])
    assert gone.sum() == 4
    # The first channels of the first group.
    assert (gone[:4].all()) == (criterion == "l1")


@pytest.mark.parametrize(
    "criterion", ["bn_scale", "taylor", "activation", "apoz"]
)
def test_layers_in_wrappers(keras, criterion):
    layers = keras.layers
    each = layers.TimeDistributed
    model = support.chain(
        keras,
        (3, 4, 4, 2),
        each(layers.Conv2D(6, 3), name="a"),
        each(layers.BatchNormalization(), name="norm"),
        each(layers.ReLU()),
        each(layers.Conv2D(4, 1), name="b"),
        layers.Flatten(),
        layers.Dense(5, name="out"),
    )
    support.randomize(model)
    data, loss = batches(model), mean_squares
    _, report = tf_rigl.prune_channels(
        model, 0.5, criterion=criterion, data=data, loss=loss
    )
    # Scales of `b` are missing, and what reads it is the classifier.
    left = 4 if criterion == "bn_scale" else 2
    assert pruning.left(report) == {"a": 3, "b": left, "out": 5}
    if criterion == "bn_scale":
        scales = np.abs(model.get_layer("norm").get_weights()[0])
        removed = np.flatnonzero(~report.masks["a"])
        assert removed.tolist() == sorted(np.argsort(scales)[:3])


@training.one_keras("tf_keras")
def test_criterion_of_ones_own(keras):
    model = pruning.convnet(keras)
    seen = []

    def last_first(group):
        seen.append(group.name)
        return -np.arange(group.channels)

    _, report = tf_rigl.prune_channels(model, 0.3, criterion=last_first)
    assert np.flatnonzero(~report.masks["first"]).tolist() == [7, 8, 9]
    assert seen == ["first", "second"]


@training.one_keras("keras")
def test_layers_without_a_scale(keras):
    layers = keras.layers
    model = support.chain(
        keras,
        (5,),
        layers.Dense(6, name="a"),
        layers.BatchNormalization(),
        layers.Dense(6, name="b"),
        layers.BatchNormalization(scale=False),
        layers.Dense(3, name="out"),
    )
    support.randomize(model)
    _, report = pruning.prune_alike(model, 0.5, criterion="bn_scale")
    assert pruning.left(report) == {"a": 3, "b": 6, "out": 3}
    (row,) = (row for row in report.rows if row.path == "b")
    assert row.kept == ("has no scale (gamma) of a normalization",)
