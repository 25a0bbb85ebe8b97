"""Ranks, what else works on a factorized model, and errors."""

import re

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests.factors import factor_models


def outputs(model, inputs):
    return np.asarray(tf.convert_to_tensor(model(inputs)))


def make_mlp(keras, *units, inputs=30):
    layers = [keras.layers.Dense(n, "relu", name=f"d{n}") for n in units]
    return keras.Sequential([keras.Input((inputs,)), *layers])


def test_ratio_has_room_for_no_larger_scale(keras):
    model = make_mlp(keras, 40, 50, 20)
    whole = model.count_params()
    tf_rigl.factorize(model, ratio=0.5)
    assert model.count_params() <= 0.5 * whole
    rows = tf_rigl.ranks(model).rows
    assert [row.rank for row in rows] == [9, 11, 6]
    assert model.count_params() + min(30 + 40, 40 + 50, 50 + 20) > 0.5 * whole


def test_energy_and_ranks_by_name(keras):
    model = make_mlp(keras, 40, 50, 20)
    singular = np.linalg.svd(
        model.layers[1].kernel.numpy().astype(float), compute_uv=False
    )
    share = np.cumsum(singular**2) / np.sum(singular**2)
    tf_rigl.factorize(model, energy=0.5, layers=["d50"])
    (row,) = tf_rigl.ranks(model).rows
    assert row.rank == np.argmax(share >= 0.5) + 1
    assert tf_rigl.ranks(model).left == {
        "d40/kernel": "it was not named",
        "d20/kernel": "it was not named",
    }

    model = make_mlp(keras, 40, 50, 20)
    tf_rigl.factorize(model, ranks={"d40": 3, model.layers[2]: 4})
    assert [row.rank for row in tf_rigl.ranks(model).rows] == [3, 4]


@support.one_keras("tf_keras")
def test_layers_by_a_predicate(keras):
    """It is asked for each layer, and gets the layer itself."""
    model = make_mlp(keras, 40, 50, 20)
    asked = []

    def is_wide(layer):
        asked.append(layer)
        return layer.units >= 40

    tf_rigl.factorize(model, ranks=6, layers=is_wide)
    assert [row.path for row in tf_rigl.ranks(model).rows] == [
        "d40/kernel",
        "d50/kernel",
    ]
    assert tf_rigl.ranks(model).left == {"d20/kernel": "it was not named"}
    assert {layer.name for layer in asked} == {"d40", "d50", "d20"}


def test_factors_that_are_no_smaller_stay_kernels_unless_named(keras):
    model = make_mlp(keras, 40, 20)
    tf_rigl.factorize(model, ranks=15)
    assert [row.path for row in tf_rigl.ranks(model).rows] == ["d40/kernel"]
    assert "as many weights or more" in tf_rigl.ranks(model).left["d20/kernel"]

    model = make_mlp(keras, 40, 20)
    tf_rigl.factorize(model, ranks={"d20": 15})
    (row,) = tf_rigl.ranks(model).rows
    assert row.is_product and row.weights_left == 15 * 60


@pytest.mark.parametrize("depth", [2, 3])
def test_wide_factors_collapse_to_one_kernel(keras, depth):
    model, inputs = factor_models.dense(keras)
    expected = outputs(model, inputs)
    tf_rigl.factorize(model, rank_scale=2.0, depth=depth)
    assert all(row.is_product for row in tf_rigl.ranks(model).rows)
    np.testing.assert_allclose(outputs(model, inputs), expected, atol=2e-6)
    assert tf_rigl.strip(model) is model
    shapes = [tuple(weight.shape) for weight in model.weights]
    assert shapes == [(12, 14), (14,), (14, 9), (9,)]
    np.testing.assert_allclose(outputs(model, inputs), expected, atol=2e-6)


def test_fresh_and_plain_factors_depend_on_the_seed_alone(keras):
    def factors(**settings):
        model = make_mlp(keras, 40)
        model.layers[0].kernel.assign(np.ones((30, 40)))
        tf_rigl.factorize(model, ranks=5, **settings)
        return [weight.numpy() for weight in model.weights]

    for settings in ({"weights": "fresh"}, {"initialization": "plain"}):
        first, again = factors(seed=1, **settings), factors(seed=1, **settings)
        other = factors(seed=2, **settings)
        support.assert_all_equal(first, again)
        assert not np.array_equal(first[0], other[0])
        assert np.linalg.matrix_rank(first[0]) == 5


