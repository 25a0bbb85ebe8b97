"""Fewer channels: counts, choices, targets and errors, in both Keras."""

from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support as training
from tests import zoo
from tests.surgery import dead_units
from tests.surgery import masked_channels
from tests.surgery import support
from tf_rigl.models import registry


def left(report):
    return {row.path: row.units_left for row in report.rows if row.units}


def weights_of(model):
    return [np.asarray(weight) for weight in model.get_weights()]


def convnet(keras, names=("first", "second", "out"), normalized=True):
    """Two convolutions of 10 and 8 filters, of random weights."""
    layers = keras.layers
    hidden = []
    for name, filters in zip(names, (10, 8), strict=False):
        hidden.append(layers.Conv2D(filters, 3, padding="same", name=name))
        if normalized:
            hidden.append(layers.BatchNormalization(name=f"{name}_norm"))
        hidden.append(layers.ReLU(name=f"{name}_relu"))
    model = support.chain(
        keras,
        (6, 6, 3),
        *hidden,
        layers.GlobalAveragePooling2D(name="pool"),
        layers.Dense(5, name=names[-1]),
    )
    support.randomize(model)
    return model


def prune_alike(model, *arguments, tolerance=1e-5, **options):
    """Prunes a model and compares it to the same model with zeros."""
    before = weights_of(model)
    small, report = tf_rigl.prune_channels(model, *arguments, **options)
    training.assert_all_equal(weights_of(model), before)

    inputs = support.example(model)
    given = support.outputs_of(model, inputs)
    masked_channels.set_to_zero(model, report.masks)
    expected = support.outputs_of(model, inputs)
    np.testing.assert_allclose(
        support.outputs_of(small, inputs),
        expected,
        atol=tolerance * np.abs(expected).max(),
        rtol=0,
    )
    assert np.abs(expected).max() > 1e-3
    assert (expected != given).any()
    assert small.count_params() == report.weights_left
    return small, report


# The units left of a third less, rounded down.
COUNTS = {
    "mlp": {"a": 6, "b": 5, "out": 3},
    "residual": {"a": 4, "b": 3, "c": 4, "d": 4, "out": 3},
    "gated": {"a": 4, "squeeze": 3, "excite": 8, "b": 3, "out": 3},
    "depthwise": {"a": 4, "b": 2, "out": 3},
    "branches": {"a": 3, "b": 3, "c": 3, "out": 3},
    "padding_layer": {"a": 4, "b": 3, "c": 3, "out": 3},
    "transposed": {"a": 4, "b": 3, "out": 3},
    "volumes": {"a": 3, "b": 2, "out": 2},
    "recurrent": {"a": 4, "lstm": 4, "gru": 4, "rnn": 3, "out": 3},
    "tokens": {"a": 4, "b": 4, "gru": 3, "out": 3},
    "reshaped": {"a": 8, "b": 3, "c": 4, "out": 3},
    "nested": {"first/a": 4, "first/b": 4, "second/c": 4, "out": 3},
    "shared": {"a": 4, "b": 4, "shared": 4, "out": 3},
}


@training.keras_in_turn("name", COUNTS)
def test_outputs_are_those_of_the_masked_model(keras, name):
    model = dead_units.CASES[name].build(keras)
    support.randomize(model)
    small, report = prune_alike(model, 0.34)
    assert left(report) == COUNTS[name], str(report)
    assert type(small) is type(model)


def filters(model, name):
    kernel = np.asarray(model.get_layer(name).kernel, np.float64)
    return kernel.reshape(-1, kernel.shape[-1]).T


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


def expected_scores(model, criterion, normalized):
    """The scores of `first`, in NumPy."""
    kernel = filters(model, "first")
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


def value_of(variable):
    """The variable that a gradient tape watches, in both Keras."""
    value = getattr(variable, "value", variable)
    return variable if callable(value) else value


@pytest.mark.parametrize(
    ("criterion", "normalized"),
    [
        *((name, True) for name in ("l1", "l2", "fpgm", "bn_scale")),
        *((name, True) for name in ("taylor", "activation", "apoz")),
        ("taylor", False),
    ],
)
def test_criteria_remove_the_lowest_scores(criterion, normalized):
    keras = training.fresh_keras("keras")
    model = convnet(keras, normalized=normalized)
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


