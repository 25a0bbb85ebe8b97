"""Values that are written past the optimizer, and masks beside the weights."""

import copy
import importlib
import pickle

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.masking.masked_weight import masked_weights

RIGL = tf_rigl.RigL(stop_step=100, update_interval=2)


def make(keras, seed=0, sparsity=0.8):
    model = support.make_mlp(keras, (24,))
    return tf_rigl.sparsify(model, sparsity, seed=seed)


def dense_weights(model):
    return [np.ones(w.shape, w.dtype) for w in model.get_weights()]


def write_by_assign(model, *_):
    for layer in model.layers:
        layer.kernel.assign(np.ones(layer.kernel.shape, "float32"))


def write_by_assign_add(model, *_):
    for layer in model.layers:
        layer.kernel.assign_add(tf.ones(layer.kernel.shape))
        layer.kernel.assign_sub(2 * tf.ones(layer.kernel.shape))


def write_by_set_weights(model, *_):
    model.set_weights(dense_weights(model))


def write_by_layer(model, *_):
    for layer in model.layers:
        layer.set_weights(dense_weights(layer))


def write_by_load_weights(model, dense, path):
    dense.save_weights(path / "dense.weights.h5")
    model.load_weights(path / "dense.weights.h5")


def write_by_restore(model, dense, path):
    saved = tf.train.Checkpoint(model=dense).save(path / "dense")
    tf.train.Checkpoint(model=model).restore(saved).expect_partial()


@pytest.mark.parametrize(
    "write",
    [
        write_by_assign,
        write_by_assign_add,
        write_by_set_weights,
        write_by_layer,
        write_by_load_weights,
        write_by_restore,
    ],
)
def test_dense_values_are_masked_at_once(keras, tmp_path, write):
    """Predict, export and strip give one answer, whoever looks first."""
    model, dense = make(keras), support.make_mlp(keras, (24,))
    dense.set_weights(dense_weights(dense))
    masks = tf_rigl.masks(model)
    write(model, dense, tmp_path)
    for layer, mask in zip(model.layers, masks.values(), strict=True):
        np.testing.assert_array_equal(layer.kernel.numpy() != 0, mask)
    support.assert_same_masks(tf_rigl.masks(model), masks)

    inputs, _ = support.make_data((20,), 4)
    predicted = model.predict(inputs, verbose=0)
    tf_rigl.strip(model)
    np.testing.assert_array_equal(model.predict(inputs, verbose=0), predicted)
    write_by_assign(model)
    assert all(layer.kernel.numpy().all() for layer in model.layers)


@support.one_keras("keras")
def test_a_graph_of_the_users_own(keras):
    """It writes past the guard; whatever is asked next masks the values."""
    model = make(keras)

    @tf.function
    def write():
        for layer in model.layers:
            layer.kernel.assign(tf.ones(layer.kernel.shape))

    write()
    assert all(np.asarray(layer.kernel).all() for layer in model.layers)
    connections = sum(support.counts(model).values())
    tf_rigl.strip(model)
    left = [np.count_nonzero(layer.kernel.numpy()) for layer in model.layers]
    assert sum(left) == connections


def test_the_weights_are_those_of_the_dense_model(keras):
    dense, sparse = support.make_mlp(keras, (24,)), make(keras)
    assert [w.shape for w in sparse.get_weights()] == [
        w.shape for w in dense.get_weights()
    ]
    assert sparse.count_params() == dense.count_params()
    assert len(list(sparse._flatten_layers())) == len(
        list(dense._flatten_layers())
    )


@support.one_keras("keras")
@pytest.mark.parametrize(
    "pass_on",
    [list, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))],
)
def test_lists_of_weights_bring_masks(keras, pass_on):
    first, second = make(keras, seed=0), make(keras, seed=1)
    support.train(keras, first, RIGL, 1)
    second.set_weights(pass_on(first.get_weights()))
    support.assert_same_masks(tf_rigl.masks(first), tf_rigl.masks(second))
    support.assert_all_equal(first.get_weights(), second.get_weights())
    assert support.moved(second) == support.moved(first)

    clone = keras.models.clone_model(first)
    clone.set_weights(pass_on(first.get_weights()))
    support.assert_same_masks(tf_rigl.masks(first), tf_rigl.masks(clone))
    support.assert_all_equal(first.get_weights(), clone.get_weights())