def test_reinitialized_factors_are_balanced_and_depend_on_the_seed(keras):
    model = tf_rigl.factorize(make_mlp(keras, 40), ranks=5)

    def factors(seed):
        tf_rigl.reinitialize(model, seed=seed)
        return [weight.numpy() for weight in model.weights]

    first, again, other = factors(1), factors(1), factors(2)
    support.assert_all_equal(first, again)
    assert not np.array_equal(first[0], other[0])
    np.testing.assert_allclose(
        first[0].T @ first[0], first[1] @ first[1].T, atol=1e-5
    )


@pytest.mark.parametrize("name", ["einsum", "convolutions"])
def test_strip_makes_a_plain_layer_of_each_factor(keras, name):
    model, inputs = factor_models.MODELS[name](keras)
    model.compile("adam", "mse")
    tf_rigl.factorize(model, ranks=3, depth=3)
    expected, size = outputs(model, inputs), model.count_params()
    plain = tf_rigl.strip(model)
    assert plain is not model and type(plain) is keras.Sequential
    assert plain.count_params() == size
    np.testing.assert_allclose(outputs(plain, inputs), expected, atol=3e-6)
    assert plain.optimizer is not model.optimizer
    assert "tf_rigl" not in plain.to_json()


@support.one_keras("keras")
def test_a_loss_of_your_own_is_no_obstacle(keras):
    """Keras 3 clones compilations by names, which find no function of yours."""

    def own(targets, made):
        return tf.reduce_mean(tf.abs(targets - made))

    model, inputs = factor_models.nested(keras)
    for one in (model, model.layers[2]):
        one.compile(keras.optimizers.SGD(0.25), own)
    tf_rigl.factorize(model, ranks=3)
    expected = outputs(model, inputs)
    plain, (small, _) = tf_rigl.strip(model), tf_rigl.shrink(model)
    for one in (plain, small):
        np.testing.assert_allclose(outputs(one, inputs), expected, atol=1e-6)
    for new, old in ((plain, model), (plain.layers[2], model.layers[2])):
        assert new is not old and new.loss is own
        assert new.optimizer is not old.optimizer
        assert float(new.optimizer.learning_rate) == 0.25
    assert not hasattr(model, "compiled") or model.compiled


