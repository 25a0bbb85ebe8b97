import gc
import importlib
import json
import resource

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import zoo
from tests.core.packing import support as packing
from tests.export import support
from tf_rigl.core.kernel_layout import axes_layout
from tf_rigl.core.packing import ENCODINGS
from tf_rigl.export.saved_model.export import export_saved_model
from tf_rigl.export.saved_model.groups import plan_groups
from tf_rigl.export.saved_model.groups import runs
from tf_rigl.export.saved_model.pack import WeightToPack
from tf_rigl.export.saved_model.pack import pack_weights
from tf_rigl.export.saved_model.packed_file import place_weights
from tf_rigl.export.saved_model.run_decoder import RunDecoder
from tf_rigl.export.saved_model.slim import slim_function
from tf_rigl.masking import tree


@pytest.mark.parametrize(
    ("flavor", "name"),
    [
        ("keras", "recurrent"),
        ("keras", "convolutions"),
        ("keras", "transformer"),
        ("tf_keras", "transformer"),
        ("tf_keras", "subclassed"),
    ],
)
def test_outputs_are_the_models(flavor, name, tmp_path):
    keras = importlib.import_module(flavor)
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


@pytest.mark.parametrize(
    "compression", ["bit_mask", "gaps", "dense", None], ids=str
)
def test_compressions(model, compression, tmp_path):
    report = export_saved_model(model, tmp_path / "model", compression)
    rows = {row.path: row for row in report.rows}
    kernel = rows["dense/kernel"]
    expected = "variable" if compression is None else compression
    assert kernel.encoding == expected
    mask = tf_rigl.masks(model)["dense/kernel"]
    if compression in ("bit_mask", "gaps"):
        packed = ENCODINGS[compression].encode(mask)
        assert kernel.bytes == len(packed) + 4 * mask.sum()
    else:
        assert kernel.bytes == 4 * 320
    assert rows["dense/bias"].bytes == 64
    inputs = support.batch()
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    support.assert_same(loaded.serve(inputs), support.infer(model, inputs))


def structured(keras, structure, sparsity):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 16)),
            keras.layers.Conv2DTranspose(32, 3),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    tf_rigl.sparsify(
        model,
        sparsity,
        tf_rigl.Uniform(budget="reference"),
        structure=structure,
        dense=["dense"],
    )
    support.randomize(model)
    return model


@pytest.mark.parametrize(
    ("structure", "compression"),
    [(tf_rigl.NByM(1, 4), "n_by_m"), (tf_rigl.Block(4, 4), "block_mask")],
    ids=["n_by_m", "block_mask"],
)
def test_structures(keras3, structure, compression, tmp_path):
    model = structured(keras3, structure, 0.75)
    inputs = tf.random.stateless_normal((2, 8, 8, 16), [1, 2])
    expected = support.infer(model, inputs)
    loaded, report = support.exported(model, tmp_path, compression)
    assert report.rows[0].encoding == compression
    support.assert_same(loaded.serve(inputs), expected)
    # Less than a bit for each element.
    row = report.rows[0]
    assert row.bytes < 4 * row.nonzeros + 0.9 * row.elements / 8


def test_the_default_is_never_larger(model, tmp_path):
    """Of a small model, too, in which graph ops outweigh what they save."""
    sizes = {
        compression: export_saved_model(
            model, tmp_path / compression, compression
        ).folder_bytes
        for compression in ("smallest", "gaps", "bit_mask", "dense")
    }
    # Names of functions hold numbers, which grow from export to export.
    assert sizes.pop("smallest") <= min(sizes.values()) + 30


def fitting_mask(name, seed):
    """A mask that an encoding can express."""
    if name == "n_by_m":
        return packing.n_by_m_mask((64, 32), 2, 4, seed)
    if name == "block_mask":
        return packing.block_mask((64, 32), 4, 4, 0.3, seed)
    density = 1 if name == "dense" else 0.1
    return np.random.default_rng(seed).random((64, 32)) < density


@pytest.mark.parametrize("name", ENCODINGS)
def test_what_graph_ops_take(name):
    """The numbers by which the smallest file is chosen."""
    weights = pack_weights(
        [
            WeightToPack(
                str(seed),
                fitting_mask(name, seed).astype(np.float32),
                layout=axes_layout((64, 32), [0], [1]),
            )
            for seed in range(2)
        ],
        name,
    )
    assert {weight.spec.encoding for weight in weights} == {name}
    (group,) = groups = plan_groups(weights, [])
    placed, content = place_weights(weights, groups)
    (run,) = runs(group, [weight.spec for weight in placed])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.uint8)])
    def decode(data):
        decoder = RunDecoder(content, data, [(run, "float32")])
        return decoder.decode_next()

    expected = np.concatenate(
        [placed[member].array().ravel() for member in group.members]
    )
    np.testing.assert_array_equal(
        decode(np.frombuffer(content, np.uint8)), expected
    )
    concrete = decode.get_concrete_function()
    functions = concrete.graph.as_graph_def().library.function
    total = 0
    for function in (concrete.function_def, *functions):
        slim_function(function)
        total += function.ByteSize()
    assert total == pytest.approx(ENCODINGS[name].graph_bytes, rel=0.15)