def test_arithmetic_on_lists_keeps_counts(keras):
    """Soft updates, averages: each model keeps its own masks."""
    online, target = make(keras, seed=0), make(keras, seed=1)
    masks = tf_rigl.masks(target)
    pairs = list(zip(online.get_weights(), target.get_weights(), strict=True))
    for blend in (
        [0.005 * one + 0.995 * other for one, other in pairs],
        [np.mean(pair, axis=0) for pair in pairs],
        [np.add(one, other, out=one) for one, other in pairs],
    ):
        target.set_weights(blend)
        support.assert_same_masks(tf_rigl.masks(target), masks)
        support.assert_masked(target)
        for one, values in zip(masked_weights(target), blend[::2], strict=True):
            np.testing.assert_array_equal(
                one.values().numpy(), values * one.mask.numpy()
            )


def blend(one, other):
    one[...] = 0.5 * one + 0.5 * other


def blend_a_view(one, other):
    view = np.asarray(one)
    view *= 0.5
    view += 0.5 * other


@support.one_keras("tf_keras")
@pytest.mark.parametrize(
    "write", [blend, blend_a_view, lambda one, other: one.sort()]
)
def test_arrays_that_were_written_to_bring_no_masks(keras, write):
    online, target = make(keras, seed=0), make(keras, seed=1)
    masks = tf_rigl.masks(target)
    weights = online.get_weights()
    for one, other in zip(weights, target.get_weights(), strict=True):
        write(one, other)
    target.set_weights(weights)
    support.assert_same_masks(tf_rigl.masks(target), masks)
    support.assert_masked(target)