def test_random_scores_depend_on_the_seed(keras):
    model = convnet(keras)
    masks = [
        tf_rigl.prune_channels(
            model, 0.5, criterion="random", seed=seed
        ).report.masks["first"]
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(masks[0], masks[1])
    assert (masks[0] != masks[2]).any()


def test_coupled_layers_have_one_score(keras):
    """The mean of each layer's l1, divided by its mean."""
    model = dead_units.CASES["residual"].build(keras)
    support.randomize(model)
    norms = [np.abs(filters(model, name)).sum(1) for name in "acd"]
    scores = np.mean([one / one.mean() for one in norms], axis=0)
    _, report = tf_rigl.prune_channels(model, 0.5)
    expected = np.argsort(scores)[3:]
    assert np.flatnonzero(report.masks["a"]).tolist() == sorted(expected)

    # Not normalized, the largest of three.
    scores = np.max(norms, axis=0)
    _, report = tf_rigl.prune_channels(model, 0.5, reduce="max", normalize=None)
    expected = np.argsort(scores)[3:]
    assert np.flatnonzero(report.masks["d"]).tolist() == sorted(expected)


def test_equal_scores_lose_the_lowest_index(keras):
    model = convnet(keras)
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


def branched(keras, names, reverse=False):
    """Two branches into one sum, made in either order."""
    layers = keras.layers
    made = [layers.Dense(8, name=name) for name in names]
    inputs = keras.Input((5,))
    order = [1, 0] if reverse else [0, 1]
    hidden = {index: made[index](inputs) for index in order}
    hidden = layers.Add(name="sum")([hidden[0], hidden[1]])
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


def test_global_scope_removes_an_exact_count(keras):
    model = convnet(keras)
    _, report = prune_alike(model, 0.5, scope="global", criterion="bn_scale")
    assert sum(report.masks[one].sum() for one in ("first", "second")) == 9
    kept = [report.masks[f"{one}_norm"] for one in ("first", "second")]
    model = convnet(keras)
    scales = [
        np.abs(np.asarray(model.get_layer(f"{one}_norm").gamma))
        for one in ("first", "second")
    ]
    # Compared as they are.
    scales, kept = np.concatenate(scales), np.concatenate(kept)
    assert scales[kept].min() > scales[~kept].max()


def test_nothing_left_but_the_fewest_channels(keras):
    model = convnet(keras)
    for scope in ("layer", "global"):
        _, report = tf_rigl.prune_channels(model, 1.0, scope=scope)
        assert left(report) == {"first": 1, "second": 1, "out": 5}
    _, report = tf_rigl.prune_channels(
        model, 0.9, min_channels=3, max_ratio=0.5, round_to=4
    )
    assert left(report) == {"first": 8, "second": 4, "out": 5}


def test_layers_may_keep_their_channels(keras):
    model = convnet(keras)
    for keep in (["first"], [model.get_layer("first")], "first"):
        _, report = tf_rigl.prune_channels(model, 0.5, keep=keep)
        assert left(report) == {"first": 10, "second": 4, "out": 5}
    assert "named in `keep`" in report.rows[0].kept


def costs_of_all_ratios():
    """Parameters and FLOPs of `convnet` at each ratio that changes them."""
    ratios = {Fraction(lost, size) for size in (10, 8) for lost in range(size)}
    for ratio in sorted(ratios):
        first, second = (size - int(ratio * size) for size in (10, 8))
        pairs = 9 * first * second
        yield (
            32 * first + pairs + 10 * second + 5,
            2 * (36 * (27 * first + pairs) + 5 * second),
        )


@training.one_keras("keras")
def test_largest_model_within_a_budget(keras):
    model = convnet(keras)
    parameters, flops = zip(*costs_of_all_ratios(), strict=True)
    for budget in (250, parameters[4], parameters[0]):
        small, _ = tf_rigl.prune_channels(model, parameters=budget)
        expected = max(cost for cost in parameters if cost <= budget)
        assert tf_rigl.profile(small).parameters == expected

    budget = flops[6] + 1
    small, report = tf_rigl.prune_channels(model, flops=budget)
    assert tf_rigl.profile(small).flops == 2 * report.macs_left == flops[6]

    _, report = tf_rigl.prune_channels(model, parameters=600, scope="global")
    # No channel has more than 32 + 9 · 8 weights.
    assert 600 - 104 < report.weights_left <= 600


def test_widths(keras):
    model = convnet(keras)
    _, report = prune_alike(model, widths={"second": 3})
    assert left(report) == {"first": 10, "second": 3, "out": 5}
    model = dead_units.CASES["residual"].build(keras)
    _, report = tf_rigl.prune_channels(model, widths={"c": 2, "b": 4})
    assert left(report) == {"a": 2, "b": 4, "c": 2, "d": 2, "out": 3}


def test_masks(keras):
    model = convnet(keras)
    first = np.arange(10) % 3 > 0
    second = np.arange(8) < 5
    small, report = prune_alike(
        model, masks={"first_norm/gamma": first, "second": second}
    )
    np.testing.assert_array_equal(report.masks["first"], first)
    np.testing.assert_array_equal(report.masks["second_norm"], second)
    assert small.get_layer("first_norm").gamma.shape == (6,)

    # The masks of a report do the same again.
    model = convnet(keras)
    again, _ = tf_rigl.prune_channels(model, masks=report.masks)
    assert again.count_params() == small.count_params()
    # No layer without channels.
    none = np.zeros(8, bool)
    _, report = tf_rigl.prune_channels(model, masks={"second": none})
    best = np.abs(filters(model, "second")).sum(1).argmax()
    assert np.flatnonzero(report.masks["second"]).tolist() == [best]


def test_a_channel_stays_where_a_mask_keeps_it(keras):
    model = dead_units.CASES["residual"].build(keras)
    masks = {"a": np.arange(6) < 2, "c": np.arange(6) > 3}
    _, report = tf_rigl.prune_channels(model, masks=masks)
    assert report.masks["d"].tolist() == [True, True, False, False, True, True]
    kept = {row.path: row.kept for row in report.rows}
    assert "kept by the mask of a coupled layer" in kept["a"]


def test_constants_that_do_not_fit_are_kept_with_the_reason(keras):
    """A sigmoid of zero is a half, which padding interrupts."""
    layers = keras.layers
    model = support.chain(
        keras,
        (6, 6, 2),
        layers.Conv2D(6, 3, activation="sigmoid", name="a"),
        layers.Conv2D(4, 1, activation="sigmoid", name="b"),
        layers.Conv2D(4, 3, padding="same", name="c"),
        layers.Flatten(),
        layers.Dense(3, name="out"),
    )
    support.randomize(model)
    _, report = prune_alike(model, 0.5)
    # Halves of `a` are in the bias of `b`.
    assert left(report) == {"a": 3, "b": 4, "c": 2, "out": 3}
    assert "chosen, but constant, and c pads with zeros" in report.rows[1].kept


def test_values_of_zero_are_no_reason(keras):
    """Scales start at 0 in many networks, classifiers too."""
    model = convnet(keras)
    for name in ("second_norm", "out"):
        layer = model.get_layer(name)
        layer.set_weights([0 * one for one in layer.get_weights()])
    _, report = tf_rigl.prune_channels(model, 0.3)
    assert left(report) == {"first": 7, "second": 6, "out": 5}


def test_sparse_compiled_model(keras):
    model = tf_rigl.sparsify(convnet(keras), 0.5)
    model.compile("adam", "mse")
    inputs, labels = support.example(model), np.zeros((3, 5), "float32")
    model.train_on_batch(inputs, labels)
    small, report = tf_rigl.prune_channels(model, 0.3, compiled=True)
    assert left(report) == {"first": 7, "second": 6, "out": 5}
    assert tf_rigl.masks(small) == {}
    assert tf_rigl.masks(model)
    small.train_on_batch(inputs, labels)
    assert int(small.optimizer.iterations) == 2


def test_criterion_of_ones_own(keras):
    model = convnet(keras)
    seen = []

    def last_first(group):
        seen.append(group.name)
        return -np.arange(group.channels)

    _, report = tf_rigl.prune_channels(model, 0.3, criterion=last_first)
    assert np.flatnonzero(~report.masks["first"]).tolist() == [7, 8, 9]
    assert seen == ["first", "second"]


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
    _, report = prune_alike(model, 0.5, criterion="bn_scale")
    assert left(report) == {"a": 3, "b": 6, "out": 3}
    (row,) = (row for row in report.rows if row.path == "b")
    assert row.kept == ("has no scale (gamma) of a normalization",)


def test_mnist_network_of_the_slimming_paper(keras):
    """784-500-300-10 becomes 784-100-60-10: 84.4 % of the weights go."""
    layers = keras.layers
    hidden = []
    for units in (500, 300):
        hidden.append(layers.Dense(units))
        hidden += [layers.BatchNormalization(), layers.ReLU()]
    model = support.chain(keras, (784,), *hidden, layers.Dense(10))
    small, report = tf_rigl.prune_channels(model, 0.8, criterion="bn_scale")
    assert report.macs == 545_000
    assert report.macs_left == 85_000
    assert [layer.units for layer in small.layers if "den" in layer.name] == [
        100,
        60,
        10,
    ]


@training.one_keras("keras")
def test_resnet_18_of_half_width(keras):
    """The number of parameters that Torch-Pruning reports."""
    model = registry.builder("resnet_18")(keras, input_shape=(64, 64, 3))
    small, _ = tf_rigl.prune_channels(model, 0.5)
    trained = sum(np.prod(one.shape) for one in small.trainable_weights)
    assert trained == 3_055_880


TABLE = """
layer        class               units  left  weights  left
-----------------------------------------------------------
first        Conv2D                 10     7      280   196
first_norm   BatchNormalization                    40    28
second       Conv2D                  8     6      728   384
second_norm  BatchNormalization                    32    24
out          Dense                   5     5       45    35
-----------------------------------------------------------
total                               23    18    1,125   667

Kept:
- out: model output

MACs: 35,680, left 20,442"""


def test_report(keras):
    model = convnet(keras)
    report = tf_rigl.prune_channels(model, 0.3).report
    assert str(report) == f"Model {model.name!r}\n{TABLE}"


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, r"Exactly one of 'ratio', 'widths'.*Received: none"),
        ({"ratio": 0.5, "flops": 9}, r"Exactly one of .*Received: \{'ratio'"),
        ({"ratio": 1.5}, r"share of channels to remove.*ratio=1\.5"),
        ({"ratio": 0.5, "criterion": "l3"}, r"criterion.*one of \('l1', "),
        ({"ratio": 0.5, "scope": "model"}, "`scope` must be one of"),
        ({"ratio": 0.5, "reduce": "min"}, "`reduce` must be one of"),
        ({"ratio": 0.5, "normalize": "max"}, "`normalize` must be one of"),
        ({"ratio": 0.5, "min_channels": 0}, "`min_channels` must be at least"),
        ({"ratio": 0.5, "round_to": 0}, "`round_to` must be at least 1"),
        ({"ratio": 0.5, "max_ratio": 2}, "largest share of channels"),
        ({"ratio": 0.5, "keep": ["third"]}, r"`keep` must name.*'third'"),
        (
            {"ratio": 0.5, "keep": ["first", "second"]},
            r"must have channels that may be removed.*first: named in `keep`",
        ),
        ({"ratio": 0.5, "criterion": "taylor"}, "'taylor' needs `data`"),
        (
            {"ratio": 0.5, "criterion": "taylor", "data": []},
            "'taylor' needs gradients and so a loss",
        ),
        (
            {"ratio": 0.5, "criterion": "activation", "data": []},
            "`data` must hold at least one batch",
        ),
        (
            {"ratio": 0.5, "criterion": lambda group: [1.0]},
            r"one score a channel.*shape \(1,\) for the 10 .*'first'",
        ),
        (
            {"ratio": 0.5, "criterion": lambda g: np.full(g.channels, np.nan)},
            "Scores must be finite.*'first'",
        ),
        ({"parameters": 9}, r"within the budget.*parameters=9, but.* 56 are"),
        ({"flops": 9}, r"within the budget.*flops=9, but.* 2\d+ are left"),
        ({"widths": {"third": 3}}, r"`widths` must name.*'third'"),
        ({"widths": {"first": 11}}, r"only be removed.*'first': 11, .*has 10"),
        ({"widths": {"first": 0}}, r"widths\['first'\]` must be at least 1"),
        (
            {"widths": {"out": 3}},
            r"'out': 3, but 5 of 5 must stay: model output\. Leave it out",
        ),
        ({"masks": {"third": [True]}}, r"`masks` must name layers.*'third'"),
        (
            {"masks": {"first": np.ones(4, bool)}},
            r"must be bool.*'first'.*shape \(4,\) for 10",
        ),
        (
            {"masks": {"out": np.arange(5) > 2}},
            r"Masks must remove channels that may.*out: model output",
        ),
        ({"ratio": 0.5, "compiled": True}, r"compiled=True\. Leave"),
    ],
)
def test_errors(options, match):
    keras = training.fresh_keras("keras")
    model = convnet(keras)
    before = weights_of(model)
    with pytest.raises(ValueError, match=match):
        tf_rigl.prune_channels(model, **options)
    training.assert_all_equal(weights_of(model), before)


def test_errors_of_models(keras):
    with pytest.raises(ValueError, match="subclassed model does not say"):
        tf_rigl.prune_channels(zoo.subclassed(keras), 0.5)
    with pytest.raises(ValueError, match=r"must be built.*'sequential"):
        tf_rigl.prune_channels(zoo.sequential_unbuilt(keras), 0.5)
    with pytest.raises(TypeError, match="must be a Keras model"):
        tf_rigl.prune_channels(keras.layers.Dense(3), 0.5)
    model = support.chain(keras, (4,), keras.layers.Dense(3, name="out"))
    with pytest.raises(ValueError, match=r"may be removed.*out: model output"):
        tf_rigl.prune_channels(model, 0.5)
    model = dead_units.CASES["residual"].build(keras)
    with pytest.raises(ValueError, match=r"Coupled layers .*'a': 2 and 'c': 3"):
        tf_rigl.prune_channels(model, widths={"a": 2, "c": 3})