def test_an_encoding_that_does_not_fit(model, tmp_path):
    with pytest.raises(ValueError, match="compression='n_by_m' for 'dense"):
        export_saved_model(model, tmp_path / "model", "n_by_m")
    assert not list(tmp_path.iterdir())


def test_plain_models_with_zeros(keras3, tmp_path):
    """A stripped model is packed alike."""
    model = support.sparse_model(keras3)
    inputs = support.batch()
    expected = support.infer(model, inputs)
    sparse = export_saved_model(model, tmp_path / "sparse")
    plain = export_saved_model(tf_rigl.strip(model), tmp_path / "plain")
    assert [row.nonzeros for row in plain.rows] == [
        row.nonzeros for row in sparse.rows
    ]
    loaded = tf.saved_model.load(str(tmp_path / "plain"))
    support.assert_same(loaded.serve(inputs), expected)


def test_special_values_survive(keras3, tmp_path):
    """-0.0, NaN with payloads, and connections that are zero."""
    model = support.sparse_model(keras3)
    (first, *_) = support.masked_weights(model)
    values = first.values().numpy().ravel()
    kept = np.flatnonzero(first.mask.numpy())
    values[kept[0]] = -0.0
    values[kept[1]] = 0.0
    bits = values.view(np.uint32)
    bits[kept[2]] = 0x7FC12345
    bits[kept[3]] = 0x00000001
    first.set_values(values.reshape(first.shape))
    loaded, _ = support.exported(model, tmp_path)
    # Read as it is: a product would turn -0.0 and payloads into others.
    decoded = [variable.numpy() for variable in loaded.decoded]
    assert values.tobytes() in b"".join(one.tobytes() for one in decoded)


def test_several_inputs_and_outputs(keras, tmp_path):
    layers = keras.layers
    first, second = keras.Input((20,), name="a"), keras.Input((3,), name="b")
    hidden = layers.Dense(30)(layers.Concatenate()([first, second]))
    outputs = {"y": layers.Dense(3)(hidden), "z": layers.Dense(4)(hidden)}
    model = keras.Model({"a": first, "b": second}, outputs)
    tf_rigl.sparsify(model, 0.5)
    loaded, _ = support.exported(model, tmp_path)
    inputs = {
        "a": support.batch(),
        "b": tf.ones((4, 3)),
    }
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
    """Lookup tables, and a weight that is read by gathering from it."""
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
    loaded, report = support.exported(model, tmp_path, "bit_mask")
    assert sum(row.encoding == "bit_mask" for row in report.rows) == 2
    batch = tf.constant([["word3", "word7", "other", "", "word39"]] * 2)
    support.assert_same(loaded.serve(batch), support.infer(model, batch))


def test_signatures_of_the_user(keras, tmp_path):
    """One of them counts its calls; another changes a sparse weight."""
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

    export_saved_model(
        model,
        tmp_path / "model",
        signatures={
            "counted": counted,
            "double": double.get_concrete_function(),
        },
    )
    inputs = support.batch()
    expected = support.infer(model, inputs)
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    assert set(loaded.signatures) == {"serving_default", "counted", "double"}
    support.assert_same(loaded.serve(inputs), expected)
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

    export_saved_model(
        model, tmp_path / "model", signatures={"serving_default": classify}
    )
    loaded = tf.saved_model.load(str(tmp_path / "model"))
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


@pytest.mark.parametrize(
    ("values", "bits", "error"),
    [("float16", 16, 2**-11), ("bfloat16", 16, 2**-8), ("int8", 8, 1 / 254)],
)
def test_values_of_fewer_bits(keras3, values, bits, error, tmp_path):
    # One with all kinds of channels, and one that is quickly traced.
    name = "convolutions" if values == "int8" else "sequential"
    model = support.sparse_model(keras3, name)
    report = export_saved_model(model, tmp_path / "model", values=values)
    for row in report.rows:
        # Those of separable convolutions never become sparse.
        if row.path.endswith("kernel") and "/depthwise_k" not in row.path:
            channels = max(row.shape) if values == "int8" else 0
            assert row.values == values
            most = row.nonzeros * bits / 8 + row.elements / 8 + 4 * channels
            assert row.bytes <= most + 160
            # Weights are below 1.
            assert 0 < row.error <= 1.001 * error
        else:
            assert row.values == "float32"
            assert row.error == 0
    inputs = support.batch(name)
    expected = support.infer(model, inputs)
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    outputs = loaded.serve(inputs)
    np.testing.assert_allclose(outputs, expected, rtol=60 * error)
    assert not np.array_equal(outputs, expected)


