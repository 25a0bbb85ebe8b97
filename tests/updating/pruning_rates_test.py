"""Pruning again and again by rates, against ladders and exact fractions."""

import fractions
import math
import warnings

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests.methods import ranking
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.models import mlp
from tf_rigl.models import registry

# Percent of the weights left after each round, from exact fractions.
LENET = [80.04, 64.06, 51.28, 41.05, 32.87, 26.32, 21.07, 16.88, 13.52, 10.83]
LENET += [8.68, 6.95, 5.58, 4.47, 3.59, 2.88, 2.31, 1.85, 1.49, 1.20]
LENET_KERNELS = {
    1: [188160, 24000, 900],
    2: [150528, 19200, 810],
    3: [120423, 15360, 729],
    7: [49327, 6292, 480],
    15: [8277, 1058, 209],
}
# By round: labels of figures of Frankle and Carbin (ICLR 2019), but for
# Conv-6, whose first hidden layer has other inputs there.
LABELS = {
    "conv_2": {11: 8.8, 14: 4.6},
    "conv_4": {11: 11.1, 12: 9.2},
    "conv_6": {7: 26.6, 10: 15.3},
    "resnet_20": {4: 41.7, 6: 27.1, 7: 21.9, 10: 11.8},
    "cifar_vgg_19": {19: 1.5},
}
CONVOLUTIONS = {"conv_2": 0.1, "conv_4": 0.1, "conv_6": 0.15}
# Layers that stay dense where the others are pruned by one threshold.
DENSE = {
    "resnet_20": ["layer2_0_downsample", "layer3_0_downsample", "logits"],
    "cifar_vgg_19": ["logits"],
}


def small(keras, units=(16,), **kwargs):
    model = support.make_mlp(keras, units)
    return tf_rigl.sparsify(model, 0.0, start="dense", **kwargs)


def active(model):
    return [record.num_active() for record in masked_weights(model)]


@support.one_keras("keras")
def test_ladder_of_lenet(keras):
    model = mlp.lenet_300_100(keras)
    tf_rigl.sparsify(model, 0.0, start="dense")
    before = tf_rigl.masks(model)
    percent = []
    for number in range(1, 21):
        tf_rigl.prune(model, amount=0.2, rates={"logits": 0.1})
        if number in LENET_KERNELS:
            assert active(model) == LENET_KERNELS[number]
        percent.append(100 * sum(active(model)) / 266_200)

        after = tf_rigl.masks(model)
        for path, mask in after.items():
            assert not np.any(mask & ~before[path])
        before = after
    np.testing.assert_allclose(percent, LENET, atol=0.0051)


@pytest.mark.parametrize("name", LABELS)
def test_ladders_of_counts(name):
    """By exact fractions of the numbers of weights of the networks."""
    model = registry.builder(name)(support.fresh_keras("keras"))
    sizes = {
        layer.name: layer.kernel.shape.num_elements()
        for layer in model.layers
        if hasattr(layer, "kernel")
    }
    if name in DENSE:
        dense = sum(sizes.pop(layer) for layer in DENSE[name])
        sizes, rates = {"all": sum(sizes.values())}, {}
    else:
        dense, rates = 0, conv_rates(name, sizes)
    total = dense + sum(sizes.values())

    for number in range(1, max(LABELS[name]) + 1):
        for layer in sizes:
            rate = fractions.Fraction(str(rates.get(layer, 0.2)))
            sizes[layer] -= math.floor(rate * sizes[layer])
        if number in LABELS[name]:
            left = (dense + sum(sizes.values())) / total
            assert round(100 * left, 1) == LABELS[name][number]


