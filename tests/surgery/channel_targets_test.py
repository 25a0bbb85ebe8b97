"""Counts, widths, budgets and masks say how many channels go."""

from fractions import Fraction

import numpy as np
import pytest

import tf_rigl
from tests import support as training
from tests.surgery import dead_units
from tests.surgery import followed
from tests.surgery import pruning
from tests.surgery import support
from tf_rigl.models import registry
from tf_rigl.models import vgg
from tf_rigl.models import vision_transformer


@training.one_keras("tf_keras")
def test_global_scope_removes_an_exact_count(keras):
    model = pruning.convnet(keras)
    _, report = pruning.prune_alike(
        model, 0.5, scope="global", criterion="bn_scale"
    )
    assert sum(report.masks[one].sum() for one in ("first", "second")) == 9
    kept = [report.masks[f"{one}_norm"] for one in ("first", "second")]
    model = pruning.convnet(keras)
    scales = [
        np.abs(np.asarray(model.get_layer(f"{one}_norm").gamma))
        for one in ("first", "second")
    ]
    # Compared as they are.
    scales, kept = np.concatenate(scales), np.concatenate(kept)
    assert scales[kept].min() > scales[~kept].max()


@training.one_keras("tf_keras")
def test_nothing_left_but_the_fewest_channels(keras):
    model = pruning.convnet(keras)
    for scope in ("layer", "global"):
        _, report = tf_rigl.prune_channels(model, 1.0, scope=scope)
        assert pruning.left(report) == {"first": 1, "second": 1, "out": 5}
    _, report = tf_rigl.prune_channels(
        model, 0.9, min_channels=3, max_ratio=0.5, round_to=4
    )
    assert pruning.left(report) == {"first": 8, "second": 4, "out": 5}


@training.one_keras("keras")
def test_layers_may_keep_their_channels(keras):
    model = pruning.convnet(keras)
    for keep in (["first"], [model.get_layer("first")], "first"):
        _, report = tf_rigl.prune_channels(model, 0.5, keep=keep)
        assert pruning.left(report) == {"first": 10, "second": 4, "out": 5}
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
    model = pruning.convnet(keras)
    parameters, flops = zip(*costs_of_all_ratios(), strict=True)
    for budget in (250, parameters[4], parameters[0]):
        small, _ = tf_rigl.prune_channels(model, parameters=budget)
        expected = max(cost for cost in parameters if cost <= budget)
        assert tf_rigl.profile(small).parameters == expected

    budget = flops[6] + 1
    small, report = tf_rigl.prune_channels(model, flops=budget)
    assert tf_rigl.profile(small).flops == 2 * report.macs_left == flops[6]


@pytest.mark.parametrize(
    "settings",
    [
        {"scope": "global", "min_channels": 5},
        {"round_to": 4, "min_channels": 2},
    ],
    ids=str,
)
@training.one_keras("keras")
def test_one_channel_more_exceeds_the_budget(keras, settings):
    """Of the models that ratios make, the budget gets the largest that fits."""
    model = pruning.convnet(keras)
    # What is left at each number of channels that a ratio removes.
    sizes = [
        tf_rigl.prune_channels(model, count / 18 + 1e-6, **settings)
        for count in range(4, 18)
    ]
    sizes = [one.report.weights_left for one in sizes]
    assert sizes == sorted(sizes, reverse=True)
    for budget in (sizes[5], sizes[2] + 1, sizes[2] - 1):
        _, report = tf_rigl.prune_channels(model, parameters=budget, **settings)
        fits = [one for one in sizes if one <= budget]
        assert report.weights_left == fits[0] <= budget


@training.one_keras("keras")
def test_a_budget_is_met_where_channels_must_stay(keras):
    """Those of `b` are a half, which the padding of `c` interrupts."""
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
    # Without the half of each layer 202 would be left, but 246 are.
    small, report = tf_rigl.prune_channels(model, parameters=230)
    assert pruning.left(report) == {"a": 2, "b": 4, "c": 2, "out": 3}
    assert small.count_params() == 38 + 12 + 74 + 99


@training.one_keras("tf_keras")
def test_widths(keras):
    model = pruning.convnet(keras)
    _, report = pruning.prune_alike(model, widths={"second": 3})
    assert pruning.left(report) == {"first": 10, "second": 3, "out": 5}
    model = dead_units.CASES["residual"].build(keras)
    _, report = tf_rigl.prune_channels(model, widths={"c": 2, "b": 4})
    assert pruning.left(report) == {"a": 2, "b": 4, "c": 2, "d": 2, "out": 3}