def test_bfloat16_models_are_exact(keras3, tmp_path):
    """Weights of few bits are stored as they are, whatever is asked for."""
    inputs = keras3.Input((20,), dtype="bfloat16")
    hidden = keras3.layers.Dense(640, dtype="bfloat16")(inputs)
    model = keras3.Model(inputs, hidden)
    tf_rigl.sparsify(model, 0.8)
    loaded, report = support.exported(model, tmp_path, values="float16")
    assert {row.values for row in report.rows} == {"bfloat16"}
    assert report.error == 0
    batch = tf.cast(support.batch(), tf.bfloat16)
    support.assert_same(loaded.serve(batch), support.infer(model, batch))


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


def test_a_full_disk(model, tmp_path, monkeypatch):
    """The error is the system's; what was there stays."""
    path = tmp_path / "model"
    export_saved_model(model, path, "bit_mask")
    before = (path / "saved_model.pb").read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", full)
    with pytest.raises(OSError, match="No space left"):
        export_saved_model(model, path, "gaps", overwrite=True)
    assert list(tmp_path.iterdir()) == [path]
    assert (path / "saved_model.pb").read_bytes() == before


def test_paths_that_cannot_be_written(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="may write"):
        export_saved_model(model, tmp_path / "file" / "model")


def test_the_model_is_walked_once(keras3, tmp_path, monkeypatch):
    model = support.sparse_model(keras3, "convolutions")
    roots = []
    walk = tree.walk

    def counted_walk(flavor, root):
        roots.append(root)
        return walk(flavor, root)

    monkeypatch.setattr(tree, "walk", counted_walk)
    export_saved_model(model, tmp_path / "model")
    assert roots == [model]


def test_models_that_were_never_called(keras3, tmp_path):
    model = zoo.build("subclassed_unbuilt", keras3)
    with pytest.raises(ValueError, match="with `inputs`"):
        export_saved_model(model, tmp_path / "model")
    tf_rigl.sparsify(model, 0.8)
    export_saved_model(model, tmp_path / "model", inputs=(None, 20))
    inputs = support.batch()
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    support.assert_same(loaded.serve(inputs), support.infer(model, inputs))


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
    ],
)
def test_wrong_arguments(model, arguments, error, message, tmp_path):
    with pytest.raises(error, match=message):
        export_saved_model(model, tmp_path / "model", **arguments)
    assert not list(tmp_path.iterdir())


def test_no_models(tmp_path):
    with pytest.raises(TypeError, match="model"):
        export_saved_model("model", tmp_path / "model")


def test_metadata_and_report(keras3, tmp_path):
    model = support.sparse_model(keras3, "convolutions")
    path = tmp_path / "model"
    report = export_saved_model(model, path)
    content = json.loads((path / "assets.extra" / "weights.json").read_text())
    blob = (path / "assets" / "weights.bin").read_bytes()
    assert content["bytes"] == len(blob)
    masks = tf_rigl.masks(model)
    specs = {}
    for path_of_weight, *numbers in content["weights"]:
        others = numbers.pop() if isinstance(numbers[-1], dict) else {}
        fields = dict(zip(content["fields"][1:], numbers, strict=True))
        specs[path_of_weight] = {**fields, **others}
    assert set(masks) == {
        path for path, one in specs.items() if one.get("masked")
    }
    for row in report.rows:
        spec = specs[row.path]
        assert tuple(spec["shape"]) == row.shape
        assert spec["encoding"] == row.encoding
        assert spec["nonzeros"] == row.nonzeros
        assert spec["bytes"] == row.bytes
        assert len(spec["hash"]) == 12
        if row.path in masks:
            assert row.nonzeros == masks[row.path].sum()
    files = [file for file in path.rglob("*") if file.is_file()]
    assert report.folder_bytes == sum(file.stat().st_size for file in files)
    assert report.bytes == sum(one["bytes"] for one in specs.values())
    lines = str(report).splitlines()
    assert len(lines) == len(report.rows) + 5
    assert f"{report.folder_bytes:,} bytes in all" in lines[-1]


def test_memory_is_given_back(keras3, tmp_path):
    """Loaded and dropped again and again, nothing is left."""
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