def test_a_sparse_factorized_model_is_counted_shrunk_and_saved(keras, tmp_path):
    model = make_mlp(keras, 40, 20)
    tf_rigl.sparsify(tf_rigl.factorize(model, ranks=6), 0.5)
    assert sorted(tf_rigl.masks(model)) == [
        "d20/kernel_u",
        "d20/kernel_v",
        "d40/kernel_u",
        "d40/kernel_v",
    ]
    profile = tf_rigl.profile(model)
    factors = 6 * (30 + 40) + 6 * (40 + 20)
    assert (profile.dense_macs, profile.macs) == (factors, factors // 2)

    inputs = factor_models.draw(4, 30)
    model.save(str(tmp_path / "model.keras"))
    loaded = keras.models.load_model(str(tmp_path / "model.keras"))
    expected = outputs(model, inputs)
    np.testing.assert_array_equal(outputs(loaded, inputs), expected)
    support.assert_all_equal(
        tf_rigl.masks(loaded).values(), tf_rigl.masks(model).values()
    )

    factor = loaded.layers[0].kernel_v
    factor.assign(factor.numpy() * (np.arange(6) < 4))
    expected = outputs(loaded, inputs)
    small, report = tf_rigl.shrink(loaded)
    units = {row.path: (row.units, row.units_left) for row in report.rows}
    assert units["d40/d40_v"] == (6, 4)
    np.testing.assert_allclose(outputs(small, inputs), expected, atol=1e-6)
    np.testing.assert_array_equal(outputs(loaded, inputs), expected)


def test_macs_of_strided_spatial_factors_are_those_of_their_places(keras):
    model = keras.Sequential(
        [
            keras.Input((8, 6, 4)),
            keras.layers.Conv2D(8, 3, strides=2, padding="same"),
        ]
    )
    tf_rigl.factorize(model, ranks=5)
    # 1×3 at 8·3 places, 3×1 at 4·3 places.
    macs = 3 * 4 * 5 * 8 * 3 + 3 * 5 * 8 * 4 * 3
    assert tf_rigl.profile(model).macs == macs
    plain = tf_rigl.strip(model, factors="layers")
    assert tf_rigl.profile(plain).macs == macs


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["dense", "einsum", "convolutions", "recurrent", "attention"]
)
def test_exports_compute_the_same(keras, name, tmp_path):
    model, inputs = factor_models.MODELS[name](keras)
    tf_rigl.factorize(model, ranks=3)
    expected = outputs(model, inputs)
    path = str(tmp_path / "saved")
    tf_rigl.export_saved_model(model, path)
    serve = tf.saved_model.load(path).signatures["serving_default"]
    (found,) = serve(tf.constant(inputs)).values()
    np.testing.assert_allclose(found, expected, atol=1e-5)

    path = str(tmp_path / "model.tflite")
    tf_rigl.export_litert(model, path, batch_size=len(inputs))
    interpreter = tf.lite.Interpreter(path)
    (place,) = interpreter.get_input_details()
    interpreter.allocate_tensors()
    interpreter.set_tensor(place["index"], inputs)
    interpreter.invoke()
    (place,) = interpreter.get_output_details()
    found = interpreter.get_tensor(place["index"])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_table_says_what_may_be_slower(keras):
    model = make_mlp(keras, 40, 20)
    tf_rigl.factorize(model, ranks=6)
    assert str(tf_rigl.ranks(model)) == (
        f"Model {model.name!r}\n"
        "\n"
        "kernel      class  form    shape  rank  full  dense  left\n"
        "---------------------------------------------------------\n"
        "d40/kernel  Dense  matrix  30×40     6    30  1,200   420\n"
        "d20/kernel  Dense  matrix  40×20     6    20    800   360\n"
        "---------------------------------------------------------\n"
        "total                                         2,000   780\n"
        "\n"
        "So small that factors may be no faster than the kernel, or slower: "
        "d40/kernel,\n"
        "d20/kernel."
    )
    assert (
        "Fewer MACs may be no faster, or slower, for factors of kernels as "
        "small as\nd40/kernel, d20/kernel."
    ) in str(tf_rigl.profile(model))

    model = make_mlp(keras, 300, inputs=300)
    tf_rigl.factorize(model, ranks=6)
    assert "slower" not in str(tf_rigl.ranks(model))
    assert "slower" not in str(tf_rigl.profile(model))


def message(expected):
    return re.escape(expected)


@support.one_keras("keras")
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "Ranks are determined by one of `ratio`, `ranks`, `rank_scale` "),
        ({"ratio": 0.5, "ranks": 2}, "Received: {'ratio': 0.5, 'ranks': 2}"),
        ({"ratio": 1.5}, "`ratio` is a share and must be in (0, 1]. Received"),
        (
            {"ratio": 0.01},
            "`ratio` must leave room for the weights without factors and a "
            "rank of 1 each. Received: ratio=0.01 of 2,060 weights; the least "
            "is 0.092233.",
        ),
        ({"energy": 0.0}, "`energy` is a share and must be in (0, 1]."),
        ({"rank_scale": -1}, "`rank_scale` must be greater than 0."),
        ({"ranks": 0}, "`ranks` must be at least 1. Received: ranks=0."),
        (
            {"ranks": {"d40": 31}},
            "`ranks` must be at most the full rank, from which on factors can "
            "be any kernel. Received: ranks={'d40/kernel': 31}; full are "
            "{'d40/kernel': 30}. Pass rank_scale=2.0",
        ),
        ({"ranks": 31}, "full are {'d40/kernel': 30, 'd20/kernel': 20}."),
        ({"ranks": 2, "depth": 4}, "`depth` must be one of (2, 3)."),
        ({"ranks": 2, "form": "rows"}, "`form` must be one of ('auto', "),
        ({"ranks": 2, "weights": "old"}, "`weights` must be one of ("),
        ({"ranks": 2, "initialization": "he"}, "`initialization` must be one"),
        ({"ranks": 2, "layers": "d41"}, "`layers` must name layers or weights"),
    ],
)
def test_arguments_that_are_wrong(keras, settings, expected):
    model = make_mlp(keras, 40, 20)
    weights = list(model.weights)
    with pytest.raises(ValueError, match=message(expected)):
        tf_rigl.factorize(model, **settings)
    assert all(map(lambda a, b: a is b, weights, model.weights))