@training.one_keras("keras")
def test_masks(keras):
    model = pruning.convnet(keras)
    first = np.arange(10) % 3 > 0
    second = np.arange(8) < 5
    small, report = pruning.prune_alike(
        model, masks={"first_norm/gamma": first, "second": second}
    )
    np.testing.assert_array_equal(report.masks["first"], first)
    np.testing.assert_array_equal(report.masks["second_norm"], second)
    assert small.get_layer("first_norm").gamma.shape == (6,)

    # The masks of a report do the same again.
    model = pruning.convnet(keras)
    again, _ = tf_rigl.prune_channels(model, masks=report.masks)
    assert again.count_params() == small.count_params()
    # No layer without channels.
    none = np.zeros(8, bool)
    _, report = tf_rigl.prune_channels(model, masks={"second": none})
    best = np.abs(pruning.filters(model, "second")).sum(1).argmax()
    assert np.flatnonzero(report.masks["second"]).tolist() == [best]


@training.one_keras("keras")
def test_masks_of_whole_kernels(keras):
    """Scale, shift and statistics of a masked channel go with it."""
    model = pruning.convnet(keras)
    tf_rigl.sparsify(
        model,
        0.5,
        "uniform",
        dense=[model.layers[-1]],
        structure=tf_rigl.Channel(),
        start="magnitude",
    )
    masks = tf_rigl.masks(model)
    small, report = pruning.prune_alike(model, masks=masks)
    for name in ("first", "second"):
        kept = masks[f"{name}/kernel"].any(axis=(0, 1, 2))
        assert 0 < kept.sum() < len(kept)
        np.testing.assert_array_equal(report.masks[name], kept)
        assert small.get_layer(f"{name}_norm").gamma.shape == (kept.sum(),)


