import numpy as np
import pytest

import tf_rigl
from tests import support as training
from tests import zoo
from tests.export import support
from tf_rigl.export.saved_model.export import export_saved_model
from tf_rigl.export.saved_model.restore import load_packed_weights


@pytest.mark.parametrize(
    ("keras", "name", "sparse"),
    [
        ("keras", "convolutions", True),
        ("keras", "recurrent", False),
        ("tf_keras", "subclassed", True),
        ("tf_keras", "nested", False),
    ],
    indirect=["keras"],
)
def test_weights_and_masks_come_back(keras, name, sparse, tmp_path):
    """Both a sparse model with other masks and a plain one can be restored.

    Layers have other numbers than those of the model that was exported, because
    Keras counts the layers of a process.
    """
    model = support.sparse_model(keras, name, 0.8)
    export_saved_model(model, tmp_path / "model")
    other = zoo.build(name, keras)
    if sparse:
        tf_rigl.sparsify(other, 0.5, seed=9)
    assert load_packed_weights(other, tmp_path / "model") is other

    masks = tf_rigl.masks(other)
    assert len(masks) > 2
    training.assert_same_masks(masks, tf_rigl.masks(model))
    inputs = support.batch(name)
    support.assert_same_outputs(
        name, support.infer(other, inputs), support.infer(model, inputs)
    )
    training.assert_masked(other)


def test_training_goes_on(keras3, tmp_path):
    model = training.make_mlp(keras3)
    tf_rigl.sparsify(model, 0.9)
    export_saved_model(model, tmp_path / "model", values="float16")
    other = load_packed_weights(training.make_mlp(keras3), tmp_path / "model")
    before = training.counts(other)
    assert tf_rigl.diagnose(other).total.overlap_start == 1
    algorithm = tf_rigl.RigL(stop_step=16, update_interval=2)
    training.train(keras3, other, algorithm)
    assert 0 < tf_rigl.diagnose(other).total.overlap_start < 1
    assert training.moved(other) > 0
    assert list(training.counts(other).values()) == list(before.values())
    training.assert_masked(other)


def test_rounded_values(keras3, tmp_path):
    """The artifact and the restored model compute the same."""
    model = support.sparse_model(keras3, "convolutions")
    loaded, report = support.exported(model, tmp_path, values="int8")
    other = load_packed_weights(
        zoo.build("convolutions", keras3), tmp_path / "model"
    )
    inputs = support.batch("convolutions")
    support.assert_same(loaded.serve(inputs), support.infer(other, inputs))

    errors = [
        np.abs(one - two).max()
        for one, two in zip(
            support.weights_of(tf_rigl.strip(other)),
            support.weights_of(tf_rigl.strip(model)),
            strict=True,
        )
    ]
    assert max(errors) == pytest.approx(report.error)


def test_connections_that_are_zero_stay_connections(keras3, tmp_path):
    """They do even if the mask is so full that dense storage is smaller."""
    model = support.sparse_model(keras3, sparsity=0.02)
    (first, *_) = support.masked_weights(model)
    for compression in ("smallest", "gaps"):
        kept = np.flatnonzero(first.mask.numpy())
        values = first.values().numpy().ravel()
        values[kept[:3]] = 0
        first.set_values(values.reshape(first.shape))
        export_saved_model(
            model, tmp_path / "model", compression, overwrite=True
        )
        other = zoo.build("sequential", keras3)
        load_packed_weights(other, tmp_path / "model")
        training.assert_same_masks(tf_rigl.masks(other), tf_rigl.masks(model))


def test_structures_and_targets_come_back(keras3, tmp_path):
    def make():
        return keras3.Sequential(
            [keras3.Input((32,)), keras3.layers.Dense(64, name="dense")]
        )

    model = tf_rigl.sparsify(
        make(), 0.5, "uniform", structure=tf_rigl.NByM(2, 4), start="dense"
    )
    export_saved_model(model, tmp_path / "model")
    other = load_packed_weights(make(), tmp_path / "model")
    (weight,) = support.masked_weights(other)
    assert weight.structure == tf_rigl.NByM(2, 4)
    assert weight.target == 32 * 64 // 2
    assert weight.mask.numpy().all()


def test_stripped_models(keras3, tmp_path):
    model = support.sparse_model(keras3)
    masks = tf_rigl.masks(model)
    export_saved_model(tf_rigl.strip(model), tmp_path / "model")
    plain = zoo.build("sequential", keras3)
    load_packed_weights(plain, tmp_path / "model")
    assert not tf_rigl.masks(plain)
    inputs = support.batch()
    expected = support.infer(model, inputs)
    support.assert_same(support.infer(plain, inputs), expected)
    sparse = tf_rigl.sparsify(zoo.build("sequential", keras3), 0.8, seed=2)
    load_packed_weights(sparse, tmp_path / "model")
    training.assert_same_masks(tf_rigl.masks(sparse), masks)
    support.assert_same(support.infer(sparse, inputs), expected)


def test_other_architectures_are_refused(keras3, tmp_path):
    model = support.sparse_model(keras3)
    export_saved_model(model, tmp_path / "model")
    other = support.sparse_model(keras3, "nested")
    before = support.weights_of(other)
    with pytest.raises(ValueError, match="must be those of the model"):
        load_packed_weights(other, tmp_path / "model")
    support.assert_same(support.weights_of(other), before)
    partly = zoo.build("sequential", keras3)
    tf_rigl.sparsify(partly, 0.1, "uniform", dense=[partly.layers[1]])
    for layer in partly.layers[:1]:
        tf_rigl.masking.masked_layer.drop_masks(layer)
    with pytest.raises(ValueError, match="Received: none for"):
        load_packed_weights(partly, tmp_path / "model")


def test_no_packed_weights(keras3, tmp_path):
    model = support.sparse_model(keras3)
    with pytest.raises(ValueError, match="has written"):
        load_packed_weights(model, tmp_path / "missing")
    export_saved_model(model, tmp_path / "model", None)
    with pytest.raises(ValueError, match="compression=None"):
        load_packed_weights(model, tmp_path / "model")
