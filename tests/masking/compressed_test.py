"""Models whose kernels are stored by their connections, as users see them."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.backend import native_ops
from tf_rigl.masking import connections
from tf_rigl.masking import dense_size
from tf_rigl.masking import storage_choice
from tf_rigl.masking import stored_arrays
from tf_rigl.masking.masked_weight import masked_weights

METHOD = tf_rigl.RigL(stop_step=12, update_interval=3)


def build(keras, storage, sparsity=0.8, **kwargs):
    model = support.make_mlp(keras, units=(16,), outputs=10)
    return tf_rigl.sparsify(model, sparsity, storage=storage, **kwargs)


def train(keras, model):
    return support.train(keras, model, METHOD, epochs=1)


def kernels(model):
    return [record.values().numpy() for record in masked_weights(model)]


@support.one_keras("tf_keras")
def test_the_layer_stays_what_it_was(keras):
    masked, model = build(keras, "masked"), build(keras, "compressed")
    layer, other = model.layers[-2], masked.layers[-2]

    assert type(layer).__name__ == "Dense"
    assert isinstance(layer, keras.layers.Dense)
    masks = tf_rigl.masks(masked)
    support.assert_all_equal(tf_rigl.masks(model).values(), masks.values())
    np.testing.assert_array_equal(layer.kernel, other.kernel)
    inputs = support.make_data((20,))[0]
    np.testing.assert_allclose(
        model(inputs), masked(inputs), rtol=1e-5, atol=1e-6
    )

    shapes = [tuple(weight.shape) for weight in model.trainable_weights]
    first, second = (int(mask.sum()) for mask in masks.values())
    assert shapes == [(first,), (16,), (second,), (10,)]
    names = [weight.name.rpartition("/")[2] for weight in model.weights]
    assert [n.partition(":")[0] for n in names] == ["kernel", "bias"] * 2
    counted, expected = tf_rigl.profile(model), tf_rigl.profile(masked)
    assert (counted.macs, counted.bytes) == (expected.macs, expected.bytes)


@support.keras_in_turn("first", ["masked", "compressed"])
def test_files_of_one_storage_load_into_the_other(
    keras, first, tmp_path, monkeypatch
):
    # Files are written in many pieces.
    monkeypatch.setattr(stored_arrays, "CHUNK", 24)
    model = build(keras, first)
    train(keras, model)
    assert support.moved(model)
    path = str(tmp_path / "model.weights.h5")
    model.save_weights(path)

    for storage in ("masked", "compressed"):
        other = build(keras, storage)
        other.load_weights(path)
        support.assert_all_equal(
            tf_rigl.masks(other).values(), tf_rigl.masks(model).values()
        )
        support.assert_all_equal(kernels(other), kernels(model))
    plain = support.make_mlp(keras, units=(16,), outputs=10)
    plain.load_weights(path)
    support.assert_all_equal(plain.get_weights()[::2], kernels(model))


@support.one_keras("tf_keras")
def test_the_file_of_a_dense_model(keras, tmp_path):
    plain = support.make_mlp(keras, units=(16,), outputs=10)
    path = str(tmp_path / "model.weights.h5")
    plain.save_weights(path)
    values = []
    for storage in ("masked", "compressed"):
        model = build(keras, storage)
        for weight in model.weights:
            weight.assign(tf.zeros_like(weight))
        model.load_weights(path)
        values.append(kernels(model))
    support.assert_all_equal(*values)


@support.one_keras("keras")
def test_a_keras_file_goes_on_exactly(keras, tmp_path, monkeypatch):
    model = build(keras, "compressed")
    train(keras, model)
    path = str(tmp_path / "model.keras")
    with monkeypatch.context() as patch:
        # No dense kernel or mask is made.
        patch.setattr(connections.Connections, "dense", None)
        patch.setattr(connections.Connections, "mask", None)
        model.save(path)
        loaded = keras.models.load_model(path)

    record = masked_weights(loaded)[0]
    assert record.storage.is_compressed
    data = support.make_data((20,))
    for one in (model, loaded):
        support.fit(one, data, METHOD)
    support.assert_all_equal(
        tf_rigl.masks(loaded).values(), tf_rigl.masks(model).values()
    )
    support.assert_all_equal(loaded.get_weights(), model.get_weights())


@support.one_keras("tf_keras")
def test_arrays_of_weights_bring_their_connections(keras):
    model = build(keras, "compressed")
    weights, masks, before = (
        model.get_weights(),
        tf_rigl.masks(model),
        kernels(model),
    )
    train(keras, model)
    slot = model.optimizer.variables[-4]

    model.set_weights(weights)

    support.assert_all_equal(tf_rigl.masks(model).values(), masks.values())
    support.assert_all_equal(kernels(model), before)
    assert np.isfinite(slot.numpy()).all()


@support.one_keras("keras")
def test_masks_of_as_many_connections_can_be_set(keras):
    model = build(keras, "compressed")
    (path, mask), *_ = tf_rigl.masks(model).items()
    tf_rigl.set_masks(model, {path: mask[::-1]})
    np.testing.assert_array_equal(tf_rigl.masks(model)[path], mask[::-1])
    with pytest.raises(ValueError, match=r"keeps their number. Received: 320"):
        tf_rigl.set_masks(model, {path: np.ones_like(mask)})


@support.one_keras("keras")
def test_exports_and_strip_make_dense_kernels(keras, tmp_path):
    model = build(keras, "compressed")
    inputs = support.make_data((20,))[0]
    outputs, before = model(inputs), model.get_weights()

    report = tf_rigl.export_saved_model(model, str(tmp_path / "exported"))
    assert report.rows[0].nonzeros == masked_weights(model)[0].num_active()
    support.assert_all_equal(model.get_weights(), before)

    plain = tf_rigl.strip(model)
    assert type(plain.layers[-1]) is keras.layers.Dense
    np.testing.assert_allclose(plain(inputs), outputs, rtol=1e-5, atol=1e-6)


REFUSED = {
    "structure": ({"structure": tf_rigl.NByM(2, 4)}, "structure=NByM"),
    "start": ({"start": "dense"}, "start='dense'"),
    "initial_values": (
        {"options": tf_rigl.SparsifyOptions(keep_initial_values=True)},
        "keep_initial_values=True",
    ),
}


@support.one_keras("keras")
@pytest.mark.parametrize("case", REFUSED)
def test_requests_that_need_all_positions(keras, case):
    options, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        build(keras, "compressed", sparsity=0.5, **options)


@support.one_keras("keras")
def test_kernels_that_cannot_be_compressed(keras):
    model = support.make_mlp(keras, units=(16,))
    model.layers[0].kernel_constraint = keras.constraints.MaxNorm()
    with pytest.raises(ValueError, match=r"'dense/kernel', but it has a const"):
        tf_rigl.sparsify(model, 0.8, storage="compressed")
    with pytest.raises(ValueError, match="`storage` must be one of"):
        tf_rigl.sparsify(model, 0.8, storage="sparse")


@support.one_keras("keras")
def test_what_needs_all_positions_says_so(keras):
    model = build(keras, "compressed")
    with pytest.raises(ValueError, match="To prune needs weights stored as"):
        tf_rigl.prune(model, amount=0.1)


@support.one_keras("keras")
@pytest.mark.parametrize(
    "is_available, size, sparsity, reason",
    [
        (True, 200, 0.9, "compressed: large, sparse, on a CPU"),
        (True, 200, 0.6, "masked: a density above 0.3"),
        (True, 20, 0.9, "masked: fewer than 30000 elements"),
        (False, 200, 0.9, "masked: the native library is not available"),
    ],
)
def test_what_auto_chooses(
    keras, monkeypatch, is_available, size, sparsity, reason
):
    monkeypatch.setattr(native_ops, "available", lambda: is_available)
    model = support.make_mlp(keras, units=(size,), inputs=200)
    tf_rigl.sparsify(model, sparsity, "uniform", storage="auto")
    found = storage_choice.reasons(model)
    assert found["dense/kernel"] == reason
    assert found["dense_1/kernel"].startswith("masked: ")


@support.one_keras("keras")
@pytest.mark.parametrize("storage", ["masked", "compressed"])
def test_masks_as_lists_of_positions(keras, storage):
    model = build(keras, storage)
    dense = tf_rigl.masks(model)
    for path, mask in tf_rigl.masks(model, sparse=True).items():
        assert mask.shape == dense[path].shape
        assert mask.nnz == dense[path].sum()
        np.testing.assert_array_equal(mask.to_dense(), dense[path])
        support.assert_all_equal(mask.nonzero(), np.nonzero(dense[path]))


@support.one_keras("keras")
def test_windows_must_be_sparser_for_auto(keras):
    layer = keras.layers.Conv2D(64, 3, name="window")
    one = keras.layers.Conv2D(512, 1, name="pointwise")
    model = keras.Sequential([keras.Input((8, 8, 64)), layer, one])
    tf_rigl.sparsify(
        model, 0.75, tf_rigl.Uniform(budget="reference"), storage="auto"
    )
    found = storage_choice.reasons(model)
    if native_ops.available():
        assert found["window/kernel"] == "masked: a density above 0.2"
        assert found["pointwise/kernel"].startswith("compressed: ")


@support.one_keras("keras")
def test_strip_needs_memory_for_dense_kernels(keras, monkeypatch, tmp_path):
    model = build(keras, "compressed")
    monkeypatch.setattr(dense_size, "memory", lambda: 1000)
    message = "To strip needs memory for dense matrices. Received: a model"
    with pytest.raises(ValueError, match=message):
        tf_rigl.strip(model)
    with pytest.raises(ValueError, match="To make dense weights for a while"):
        tf_rigl.export_saved_model(model, str(tmp_path / "one"), None)
    tf_rigl.export_saved_model(model, str(tmp_path / "two"))
