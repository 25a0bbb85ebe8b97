"""Factorized layers compute what their product computes, and are saved."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests.factors import factor_models

SHAPES = {"same": {}, "deep": {"depth": 3}, "channels": {"form": "channels"}}


def outputs(model, inputs):
    return np.asarray(tf.convert_to_tensor(model(inputs)))


def assert_close(found, expected, error=1e-6):
    largest = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, atol=error * largest, rtol=0)


def factorize_whole(model, **settings):
    """Factorizes all kernels at their full rank."""
    ranks = {
        weight.path: full
        for weight, full in full_ranks(model, settings.get("form", "auto"))
    }
    return tf_rigl.factorize(model, ranks=ranks, **settings)


def full_ranks(model, form):
    from tf_rigl.backend import flavor as flavors
    from tf_rigl.factors import candidates

    found = candidates.find(flavors.model_flavor(model), model, form, False)
    return [(one, one.full) for one in found if one.reason is None]


@pytest.mark.parametrize("name", factor_models.MODELS)
def test_full_rank_is_the_layer_itself(keras, name):
    model, inputs = factor_models.MODELS[name](keras)
    expected, before = outputs(model, inputs), model.count_params()
    assert factorize_whole(model) is model
    assert model.count_params() > before
    assert_close(outputs(model, inputs), expected)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [SHAPES["deep"], SHAPES["channels"]])
@pytest.mark.parametrize("name", factor_models.MODELS)
def test_full_rank_is_the_layer_in_all_forms(keras, name, settings):
    model, inputs = factor_models.MODELS[name](keras)
    expected = outputs(model, inputs)
    factorize_whole(model, **settings)
    assert_close(outputs(model, inputs), expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_thin_convolutions_compute_their_product(keras, shape):
    check_thin(keras, "convolutions", SHAPES[shape])


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", factor_models.MODELS)
def test_thin_calls_compute_the_product(keras, name, shape):
    check_thin(keras, name, SHAPES[shape])


def check_thin(keras, name, settings):
    """By factors, and by the kernel that is their product, are the same."""
    model, inputs = factor_models.MODELS[name](keras)
    dense = outputs(model, inputs)
    tf_rigl.factorize(model, ranks=3, **settings)
    report = tf_rigl.ranks(model)
    assert report.rows and not any(row.is_product for row in report.rows)
    thin = outputs(model, inputs)
    assert np.abs(thin - dense).max() > 1e-3  # they do differ from the dense
    tf_rigl.strip(model, factors="kernel")
    assert not tf_rigl.ranks(model).rows
    assert_close(outputs(model, inputs), thin, 2e-6)


def test_factors_survive_a_file(keras, tmp_path):
    check_file(keras, "dense", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", factor_models.MODELS)
def test_all_kinds_survive_a_file(keras, name, tmp_path):
    check_file(keras, name, tmp_path)


def check_file(keras, name, tmp_path):
    model, inputs = factor_models.MODELS[name](keras)
    # The user's class, which a factorized model is of a subclass of.
    classes = {type(model).__name__: type(model)}
    tf_rigl.factorize(model, ranks=3, frobenius_decay=0.5)
    path = str(tmp_path / "model.keras")
    with keras.saving.custom_object_scope(
        classes if name == "subclassed" else {}
    ):
        model.save(path)
        loaded = keras.models.load_model(path)
    np.testing.assert_array_equal(
        outputs(loaded, inputs), outputs(model, inputs)
    )
    # tf_keras numbers the layers of a subclassed model that it builds again.
    rows, expected = (
        [dataclasses.replace(row, path="") for row in tf_rigl.ranks(one).rows]
        for one in (loaded, model)
    )
    assert rows == expected
    # The decay is there, too: a step without a gradient changes factors.
    before = [weight.numpy() for weight in loaded.trainable_weights]
    loaded.compile("sgd", lambda _, made: tf.reduce_sum(made) * 0)
    loaded.fit(
        inputs,
        np.zeros(len(inputs)),
        verbose=0,
        callbacks=[tf_rigl.UpdateMasks(tf_rigl.Static())],
    )
    changed = [
        not np.array_equal(one, weight.numpy())
        for one, weight in zip(before, loaded.trainable_weights, strict=True)
    ]
    factors = sum(len(one.shape) for one in tf_rigl.ranks(loaded).rows)
    assert 0 < sum(changed) <= factors
    check_stripped(loaded, inputs)


def check_stripped(model, inputs):
    """What is left of a factorized model are plain layers, as good as it."""
    expected = outputs(model, inputs)
    plain = tf_rigl.strip(model)
    assert_close(outputs(plain, inputs), expected, 2e-6)
    assert not tf_rigl.ranks(plain).rows
    for layer in plain._flatten_layers():
        homes = {cls.__module__.split(".")[0] for cls in type(layer).__mro__}
        assert "tf_rigl" not in homes, layer.name


@pytest.mark.parametrize(
    "ending", ["h5", pytest.param("saved_model", marks=pytest.mark.slow)]
)
def test_older_files_keep_factors_and_do_not_keep_calls(
    keras, ending, tmp_path
):
    if keras.__name__ == "keras" and ending == "saved_model":
        pytest.skip("Keras 3 writes none that it reads.")

    class Own(keras.layers.Dense):
        """A user's class that computes as Dense does."""

    layers = [Own(14), keras.layers.LSTM(9)]
    model = keras.Sequential([keras.Input((4, 12)), *layers])
    inputs = factor_models.draw(3, 4, 12)
    tf_rigl.factorize(model, ranks=3)
    expected = outputs(model, inputs)
    path = str(tmp_path / ("model.h5" if ending == "h5" else "model"))
    model.save(path)
    loaded = keras.models.load_model(path, custom_objects={"Own": Own})
    np.testing.assert_array_equal(outputs(loaded, inputs), expected)
    assert tf_rigl.ranks(loaded).rows == tf_rigl.ranks(model).rows
    tf_rigl.strip(model, factors="kernel")
    assert_close(outputs(model, inputs), expected, 2e-6)


