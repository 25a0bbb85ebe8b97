"""Files that store a seed and masks, and no values of masked weights."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support as training
from tests import zoo
from tests.export import support
from tf_rigl.core.packing import CorruptDataError
from tf_rigl.core.packing import seeded
from tf_rigl.experiments import exporting
from tf_rigl.experiments import inspection
from tf_rigl.experiments.export_settings import ExportSettings
from tf_rigl.export.saved_model import packed_file
from tf_rigl.export.saved_model.export import export_saved_model
from tf_rigl.export.saved_model.restore import load_packed_weights
from tf_rigl.masking.masked_weight import masked_weights

# Graphs as users' programs rewrite them.
pytestmark = pytest.mark.usefixtures("grappler")

HOWS = ["signed_kaiming", "kaiming_normal", "glorot_normal"]


def drawn_model(keras, name="sequential", how="kaiming_normal", density=0.5):
    """A dense model with drawn values, and then with random masks."""
    model = tf_rigl.sparsify(zoo.build(name, keras), 0.0, start="dense")
    support.randomize(model)
    tf_rigl.reinitialize(model, how, seed=5)
    random = np.random.default_rng(0)
    masks = {
        path: random.random(mask.shape) < density
        for path, mask in tf_rigl.masks(model).items()
    }
    return tf_rigl.set_masks(model, masks)


def rescale(model):
    """Multiplies values as a supermask does: by elements / connections."""
    for weight in masked_weights(model):
        factor = np.float32(weight.size / weight.num_active())
        assert factor != 1
        weight.set_values(weight.values().numpy() * factor)


@training.keras_in_turn("how", HOWS)
def test_the_outputs_are_the_models(keras, how, tmp_path):
    """Of convolutions, transposed and separable ones, with biases."""
    model = drawn_model(keras, "convolutions", how)
    masks = tf_rigl.masks(model)
    inputs = support.batch("convolutions")
    for number, change in enumerate((None, rescale)):
        if change is not None:
            change(model)
        folder = tmp_path / str(number)
        _, report = support.exported_alike(model, folder, inputs, values="seed")
        assert report.error == 0

        for row in report.rows:
            if row.path in masks:
                assert row.values == "seed"
                bits = seeded.BYTES + -(-row.elements // 8)
                assert row.bytes <= bits
            else:
                assert row.values == "float32"
                assert row.bytes == row.dense_bytes


@pytest.mark.parametrize("keras", ["keras", "tf_keras"], indirect=True)
def test_lenet_in_a_bit_a_weight(keras, tmp_path):
    layers = [keras.Input((784,))]
    layers += [
        keras.layers.Dense(units, use_bias=False) for units in (300, 100, 10)
    ]
    model = tf_rigl.sparsify(keras.Sequential(layers), 0.0, start="dense")
    sizes = {}
    for density in (0.5, 0.1):
        random = np.random.default_rng(0)
        masks = {
            path: random.random(mask.shape) < density
            for path, mask in tf_rigl.masks(model).items()
        }
        tf_rigl.set_masks(model, masks)
        tf_rigl.reinitialize(model, "signed_kaiming", seed=1)
        report = export_saved_model(
            model, tmp_path / str(density), values="seed"
        )
        sizes[density] = report.bytes
        blob = tmp_path / str(density) / "assets" / "weights.bin"
        assert blob.stat().st_size == report.bytes
        # The graph, mostly.
        assert report.folder_bytes - report.bytes < 25_000
    # 266,200 weights: their bits, or at most 3 % more than their entropy.
    assert report.dense_bytes == 1_064_800
    headers = 3 * seeded.BYTES
    assert sizes[0.5] <= 1.02 * (266_200 / 8 + headers)
    assert sizes[0.1] <= 1.03 * (266_200 * 0.469 / 8 + headers)
    # As `docs/export.md` has it.
    assert sizes == {0.5: 33_467, 0.1: 16_142}


def test_dense_weights_with_a_mask(keras3, tmp_path):
    """A weight that stays dense is but a seed."""
    model = zoo.build("sequential", keras3)
    tf_rigl.sparsify(model, 0.5, dense=[model.layers[-1]])
    tf_rigl.reinitialize(model, "glorot_normal")
    _, report = support.exported_alike(
        model, tmp_path, support.batch(), values="seed"
    )
    (row,) = [
        row
        for row in report.rows
        if row.encoding == "dense" and row.values == "seed"
    ]
    assert row.elements == row.nonzeros
    assert row.bytes == seeded.BYTES


@training.keras_in_turn("how", HOWS)
def test_saved_models_remember_the_seed(keras, how, tmp_path):
    model = drawn_model(keras, "nested", how)
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.models.load_model(path)
    dice = [weight.dice for weight in masked_weights(model)]
    assert [weight.dice for weight in masked_weights(loaded)] == dice
    assert None not in dice

    inputs = support.batch("nested")
    _, report = support.exported_alike(loaded, tmp_path, inputs, values="seed")
    assert sum(row.values == "seed" for row in report.rows) == len(dice)


def test_weights_come_back_with_their_seed(keras, tmp_path):
    """Into a plain model and a sparse one, which can be exported again."""
    model = drawn_model(keras)
    rescale(model)
    first = export_saved_model(model, tmp_path / "model", values="seed")
    inputs = support.batch()
    expected = support.infer(model, inputs)

    sparse = tf_rigl.sparsify(zoo.build("sequential", keras), 0.5, seed=9)
    for number, other in enumerate((zoo.build("sequential", keras), sparse)):
        load_packed_weights(other, tmp_path / "model")
        training.assert_same_masks(tf_rigl.masks(other), tf_rigl.masks(model))
        support.assert_same(support.infer(other, inputs), expected)
        again = export_saved_model(other, tmp_path / str(number), values="seed")
        assert again.bytes == first.bytes

    # Values that are stored say nothing of a seed.
    export_saved_model(model, tmp_path / "model", overwrite=True)
    load_packed_weights(sparse, tmp_path / "model")
    with pytest.raises(ValueError, match="of which no seed is known"):
        export_saved_model(sparse, tmp_path / "again", values="seed")


def test_tools_read_the_file(keras3, tmp_path):
    model = drawn_model(keras3, density=0.1)
    path = tmp_path / "model"
    exported = exporting.export(model, path, ExportSettings(values="seed"))
    assert exported.verdict == "matches"
    assert exported.difference.relative == 0
    weights = {one.path: one for one in inspection.read_stored_weights(path)}
    for weight in masked_weights(model):
        one = weights[weight.path]
        np.testing.assert_array_equal(one.array, weight.values())
        np.testing.assert_array_equal(one.kept, weight.mask)
        assert one.encoding.endswith(", seed")
    assert "seed" in str(inspection.inspect_file(path))


def test_another_seed_is_refused(keras3, tmp_path):
    """By TensorFlow itself and by this library, before anything is drawn."""
    model = drawn_model(keras3)
    path = tmp_path / "model"
    export_saved_model(model, path, values="seed")
    weights = packed_file.read_weights(path)
    (one, *_) = [one for one in weights if one.spec.values == "seed"]
    blob = path / "assets" / "weights.bin"
    data = bytearray(blob.read_bytes())
    data[one.spec.offset + one.spec.mask_bytes] ^= 1
    blob.write_bytes(data)

    with pytest.raises(tf.errors.InvalidArgumentError, match="is damaged"):
        support.load(tmp_path)
    with pytest.raises(CorruptDataError, match="hash"):
        load_packed_weights(model, path)


def test_older_releases_are_told(keras3, tmp_path):
    """A file with a seed has a format of its own, others keep theirs."""
    model = drawn_model(keras3)
    for values, number in (("float32", 1), ("seed", 2)):
        path = tmp_path / values
        export_saved_model(model, path, values=values)
        text = (path / "assets.extra" / "weights.json").read_text()
        assert text.startswith(f'{{"format": "tf_rigl weights {number}"')
        assert ('"tf_rigl": "0.2.0"' in text) is (number == 2)


def expect_refusal(model, folder, message, **arguments):
    with pytest.raises(ValueError, match=message) as error:
        export_saved_model(model, folder / "model", values="seed", **arguments)
    assert not list(folder.iterdir())
    return str(error.value)


def test_values_that_no_seed_determines(keras, tmp_path):
    model = tf_rigl.sparsify(zoo.build("sequential", keras), 0.5)
    text = expect_refusal(
        model, tmp_path, "Received: 'dense/kernel', of which no seed"
    )
    assert "`tf_rigl.reinitialize(model, 'signed_kaiming', seed=0)`" in text
    # Signs are of the values before, and Keras's draws are its own.
    options = tf_rigl.SparsifyOptions(keep_initial_values=True)
    model = tf_rigl.sparsify(
        zoo.build("sequential", keras), 0.5, options=options
    )
    for arguments in (
        {"how": "signed_kaiming", "keep_sign": True},
        {"how": "constant"},
        {"how": "reinit"},
    ):
        tf_rigl.reinitialize(model, "signed_kaiming")
        tf_rigl.reinitialize(model, **arguments)
        expect_refusal(model, tmp_path, "of which no seed is known")


def test_values_that_were_trained(keras, tmp_path):
    model = training.make_mlp(keras)
    tf_rigl.sparsify(model, 0.5)
    tf_rigl.reinitialize(model, "kaiming_normal")
    training.train(keras, model, tf_rigl.Static(), epochs=1, samples=32)
    text = expect_refusal(model, tmp_path, "active values have changed")
    assert "Received: 'dense/kernel', of which" in text
    assert "Or pass values='float32'." in text


@pytest.mark.parametrize("how", HOWS)
def test_one_value_that_was_set(keras3, how, tmp_path):
    """Down to the last bit, and a connection that has grown from zero."""
    model = drawn_model(keras3, how=how)
    rescale(model)
    weight = masked_weights(model)[-1]
    values = weight.values().numpy()
    kept = tuple(np.argwhere(weight.mask.numpy())[3])
    for value in (np.nextafter(values[kept], np.float32(9)), 0, np.nan):
        changed = values.copy()
        changed[kept] = value
        weight.set_values(changed)
        expect_refusal(
            model, tmp_path, rf"'{weight.path}', of which 1 of \d+ active"
        )


def test_models_and_options_that_do_not_fit(keras3, tmp_path):
    model = drawn_model(keras3)
    expect_refusal(
        model, tmp_path, "Pass compression='smallest'", compression=None
    )
    expect_refusal(
        model, tmp_path, "Pass compression='smallest'", compression="dense"
    )
    expect_refusal(tf_rigl.strip(model), tmp_path, "which has no masks")


def test_damaged_files(keras3, tmp_path):
    """An error or the values that were written."""
    model = drawn_model(keras3)
    path = tmp_path / "model"
    export_saved_model(model, path, values="seed")
    expected = {
        one.spec.path: one.array() for one in packed_file.read_weights(path)
    }
    random = np.random.default_rng(0)
    shutil.copytree(path, tmp_path / "copy")
    blob = tmp_path / "copy" / "assets" / "weights.bin"
    original = blob.read_bytes()
    for _ in range(30):
        place = random.integers(len(original))
        data = bytearray(original)
        data[place] ^= 1 << int(random.integers(8))
        blob.write_bytes(data)
        try:
            found = packed_file.read_weights(tmp_path / "copy")
        except CorruptDataError:
            continue
        # Padding between weights means nothing.
        for one in found:
            np.testing.assert_array_equal(one.array(), expected[one.spec.path])


TRAINED = {
    "edge_popup": tf_rigl.EdgePopup(),
    "supermask": tf_rigl.Supermask(rescale=True),
}


@training.keras_in_turn("name", TRAINED)
def test_masks_that_were_trained(keras, name, tmp_path):
    model = tf_rigl.sparsify(zoo.build("nested", keras), 0.5, start="dense")
    tf_rigl.reinitialize(model, "signed_kaiming", seed=1)
    training.train(
        keras,
        model,
        TRAINED[name],
        1,
        optimizer=keras.optimizers.SGD(10.0),
        shape=zoo.INPUT_SHAPES["nested"],
    )
    if name == "supermask":
        tf_rigl.threshold_masks(model)

    inputs = support.batch("nested")
    _, report = support.exported_alike(
        model, tmp_path / "model", inputs, values="seed"
    )
    assert any(row.values == "seed" for row in report.rows)
    assert report.error == 0