def test_early_stopping_brings_values_and_masks_back(keras):
    """New connections are 0: the support of the values is no mask."""
    model, seen = make(keras), []

    class Record(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["score"] = float(epoch == 1)
            weights = masked_weights(self.model)
            seen.append(
                [w.mask.numpy() for w in weights]
                + [w.values().numpy() for w in weights]
            )

    stopping = keras.callbacks.EarlyStopping(
        "score", mode="max", patience=2, restore_best_weights=True
    )
    support.train(
        keras, model, RIGL, 5, samples=64, callbacks=[Record(), stopping]
    )
    weights = masked_weights(model)
    support.assert_all_equal([w.mask.numpy() for w in weights], seen[1][:2])
    support.assert_all_equal([w.values().numpy() for w in weights], seen[1][2:])
    assert any(
        (one != two).any() for one, two in zip(seen[1], seen[3], strict=True)
    )


@support.one_keras("keras")
@pytest.mark.parametrize("file", ["all.weights.h5", "checkpoint"])
def test_files_bring_masks(keras, tmp_path, file):
    """Whatever masks were there before, and the values of all connections."""
    first, second = make(keras, seed=0), make(keras, 1, 0.5)
    if file == "checkpoint":
        saved = tf.train.Checkpoint(model=first).save(tmp_path / file)
        tf.train.Checkpoint(model=second).restore(saved).assert_consumed()
    else:
        first.save_weights(tmp_path / file)
        second.load_weights(tmp_path / file)
    support.assert_same_masks(tf_rigl.masks(first), tf_rigl.masks(second))
    support.assert_all_equal(first.get_weights(), second.get_weights())

    # The connections that are there, not those that were allotted.
    before = support.counts(second)
    support.train(keras, second, RIGL, 1)
    assert support.counts(second) == before
    support.assert_masked(second)


def nested(keras):
    inputs = keras.Input((20,))
    layers = [keras.layers.Dense(8), keras.layers.BatchNormalization()]
    inner = keras.Sequential([*layers, keras.layers.Dense(8)])
    return keras.Model(inputs, keras.layers.Dense(4)(inner(inputs)))


def sequential(keras):
    return support.make_mlp(keras, (24,))


@pytest.mark.parametrize("build", [sequential, nested])
def test_hdf5_files_of_keras_2(tmp_path, build):
    keras = importlib.import_module("tf_keras")
    first, second = (
        tf_rigl.sparsify(build(keras), 0.8, seed=seed) for seed in (0, 1)
    )
    first.save_weights(tmp_path / "sparse.h5")
    second.load_weights(tmp_path / "sparse.h5")
    support.assert_same_masks(tf_rigl.masks(first), tf_rigl.masks(second))
    support.assert_all_equal(first.get_weights(), second.get_weights())

    dense, other = build(keras), build(keras)
    dense.save_weights(tmp_path / "dense.h5")
    other.load_weights(tmp_path / "dense.h5")
    support.assert_all_equal(dense.get_weights(), other.get_weights())
    masks = tf_rigl.masks(second)
    second.load_weights(tmp_path / "dense.h5")
    support.assert_same_masks(tf_rigl.masks(second), masks)
    support.assert_masked(second)
    dense.load_weights(tmp_path / "sparse.h5")
    support.assert_all_equal(dense.get_weights(), first.get_weights())


def test_other_writes_of_keras_2():
    keras = importlib.import_module("tf_keras")
    model = make(keras)
    mask, _ = tf_rigl.masks(model).values()
    kernel = model.layers[0].kernel
    kernel.assign_add(delta=tf.ones(kernel.shape))
    kernel[0].assign(tf.ones(kernel.shape[1:]))
    kernel.scatter_nd_update([[1, 1], [2, 2]], [1.0, 1.0])
    np.testing.assert_array_equal(kernel.numpy() != 0, mask)


@support.one_keras("tf_keras")
def test_another_file_is_refused(keras, tmp_path):
    model = make(keras)
    other = tf_rigl.sparsify(
        keras.Sequential(
            [keras.Input((20,)), keras.layers.Dense(24), keras.layers.Dense(10)]
        ),
        0.5,
        dense=lambda layer: layer.units == 10,
        options=tf_rigl.SparsifyOptions(diagnostics=False),
    )
    model.save_weights(tmp_path / "sparse.weights.h5")
    with pytest.raises(ValueError):
        other.load_weights(tmp_path / "sparse.weights.h5")
        other.layers[0].tf_rigl_masks.load_own_variables(
            {"0": np.ones((3, 3), bool)}
        )


def test_build_brings_masks(keras, tmp_path):
    def unbuilt(seed):
        layers = [keras.layers.Dense(24), keras.layers.Dense(10)]
        return tf_rigl.sparsify(keras.Sequential(layers), 0.8, seed=seed)

    first, second = unbuilt(0), unbuilt(1)
    first(np.zeros((1, 20), "float32"))
    first.save_weights(tmp_path / "sparse.weights.h5")
    second.build((None, 20))
    assert len(tf_rigl.masks(second)) == 2
    second.load_weights(tmp_path / "sparse.weights.h5")
    support.assert_same_masks(tf_rigl.masks(first), tf_rigl.masks(second))


def test_lora_and_quantize(tmp_path):
    keras = importlib.import_module("keras")
    model = make(keras)
    masks = tf_rigl.masks(model)
    with pytest.raises(
        ValueError, match=r"cannot be quantized.*strip\(model\)"
    ):
        model.quantize("int8")

    for layer in model.layers:
        layer.enable_lora(2)
    support.assert_same_masks(tf_rigl.masks(model), masks)
    base = [weight.values().numpy() for weight in masked_weights(model)]
    adapters = [layer.lora_kernel_a.numpy() for layer in model.layers]
    support.train(keras, model, RIGL, 1)
    support.assert_all_equal(
        [weight.values().numpy() for weight in masked_weights(model)], base
    )
    for layer, before in zip(model.layers, adapters, strict=True):
        assert (layer.lora_kernel_a.numpy() != before).any()
    with pytest.raises(ValueError, match=r"LoRA .* not sparse.*strip\(model\)"):
        model.save_weights(tmp_path / "lora.weights.h5")

    tf_rigl.strip(model)
    with pytest.warns(UserWarning, match="InputLayer"):
        make_dense = support.make_mlp(keras, (24,))
        tf_rigl.strip(tf_rigl.sparsify(make_dense, 0.8)).quantize("int8")
    assert all("int8" in str(one._kernel.dtype) for one in make_dense.layers)