@pytest.mark.slow
def test_half_precision_and_frozen_layers(keras):
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model, inputs = factor_models.convolutions(keras)
    finally:
        keras.mixed_precision.set_global_policy(before)
    model.layers[0].trainable = False
    tf_rigl.factorize(model, ranks=3, frobenius_decay=0.1)
    assert {weight.dtype for weight in model.weights} <= {"float32", tf.float32}
    frozen = [weight.numpy() for weight in model.layers[0].weights]
    assert len(frozen) == 3 == len(model.non_trainable_weights)
    model.compile("adam", "mse")
    model.fit(
        inputs,
        np.zeros((3, 4, 12)),
        verbose=0,
        callbacks=[tf_rigl.UpdateMasks(tf_rigl.Static())],
    )
    after = [weight.numpy() for weight in model.layers[0].weights]
    for one, other in zip(frozen, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_regularizers_are_those_of_factors_unless_products_decay(keras):
    for decay in (0.0, 0.5):
        layer = keras.layers.Dense(14, kernel_regularizer="l2")
        model = keras.Sequential([keras.Input((12,)), layer])
        tf_rigl.factorize(model, ranks=3, frobenius_decay=decay)
        found = sum(float(loss) for loss in model.losses)
        factors = [one.numpy() for one in model.trainable_weights[:2]]
        expected = 0.01 * sum(np.sum(one**2) for one in factors)
        assert found == pytest.approx(0 if decay else expected, rel=1e-5)
        tf_rigl.strip(model, factors="kernel")
        kernel = model.trainable_weights[0].numpy()
        found = sum(float(loss) for loss in model.losses)
        assert found == pytest.approx(0.01 * np.sum(kernel**2), rel=1e-5)


def test_spectral_factors_are_those_of_numpy(keras):
    model, _ = factor_models.dense(keras)
    kernel = model.layers[0].kernel.numpy().astype(np.float64)
    tf_rigl.factorize(model, ranks={model.layers[0]: 4})
    left, values, right = np.linalg.svd(kernel, full_matrices=False)
    root = np.sqrt(values[:4])
    layer = model.layers[0]
    np.testing.assert_allclose(
        layer.kernel_v.numpy(), left[:, :4] * root, atol=1e-6
    )
    np.testing.assert_allclose(
        layer.kernel_u.numpy(), root[:, None] * right[:4], atol=1e-6
    )


# By class, size and form: the axes of the kernel [height, width, channels,
# filters] that the rows of its matrix are; the columns are the others.
CONVOLUTIONS = {
    ("Conv2D", (3, 5), "spatial"): (1, 2),
    ("Conv2D", (3, 5), "channels"): (0, 1, 2),
    ("Conv1D", (3,), "channels"): (0, 1),
    ("Conv1D", (3,), "spatial"): (1,),
}


@support.keras_in_turn("case", CONVOLUTIONS)
def test_factors_of_convolutions_are_the_best(keras, case):
    """Eckart and Young: the squared error is the tail of σ²."""
    name, size, form = case
    layer = getattr(keras.layers, name)(9, size)
    shape = (*[11] * len(size), 8)
    model, _ = factor_models.sequential(keras, shape, layer)
    kernel = layer.kernel.numpy().astype(np.float64)
    tf_rigl.factorize(model, ranks={layer: 4}, form=form)
    (row,) = tf_rigl.ranks(model).rows
    assert (row.form, row.rank, row.is_product) == (form, 4, False)

    read = CONVOLUTIONS[case]
    made = tuple(axis for axis in range(kernel.ndim) if axis not in read)

    def matrix(values):
        rows = np.prod([values.shape[axis] for axis in read])
        return values.transpose(*read, *made).reshape(rows, -1)

    left, values, right = np.linalg.svd(matrix(kernel), full_matrices=False)
    error = kernel - tf.convert_to_tensor(layer.kernel).numpy()
    np.testing.assert_allclose(
        np.linalg.svd(matrix(error), compute_uv=False)[: len(values) - 4],
        values[4:],
        atol=2e-6,
    )
    assert np.sum(error**2) == pytest.approx(np.sum(values[4:] ** 2), rel=1e-6)

    root = np.sqrt(values[:4])
    first, last = layer.kernel_v.numpy(), layer.kernel_u.numpy()
    np.testing.assert_allclose(first, left[:, :4] * root, atol=1e-6)
    np.testing.assert_allclose(last, root[:, None] * right[:4], atol=1e-6)
    for gram in (first.T @ first, last @ last.T):
        np.testing.assert_allclose(gram, np.diag(values[:4]), atol=2e-6)


def test_heads_are_pairs_of_factors(keras, tmp_path):
    model, inputs = factor_models.attention(keras)
    expected = outputs(model, inputs)
    tf_rigl.factorize(model, rank_scale=1.0, attention=True)
    assert_close(outputs(model, inputs), expected)

    model, inputs = factor_models.attention(keras)
    layer = model.get_layer("attention")
    part = layer._query_dense, layer._key_dense
    query, key = (one.kernel.numpy()[:, 0] for one in part)
    biases = [one.bias.numpy()[0] for one in part]
    tf_rigl.factorize(model, ranks=2, attention=True, frobenius_decay=0.1)
    assert [row.rank for row in tf_rigl.ranks(model).rows] == [2, 2]
    query, key = (
        np.vstack([kernel, bias])
        for kernel, bias in zip((query, key), biases, strict=True)
    )
    left, values, right = np.linalg.svd(query @ key.T)
    best = (left[:, :2] * values[:2]) @ right[:2]
    new = [
        np.vstack([one.kernel.numpy()[:, 0], one.bias.numpy()[0]])
        for one in (layer._query_dense, layer._key_dense)
    ]
    # Scores are divided by √key_dim, which is 2 of 4 now.
    np.testing.assert_allclose(
        new[0] @ new[1].T / np.sqrt(2), best / np.sqrt(4), atol=1e-5
    )
    model.save(str(tmp_path / "model.keras"))
    loaded = keras.models.load_model(str(tmp_path / "model.keras"))
    np.testing.assert_array_equal(
        outputs(loaded, inputs), outputs(model, inputs)
    )
    plain = tf_rigl.strip(loaded)
    assert plain.get_layer("attention").get_config()["key_dim"] == 2
    assert type(plain.get_layer("attention")) is (
        keras.layers.MultiHeadAttention
    )
