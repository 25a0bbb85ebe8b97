"""Kernels that are stored by their connections are never made dense."""

import gc
import weakref

import numpy as np
import pytest

import tf_rigl
from tests import support
from tf_rigl.core import block_values
from tf_rigl.masking import announced
from tf_rigl.masking.masked_weight import masked_weights


def sequential(keras):
    return keras.Sequential(
        [
            keras.layers.Dense(16, activation="relu", name="one"),
            keras.layers.Dense(10, name="two"),
        ]
    )


def subclassed(keras):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.body = sequential(keras)
            self.head = keras.layers.Dense(4, name="head")

        def call(self, inputs):
            return self.head(self.body(inputs))

    return Own()


def einsum(keras):
    return keras.Sequential(
        [
            keras.layers.Reshape((4, 5)),
            keras.layers.EinsumDense("abc,cde->abde", (4, 2, 8), name="one"),
            keras.layers.Conv2D(6, 1, name="two"),
            keras.layers.Flatten(),
            keras.layers.Dense(10, name="three"),
        ]
    )


def by_build(model, inputs):
    model.build(inputs.shape)


def by_call(model, inputs):
    model(inputs)


MODELS = {"sequential": sequential, "subclassed": subclassed, "einsum": einsum}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Kernels of tests are large, and of several blocks."""
    monkeypatch.setattr(announced, "SMALLEST", 0)
    monkeypatch.setattr(block_values, "BLOCK", 16)


@pytest.fixture
def no_dense_values(monkeypatch):
    """Fails where all values of an announced kernel are computed."""

    def refuse(self):
        raise AssertionError("A dense kernel was made.")

    monkeypatch.setattr(block_values.BlockValues, "all", refuse)


@support.keras_in_turn("name", MODELS, lambda name: name == "subclassed")
@pytest.mark.parametrize(
    "build", [by_build, pytest.param(by_call, marks=pytest.mark.slow)]
)
@pytest.mark.filterwarnings("ignore:.*does not have a `build")
def test_values_and_masks_are_those_of_masked_storage(
    keras, name, build, no_dense_values
):
    inputs = support.make_data((20,))[0]
    models = []
    for storage in ("masked", "compressed"):
        keras.utils.set_random_seed(3)
        model = MODELS[name](keras)
        tf_rigl.sparsify(model, 0.8, seed=4, storage=storage)
        build(model, inputs)
        model(inputs)
        models.append(model)

    for one, other in zip(*map(masked_weights, models), strict=True):
        assert other.storage.is_compressed
        np.testing.assert_array_equal(one.mask, other.mask)
        np.testing.assert_array_equal(one.values(), other.values())
    masked, compressed = models
    np.testing.assert_allclose(
        masked(inputs), compressed(inputs), rtol=1e-5, atol=1e-6
    )


@pytest.mark.slow
@support.keras_in_turn("name", ["sequential", "subclassed"])
def test_fit_builds_the_model(keras, name, no_dense_values):
    data = support.make_data((20,), classes=4)
    losses = []
    for storage in ("masked", "compressed"):
        keras.utils.set_random_seed(3)
        model = MODELS[name](keras)
        tf_rigl.sparsify(model, 0.8, storage=storage)
        model.compile("sgd", support.crossentropy(keras))
        history = support.fit(model, data, tf_rigl.RigL(stop_step=4), epochs=2)
        losses.append(history.history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)


@support.one_keras("keras")
def test_kernels_that_stay_dense_have_their_values(keras):
    inputs = support.make_data((20,))[0]
    outputs = []
    for storage in ("masked", "auto"):
        keras.utils.set_random_seed(3)
        model = sequential(keras)
        tf_rigl.sparsify(model, 0.5, dense=["two"], storage=storage)
        outputs.append(model(inputs))
    np.testing.assert_array_equal(*outputs)

    # Even if there is an error, which here comes first of all.
    model = sequential(keras)
    tf_rigl.sparsify(model, 0.5, dense=["three"], storage="compressed")
    with pytest.raises(ValueError, match="`dense` must name layers"):
        model(inputs)
    assert np.ptp(model.layers[0].kernel) > 0


@support.one_keras("tf_keras")
def test_initializers_without_blocks_are_called_as_ever(keras):
    inputs = support.make_data((20,))[0]
    values = []
    for storage in ("masked", "compressed"):
        model = keras.Sequential(
            [keras.layers.Dense(16, kernel_initializer="orthogonal")]
        )
        model.layers[0].kernel_initializer = keras.initializers.Orthogonal(
            seed=1
        )
        tf_rigl.sparsify(model, 0.5, storage=storage)
        model(inputs)
        values.append(masked_weights(model)[0].values())
    np.testing.assert_array_equal(*values)


@support.one_keras("keras")
def test_a_loaded_file_makes_no_dense_kernel(keras, tmp_path, monkeypatch):
    model = support.make_mlp(keras, units=(16,))
    tf_rigl.sparsify(model, 0.8, storage="compressed")
    path = str(tmp_path / "model.keras")
    model.save(path)

    taken = []
    own = announced.take

    def take(layer):
        taken.append(own(layer))
        return taken[-1]

    monkeypatch.setattr(announced, "take", take)
    loaded = keras.models.load_model(path)
    assert len(taken) == 2 and None not in taken
    support.assert_all_equal(loaded.get_weights(), model.get_weights())


@support.one_keras("keras")
def test_the_kernel_of_a_built_model_is_released(keras):
    model = support.make_mlp(keras, units=(16,))
    kernels = [weakref.ref(layer.kernel) for layer in model.layers]
    tf_rigl.sparsify(model, 0.8, storage="compressed")
    gc.collect()
    assert [kernel() for kernel in kernels] == [None, None]


@support.one_keras("tf_keras")
@pytest.mark.parametrize("per", ["layer", "unit"])
def test_initial_values_are_scaled_alike(keras, per):
    values = []
    for storage in ("masked", "compressed"):
        model = support.make_mlp(keras, units=(16,))
        tf_rigl.sparsify(
            model,
            0.8,
            storage=storage,
            options=tf_rigl.SparsifyOptions(scale=per),
        )
        values.append([one.values() for one in masked_weights(model)])
    support.assert_all_equal(*values)