# Of VGG-19, whose initial values are narrower the more filters there are.
@pytest.mark.filterwarnings("ignore:Layer collapse")
@pytest.mark.parametrize(
    ("name", "flavor"),
    [
        ("conv_4", "keras"),
        pytest.param("resnet_20", "tf_keras", marks=pytest.mark.slow),
        pytest.param("conv_2", "keras", marks=pytest.mark.slow),
        pytest.param("cifar_vgg_19", "keras", marks=pytest.mark.slow),
    ],
)
def test_ladders_of_networks(name, flavor):
    """By layer, or global but for what stays dense."""
    model = registry.builder(name)(support.fresh_keras(flavor))
    tf_rigl.sparsify(model, 0.0, start="dense", dense=DENSE.get(name, ()))
    records, total = masked_weights(model), sum(active(model))
    scope, rates = "global", {}
    if name in CONVOLUTIONS:
        names = [one.path.partition("/")[0] for one in records]
        scope, rates = "weight", conv_rates(name, names)

    for number in range(1, max(LABELS[name]) + 1):
        tf_rigl.prune(model, amount=0.2, rates=rates, scope=scope)
        if number in LABELS[name]:
            left = sum(active(model)) / total
            assert round(100 * left, 1) == LABELS[name][number]


def conv_rates(name, layers):
    """Rates other than 20 %: of the convolutions and the output layer."""
    convolutions = [one for one in layers if one.startswith("conv")]
    return {"logits": 0.1, **dict.fromkeys(convolutions, CONVOLUTIONS[name])}


@pytest.mark.parametrize("rate", [0.2, 0.1, 0.29, 0.07, 1 / 3])
def test_rates_are_the_decimals_that_were_written(rate):
    """0.29 of 100 connections are 29, though the float is a little less."""
    keras = support.fresh_keras("keras")
    model = small(keras)
    left = active(model)
    for _ in range(5):
        tf_rigl.prune(model, amount=rate)
        exact = fractions.Fraction(str(rate))
        left = [count - math.floor(exact * count) for count in left]
        assert active(model) == left
        assert [one.target for one in masked_weights(model)] == left