@support.one_keras("tf_keras")
def test_layers_that_cannot_be_factorized(keras):
    layers = keras.layers

    class Scaled(layers.Dense):
        def call(self, inputs):
            return super().call(2 * inputs)

    model = keras.Sequential(
        [
            keras.Input((8, 8, 4)),
            layers.Conv2D(6, 3, groups=2, name="grouped"),
            layers.DepthwiseConv2D(3, name="depthwise"),
            layers.BatchNormalization(name="normalization"),
            layers.EinsumDense("bhwc,wco->bhwo", (4, 4, 7), name="own"),
            layers.Flatten(),
            Scaled(20, name="scaled"),
            layers.Dense(20, kernel_constraint="non_neg", name="constrained"),
            layers.Dense(20, name="plain"),
        ]
    )
    reasons = {
        "grouped": "its channels are in groups, each with a kernel of its own",
        "depthwise": "kernels of DepthwiseConv2D have no factors",
        "normalization": "kernels of BatchNormalization have no factors",
        "own": "each index 'w' has a kernel of its own",
        "scaled": "its class has a `call` of its own",
        "constrained": "it has a `kernel_constraint`, which factors cannot",
    }
    for name, reason in reasons.items():
        with pytest.raises(
            ValueError, match=r"Layers that are named must be such as can be "
        ) as error:
            tf_rigl.factorize(model, ranks=2, layers=[name])
        assert reason in str(error.value)

    tf_rigl.factorize(model, ranks=2)
    left = tf_rigl.ranks(model).left
    assert [row.path for row in tf_rigl.ranks(model).rows] == ["plain/kernel"]
    has_prefix = hasattr(model.get_layer("depthwise"), "depthwise_kernel")
    assert set(left) == {
        "grouped/kernel",
        f"depthwise/{'depthwise_' if has_prefix else ''}kernel",
        "own/kernel",
        "scaled/kernel",
        "constrained/kernel",
    }


def test_models_that_cannot_be_factorized(keras):
    model = make_mlp(keras, 40)
    model.layers[0].kernel.assign(np.full((30, 40), np.nan))
    with pytest.raises(ValueError, match=message("Kernels must be finite")):
        tf_rigl.factorize(model, ranks=2)
    with pytest.raises(ValueError, match=message("The model must be built.")):
        tf_rigl.factorize(keras.Sequential([keras.layers.Dense(3)]), ranks=2)
    with pytest.raises(ValueError, match=message("kernels without masks")):
        tf_rigl.factorize(tf_rigl.sparsify(make_mlp(keras, 40), 0.5), ranks=2)

    model = tf_rigl.factorize(make_mlp(keras, 40, 20), ranks=2)
    with pytest.raises(ValueError, match=message("A model is factorized once")):
        tf_rigl.factorize(model, ranks=2)
    with pytest.raises(
        ValueError, match=message("Optimizers have slots of factors")
    ):
        tf_rigl.strip(model, optimizer=True)
    with pytest.raises(ValueError, match=message("`factors` must be one of (")):
        tf_rigl.strip(model, factors="two")
    with pytest.raises(
        ValueError, match=message("Channels are those of plain layers.")
    ):
        tf_rigl.prune_channels(model, 0.5)
    with pytest.raises(
        ValueError, match=message("An optimizer has slots of factors")
    ):
        tf_rigl.shrink(model, compiled=True)

    model, _ = factor_models.recurrent(keras)
    tf_rigl.factorize(model, ranks=2)
    with pytest.raises(
        ValueError, match=message("Received: factors='layers' for ['simple_rnn")
    ):
        tf_rigl.strip(model, factors="layers")


def test_nothing_to_factorize_is_an_error_and_too_little_a_warning(keras):
    model = keras.Sequential(
        [keras.Input((4, 4, 3)), keras.layers.DepthwiseConv2D(3)]
    )
    with pytest.raises(ValueError, match=message("of which none can")):
        tf_rigl.factorize(model, ranks=2)
    with pytest.warns(UserWarning, match="No kernel of .* has factors"):
        tf_rigl.factorize(make_mlp(keras, 40), ranks=29)
