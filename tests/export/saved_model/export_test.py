"""Outputs of artifacts, and errors, after which nothing is written."""

import gc
import resource

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import zoo
from tests.export import support
from tf_rigl.export.saved_model.export import export_saved_model
from tf_rigl.masking import tree


@pytest.mark.parametrize(
    ("keras", "name"),
    [
        ("keras", "recurrent"),
        ("keras", "convolutions"),
        ("keras", "transformer"),
        ("tf_keras", "transformer"),
        ("tf_keras", "subclassed"),
    ],
    indirect=["keras"],
)
def test_outputs_are_the_models(keras, name, tmp_path):
    model = support.sparse_model(keras, name)
    before = support.weights_of(model)
    masks = tf_rigl.masks(model)
    loaded, _ = support.exported(model, tmp_path)
    for examples in (1, 5):
        inputs = support.batch(name, examples)
        expected = support.infer(model, inputs)
        named = loaded.signatures["serving_default"](inputs)
        for outputs in (loaded.serve(inputs), named["output_0"]):
            support.assert_same_outputs(name, outputs, expected)
    # The model is as it was.
    support.assert_same(support.weights_of(model), before)
    support.assert_same(tf_rigl.masks(model), masks)


def test_plain_models_with_zeros(keras3, tmp_path):
    """A stripped model is packed like the sparse one."""
    model = support.sparse_model(keras3)
    inputs = support.batch()
    sparse = export_saved_model(model, tmp_path / "sparse")
    tf_rigl.strip(model)
    _, plain = support.exported_alike(model, tmp_path, inputs)
    assert [row.nonzeros for row in plain.rows] == [
        row.nonzeros for row in sparse.rows
    ]


def test_several_inputs_and_outputs(keras, tmp_path):
    layers = keras.layers
    first, second = keras.Input((20,), name="a"), keras.Input((3,), name="b")
    hidden = layers.Dense(30)(layers.Concatenate()([first, second]))
    outputs = {"y": layers.Dense(3)(hidden), "z": layers.Dense(4)(hidden)}
    model = keras.Model({"a": first, "b": second}, outputs)
    tf_rigl.sparsify(model, 0.5)

    loaded, _ = support.exported(model, tmp_path)
    inputs = {"a": support.batch(), "b": tf.ones((4, 3))}
    expected = support.infer(model, inputs)
    support.assert_same(dict(loaded.serve(inputs)), expected)
    signature = loaded.signatures["serving_default"]
    support.assert_same(signature(**inputs), expected)