def test_rates_of_single_weights(keras):
    model = small(keras, (16, 12))
    first, second, third = active(model)
    layer, path = model.layers[0], list(tf_rigl.masks(model))[1]
    tf_rigl.prune(model, rates={layer: 0.5})
    assert active(model) == [first // 2, second, third]
    tf_rigl.prune(model, amount=0.25, rates={path: 0.5})
    assert active(model) == [first * 3 // 8, second // 2, third * 3 // 4]


def test_global_rates_leave_out_named_weights(keras):
    model = small(keras, (16, 12))
    layer = model.layers[-1]
    values = [record.values().numpy() for record in masked_weights(model)]
    everywhere = [np.ones(one.shape, bool) for one in values]
    total = sum(one.size for one in values[:2])
    expected = ranking.largest_of_all(
        [abs(one) for one in values[:2]],
        everywhere[:2],
        total - math.floor(0.3 * total),
    )
    size = values[2].size
    expected.append(
        ranking.largest(abs(values[2]), everywhere[2], size - size // 10)
    )
    tf_rigl.prune(model, amount=0.3, rates={layer: 0.1}, scope="global")
    support.assert_same_masks(tf_rigl.masks(model), dict(enumerate(expected)))


@pytest.mark.parametrize("scope", ["weight", "global"])
@pytest.mark.parametrize(
    "criterion", ["movement", "large_init_large_final", "small_init"]
)
def test_criteria_of_given_initial_values(keras, criterion, scope):
    model = small(keras)
    records = masked_weights(model)
    generator = np.random.default_rng(0)
    final = {one.path: one.values().numpy() for one in records}
    initial = {
        path: generator.normal(size=value.shape).astype(np.float32)
        for path, value in final.items()
    }
    for _ in range(3):
        masks, left = tf_rigl.masks(model), active(model)
        tf_rigl.prune(
            model, criterion, amount=0.3, initial=initial, scope=scope
        )
        counts = [count - math.floor(0.3 * count) for count in left]
        paths = [list(final)] if scope == "global" else [[one] for one in final]
        if scope == "global":
            counts = [sum(left) - math.floor(0.3 * sum(left))]
        for names, count in zip(paths, counts, strict=True):
            flat = [
                np.concatenate([one[name].ravel() for name in names])
                for one in (initial, final, masks, tf_rigl.masks(model))
            ]
            before = flat[2]
            scores = score(criterion, flat[0], flat[1] * before, before)
            expected = ranking.largest(scores - scores.min() + 1, before, count)
            np.testing.assert_array_equal(flat[3], expected)


def score(criterion, initial, final, among):
    if criterion == "movement":
        return np.float64(np.abs(final - initial))
    if criterion == "small_init":
        return -np.float64(np.abs(initial))
    places = []
    for values in (np.abs(initial), np.abs(final)):
        place = np.full(values.shape, -1.0)
        indices = np.flatnonzero(among)
        order = sorted(indices, key=lambda index: (values[index], -index))
        place[order] = np.arange(len(order))
        places.append(place)
    return np.minimum(*places)


def test_structures_round_the_count(keras):
    model = small(keras, structure=tf_rigl.Block(4, 2))
    tf_rigl.prune(model, amount=0.3)
    for record in masked_weights(model):
        wanted = record.size - math.floor(0.3 * record.size)
        expected = record.structure.connections(record.layout.shape, wanted)
        assert record.target == record.num_active() == expected


def test_training_holds_what_is_left(keras):
    model = small(keras)
    model.compile("adam", support.crossentropy(keras))
    data = support.make_data((20,), 64, classes=10)
    for _ in range(2):
        support.fit(model, data, tf_rigl.Static())
        tf_rigl.prune(model, amount=0.5)
    support.assert_masked(model, model.optimizer, slots_too=False)
    assert active(model) == [80, 40]


def test_the_new_number_is_saved(keras, tmp_path):
    model = small(keras, dense=["dense_1"])
    tf_rigl.prune(model, amount=0.5)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert [one.target for one in masked_weights(loaded)] == [160, 160]
    # What was to stay dense stays so.
    tf_rigl.prune(loaded, amount=0.5)
    assert active(loaded) == [80, 160]


@support.one_keras("keras")
def test_layer_collapse(keras):
    model = small(keras)
    record = masked_weights(model)[0]
    record.set_values(1e-6 * record.values())
    with pytest.warns(UserWarning, match=rf"Layer collapse.*{record.path}"):
        tf_rigl.prune(model, amount=0.8, scope="global")
    assert active(model)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"amount": 1.0}, r"`amount` is the fraction.*amount=1.0. For 20 %"),
        ({"amount": -0.1}, r"amount=-0.1"),
        ({"amount": True}, r"amount=True"),
        ({"rates": {"dense": 2}}, r"rates\['dense'\]=2"),
        ({"rates": {"no": 0.1}}, r"`rates` must name.*Received: 'no'"),
        ({"amount": 0.1, "criterion": "movement"}, r"Pass initial=snapshot"),
        (
            {"amount": 0.1, "criterion": "movement", "initial": {}},
            r"needs the initial values.*Received: 'dense",
        ),
    ],
)
def test_errors(arguments, message):
    keras = support.fresh_keras("keras")
    model = small(keras)
    with pytest.raises(ValueError, match=message):
        tf_rigl.prune(model, **arguments)
    assert active(model) == [320, 160]


@support.one_keras("keras")
def test_a_weight_keeps_its_last_connection(keras):
    model = small(keras)
    for record in masked_weights(model):
        mask = np.zeros(record.shape, bool)
        mask[0, 0] = True
        tf_rigl.set_masks(model, {record.path: mask})
    # floor(0.9 · 1) = 0 connections go.
    tf_rigl.prune(model, amount=0.9)
    assert active(model) == [1, 1]
    structured = small(keras, structure=tf_rigl.Channel())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tf_rigl.prune(structured, amount=0.99)
    assert min(active(structured)) > 0


def test_signed_scores_tell_neighbors_apart(keras):
    model = small(keras)
    above = np.nextafter(np.float32(1), np.float32(2))
    for record in masked_weights(model):
        values = np.ones(record.shape, np.float32)
        values.flat[1::2] = above
        record.set_values(values)
    tf_rigl.prune(model, lambda evidence: evidence.final, amount=0.5)
    for record in masked_weights(model):
        assert np.all(record.values().numpy()[record.mask] == above)
        assert isinstance(record.values(), tf.Tensor)
