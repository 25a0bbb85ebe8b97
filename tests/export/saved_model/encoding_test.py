import json

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
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


@pytest.mark.parametrize(
    "compression", ["bit_mask", "gaps", "dense", None], ids=str
)
def test_compressions(model, compression, tmp_path):
    inputs = support.batch()
    _, report = support.exported_alike(model, tmp_path, inputs, compression)
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
    _, report = support.exported_alike(model, tmp_path, inputs, compression)
    row = report.rows[0]
    assert row.encoding == compression
    # Less than a bit for each element.
    assert row.bytes < 4 * row.nonzeros + 0.9 * row.elements / 8


def test_the_default_is_never_larger(model, tmp_path):
    """In small models, the graph ops may take more than they save."""
    sizes = {
        compression: export_saved_model(
            model, tmp_path / compression, compression
        ).folder_bytes
        for compression in ("smallest", "gaps", "bit_mask", "dense")
    }
    # Names of functions hold numbers, which grow from export to export.
    assert sizes.pop("smallest") <= min(sizes.values()) + 30


def fitting_mask(name, seed):
    if name == "n_by_m":
        return packing.n_by_m_mask((64, 32), 2, 4, seed)
    if name == "block_mask":
        return packing.block_mask((64, 32), 4, 4, 0.3, seed)
    density = 1 if name == "dense" else 0.1
    return np.random.default_rng(seed).random((64, 32)) < density


@pytest.mark.parametrize("name", ENCODINGS)
def test_what_graph_ops_take(name):
    """The estimates by which encodings are chosen are not far off."""
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


def test_special_values_survive(keras3, tmp_path):
    """-0.0, NaNs with payloads and active zeros are exact."""
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


@pytest.mark.parametrize(
    ("values", "bits", "error"),
    [("float16", 16, 2**-11), ("bfloat16", 16, 2**-8), ("int8", 8, 1 / 254)],
)
def test_values_of_fewer_bits(keras3, values, bits, error, tmp_path):
    # One with all kinds of channels, and one that is quickly traced.
    name = "convolutions" if values == "int8" else "sequential"
    model = support.sparse_model(keras3, name)
    loaded, report = support.exported(model, tmp_path, values=values)
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
    outputs = loaded.serve(inputs)
    np.testing.assert_allclose(outputs, expected, rtol=60 * error)
    assert not np.array_equal(outputs, expected)


def test_bfloat16_models_are_exact(keras3, tmp_path):
    """Values that have no more bits than the format are stored exactly."""
    inputs = keras3.Input((20,), dtype="bfloat16")
    hidden = keras3.layers.Dense(640, dtype="bfloat16")(inputs)
    model = keras3.Model(inputs, hidden)
    tf_rigl.sparsify(model, 0.8)
    batch = tf.cast(support.batch(), tf.bfloat16)
    _, report = support.exported_alike(model, tmp_path, batch, values="float16")
    assert {row.values for row in report.rows} == {"bfloat16"}
    assert report.error == 0


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
    assert max(map(len, lines[:-2])) <= 80
    # Names that are folded continue without an encoding.
    encodings = [row.encoding for row in report.rows]
    assert sum(any(one in line for one in encodings) for line in lines) >= len(
        report.rows
    )
    assert f"{report.folder_bytes:,} bytes in all" in lines[-2]