@training.keras_in_turn("weights", ["scales", "kernels"])
def test_masks_within_layers_that_are_not_followed(keras, weights):
    """As `EarlyBird` and `masks` have them: their channels stay."""
    layers = keras.layers

    class Block(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = layers.Dense(8, name="dense")
            self.norm = layers.BatchNormalization(name="norm")

        def build(self, shape):
            self.dense.build(shape)
            self.norm.build(shape)
            super().build(shape)

        def call(self, inputs):
            return inputs + self.norm(self.dense(inputs))

    model = support.chain(
        keras,
        (6,),
        layers.Dense(16, name="a"),
        layers.BatchNormalization(name="norm"),
        layers.ReLU(),
        layers.Dense(8, name="b"),
        Block(name="block"),
        layers.Dense(4, name="out"),
    )
    path = {"scales": "norm/gamma", "kernels": "a/kernel"}[weights]
    inner = {"scales": "block/norm/gamma", "kernels": "block/dense/kernel"}
    size = {"scales": 16, "kernels": (6, 16)}[weights]
    masks = {
        path: np.broadcast_to(np.arange(16) < 10, size),
        inner[weights]: np.zeros(8 if weights == "scales" else (8, 8), bool),
    }
    _, report = tf_rigl.prune_channels(model, masks=masks)
    assert pruning.left(report) == {"a": 10, "b": 8, "out": 4}
    assert "- block: its channels are not known" in str(report)

    del masks[path]
    match = rf"Kept are {inner[weights]}: its channels are not known\. Leave"
    with pytest.raises(ValueError, match=match):
        tf_rigl.prune_channels(model, masks=masks)


@training.keras_in_turn("name", ["groups", "heads", "wrapped"])
def test_widths_of_layers_within_layers(keras, name):
    """Filters of all groups, heads, and units of both directions."""
    model = followed.CASES[name].build(keras)
    widths, expected = {
        "groups": ({"b": 8}, {"a": 8, "b": 8, "d": 4}),
        "heads": (
            {"self/value": 3, "cross/attention_output": 4},
            {"a": 6, "b": 6, "self": 6, "cross": 4},
        ),
        "wrapped": (
            {"a": 3, "both": 8},
            {"a": 3, "b": 3, "both": 8, "sum": 4, "c": 4},
        ),
    }[name]
    small, report = tf_rigl.prune_channels(model, widths=widths)
    assert pruning.left(report) == {**expected, "out": 2}
    if name == "heads":
        heads = [
            small.get_layer(one).get_config()["num_heads"]
            for one in ("self", "cross")
        ]
        assert heads == [3, 3]
    if name == "groups":
        with pytest.raises(ValueError, match=r"'b': 7, which .* of 4 features"):
            tf_rigl.prune_channels(model, widths={"b": 7})


@training.keras_in_turn("name", ["groups", "heads", "wrapped"])
def test_masks_of_layers_within_layers(keras, name):
    model = followed.CASES[name].build(keras)
    support.randomize(model)
    small, report = tf_rigl.prune_channels(model, 0.34)
    again, other = tf_rigl.prune_channels(model, masks=report.masks)
    assert pruning.left(other) == pruning.left(report)
    training.assert_all_equal(again.get_weights(), small.get_weights())

    structure = tf_rigl.Channel()
    tf_rigl.sparsify(
        model, 0.4, "uniform", structure=structure, start="magnitude"
    )
    masks = tf_rigl.masks(model)
    _, report = tf_rigl.prune_channels(model, masks=masks)
    (path,) = (path for path in masks if path.startswith("a/"))
    rows = masks[path].reshape(-1, masks[path].shape[-1])
    if name != "groups":
        np.testing.assert_array_equal(report.masks["a"], rows.any(axis=0))
        assert not report.masks["a"].all()
    if name == "heads":
        connected = [
            masks[f"cross/{one}/kernel"].any(axis=(0, 2))
            for one in ("query", "key", "value")
        ]
        heads = report.masks["cross/value/kernel"]
        np.testing.assert_array_equal(heads, np.any(connected, axis=0))


@training.one_keras("tf_keras")
def test_a_channel_stays_where_a_mask_keeps_it(keras):
    model = dead_units.CASES["residual"].build(keras)
    masks = {"a": np.arange(6) < 2, "c": np.arange(6) > 3}
    _, report = tf_rigl.prune_channels(model, masks=masks)
    assert report.masks["d"].tolist() == [True, True, False, False, True, True]
    kept = {row.path: row.kept for row in report.rows}
    assert "kept by the mask of a coupled layer" in kept["a"]


@training.one_keras("tf_keras")
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


def trainable(model):
    return sum(int(np.prod(one.shape)) for one in model.trainable_weights)


def shapes(model):
    return [tuple(one.shape) for one in model.weights]


# Parameters of networks of half width, trainable ones and with the moving
# statistics. Torch-Pruning reports the first of ResNet-18.
HALVES = {
    "resnet_18": (3_055_880, 3_060_680),
    "resnet_50": (6_917_640, 6_944_200),
    "mobilenet_v1": (1_331_592, 1_342_536),
    "vgg_16_a": (1_352_474, 1_355_642),
}


@training.keras_in_turn("name", HALVES, lambda name: name != "resnet_18")
def test_half_of_the_channels_is_half_width(keras, name):
    build = registry.builder(name)
    size = (32, 32, 3) if name == "vgg_16_a" else (64, 64, 3)
    model = build(keras, input_shape=size)
    small, _ = tf_rigl.prune_channels(model, 0.5)
    assert (trainable(small), small.count_params()) == HALVES[name]
    assert shapes(small) == shapes(build(keras, input_shape=size, width=0.5))


@pytest.mark.slow
@training.one_keras("keras")
def test_macs_of_half_a_resnet(keras):
    """As those of the network that is built at half width."""
    model = registry.builder("resnet_18")(keras)
    _, report = tf_rigl.prune_channels(model, 0.5)
    assert report.macs == 1_814_073_344
    assert report.macs_left == 483_149_824


def parameters_of_vit_b_32(units, blocks):
    """Those of a width, with hidden layers of four times as many units."""
    attention, hidden = 4 * (units + 1) * units, (8 * units + 5) * units
    norm = 2 * units
    block = attention + hidden + 2 * norm
    # The class token, and positions of it and of 7 × 7 patches.
    tokens = (1 + 1 + 7**2) * units
    patches, logits = (3 * 32**2 + 1) * units, (units + 1) * 1000
    return patches + tokens + blocks * block + norm + logits


def test_vision_transformer_of_half_width_in_numbers():
    """Torch-Pruning reports 88.2242M and 22.8790M of ViT-B/32."""
    assert parameters_of_vit_b_32(768, 12) == 88_224_232
    assert parameters_of_vit_b_32(384, 12) == 22_878_952


@pytest.mark.slow
def test_vision_transformer_of_half_width(keras):
    """Half of the heads go; two blocks of the same as of twelve."""
    large, half = (
        vision_transformer.vision_transformer(
            keras, patch_size=32, blocks=2, heads=heads, head_units=64
        )
        for heads in (12, 6)
    )
    small, _ = tf_rigl.prune_channels(large, 0.5)
    assert shapes(small) == shapes(half)
    assert trainable(large) == 17_345_512 == parameters_of_vit_b_32(768, 2)
    assert trainable(small) == 5_134_312 == parameters_of_vit_b_32(384, 2)
    attention = small.get_layer("block0_attention").get_config()
    assert (attention["num_heads"], attention["key_dim"]) == (6, 64)


@training.one_keras("tf_keras")
def test_channels_of_the_published_vgg_a(keras):
    """Network slimming ranks 2,752 filters and 8,192 neurons.

    Liu et al., arXiv:1708.06519. Their numbers are those of any image's size.
    """
    model = vgg.vgg(keras, 11, (32, 32, 3))
    pruned = {
        one.name: one.channels
        for one in tf_rigl.channel_groups(model)
        if not one.kept
    }
    dense = {name for name in pruned if name.startswith("fc")}
    assert sum(pruned[name] for name in dense) == 8_192
    assert sum(pruned[name] for name in pruned.keys() - dense) == 2_752