def test_a_list_of_inputs_and_a_keyword(keras, tmp_path):
    class Scaled(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(30)

        def call(self, inputs, scale, training=None):
            assert training is False or training is None
            first, second = inputs
            return [self.dense(first) * scale, self.dense(second)]

    model = Scaled()
    first = support.batch()
    model([first, first], scale=tf.ones([]))
    tf_rigl.sparsify(model, 0.5)
    with_names = {"inputs": [first, first], "scale": tf.ones([])}
    loaded, _ = support.exported(model, tmp_path, inputs=with_names)
    inputs = [support.batch(examples=2), support.batch(examples=3)]
    scale = tf.constant(2.0)
    expected = model(inputs, scale=scale)
    support.assert_same(
        list(loaded.serve(inputs, scale=scale)),
        tf.function(model)(inputs, scale=scale),
    )
    named = loaded.signatures["serving_default"](
        **{"0": inputs[0], "1": inputs[1], "scale": scale}
    )
    np.testing.assert_allclose(named["output_1"], expected[1], rtol=1e-6)


def test_preprocessing_and_embeddings(keras, tmp_path):
    """Lookup tables work, and so does a weight that is only gathered from."""
    layers = keras.layers
    words = layers.StringLookup(vocabulary=[f"word{n}" for n in range(40)])
    inputs = keras.Input((5,), dtype="string")
    hidden = layers.Embedding(41, 16)(words(inputs))
    hidden = layers.GlobalAveragePooling1D()(hidden)
    model = keras.Model(inputs, layers.Dense(3)(hidden))
    embedding = model.layers[-3]
    tf_rigl.sparsify(
        model,
        0.5,
        "uniform",
        options=tf_rigl.SparsifyOptions(include=[embedding]),
    )

    batch = tf.constant([["word3", "word7", "other", "", "word39"]] * 2)
    _, report = support.exported_alike(model, tmp_path, batch, "bit_mask")
    assert sum(row.encoding == "bit_mask" for row in report.rows) == 2


def test_signatures_of_the_user(keras, tmp_path):
    """One signature counts its calls; another changes a sparse weight."""
    model = support.sparse_model(keras)
    calls = tf.Variable(0, dtype=tf.int64, name="calls")
    names = tf.Variable("model", name="names")
    (first, *_) = support.masked_weights(model)

    @tf.function(input_signature=[tf.TensorSpec([None, 20], name="x")])
    def counted(x):
        calls.assign_add(1)
        return {"logits": model(x), "calls": calls.read_value(), "who": names}

    @tf.function(input_signature=[])
    def double():
        first.storage.variable.assign(2 * first.values())
        return tf.reduce_sum(first.values())

    signatures = {"counted": counted, "double": double.get_concrete_function()}
    inputs = support.batch()
    expected = support.infer(model, inputs)
    loaded, _ = support.exported_alike(
        model, tmp_path, inputs, signatures=signatures
    )
    assert set(loaded.signatures) == {"serving_default", *signatures}
    for count in (1, 2):
        outputs = loaded.signatures["counted"](x=inputs)
        assert outputs["calls"] == count
        assert outputs["who"] == b"model"
        np.testing.assert_array_equal(outputs["logits"], expected)

    # It does not change the model that was exported, and not twice.
    sum_before = first.values().numpy().sum()
    doubled = loaded.double()
    np.testing.assert_allclose(doubled, 2 * sum_before, rtol=1e-6)
    assert not np.allclose(loaded.serve(inputs), expected)
    assert calls.numpy() == 0


def test_the_default_signature_can_be_replaced(model, tmp_path):
    @tf.function(input_signature=[tf.TensorSpec([None, 20])])
    def classify(inputs):
        return tf.argmax(model(inputs), axis=-1)

    loaded, _ = support.exported(
        model, tmp_path, signatures={"serving_default": classify}
    )
    assert loaded.serve(support.batch()).dtype == tf.int64


def test_wrong_signatures(model, tmp_path):
    for signature, error, message in [
        (tf.function(lambda x: x), ValueError, "input_signature"),
        (lambda x: x, TypeError, "must be a tf.function"),
    ]:
        with pytest.raises(error, match=message):
            export_saved_model(
                model, tmp_path / "model", signatures={"other": signature}
            )
    assert not list(tmp_path.iterdir())


def test_existing_paths(model, tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "precious").write_text("content")
    with pytest.raises(ValueError, match=r"must not exist.*overwrite=True"):
        export_saved_model(model, path)

    # Failing midway changes nothing, either.
    with pytest.raises(ValueError, match="must say what it takes"):
        export_saved_model(
            model,
            path,
            overwrite=True,
            signatures={"other": tf.function(lambda x: x)},
        )
    assert (path / "precious").read_text() == "content"
    assert list(tmp_path.iterdir()) == [path]

    export_saved_model(model, path, overwrite=True)
    assert not (path / "precious").exists()
    assert list(tmp_path.iterdir()) == [path]
    tf.saved_model.load(str(path))


def test_paths_that_cannot_be_written(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="may write"):
        export_saved_model(model, tmp_path / "file" / "model")


def test_the_model_is_walked_twice(keras3, tmp_path, monkeypatch):
    """For weights that are stored by their connections, and to pack all."""
    model = support.sparse_model(keras3, "convolutions")
    roots = []
    walk = tree.walk

    def counted_walk(flavor, root):
        roots.append(root)
        return walk(flavor, root)

    monkeypatch.setattr(tree, "walk", counted_walk)
    export_saved_model(model, tmp_path / "model")
    assert roots == [model, model]


def test_models_that_were_never_called(keras3, tmp_path):
    model = zoo.build("subclassed_unbuilt", keras3)
    with pytest.raises(ValueError, match="with `inputs`"):
        export_saved_model(model, tmp_path / "model")
    tf_rigl.sparsify(model, 0.8)
    support.exported_alike(model, tmp_path, support.batch(), inputs=(None, 20))


def test_models_without_weights(keras, tmp_path):
    layers = keras.layers
    model = keras.Sequential([keras.Input((20,)), layers.ReLU()])
    _, report = support.exported_alike(model, tmp_path, support.batch())
    assert not report.rows


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"compression": "zip"}, ValueError, "`compression` must be one of"),
        ({"values": "int4"}, ValueError, "`values` must be one of"),
        (
            {"compression": None, "values": "int8"},
            ValueError,
            "compression='dense'",
        ),
        ({"inputs": "text"}, TypeError, "`inputs` must be made of"),
        ({"model": "model"}, TypeError, "model"),
    ],
)
def test_wrong_arguments(model, arguments, error, message, tmp_path):
    arguments = {"model": model, "path": tmp_path / "model", **arguments}
    with pytest.raises(error, match=message):
        export_saved_model(**arguments)
    assert not list(tmp_path.iterdir())


def test_memory_is_given_back(keras3, tmp_path):
    """Loading an artifact many times leaves nothing behind."""
    layer = keras3.layers.Dense(2000)
    model = keras3.Sequential([keras3.Input((2000,)), layer])
    layer.kernel.assign(np.eye(2000))
    export_saved_model(model, tmp_path / "model", "bit_mask")

    def load(times):
        for _ in range(times):
            tf.saved_model.load(str(tmp_path / "model"))
            gc.collect()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    before = load(1)
    # The weight takes 15 MB.
    assert load(4) - before < 2.5 * 15
