import keras
import numpy as np
import pytest

import tf_rigl
from tf_rigl.export.litert.run import Runner
from tf_rigl.export.litert.run import run


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3), name="pictures")
    features = keras.layers.Conv2D(16, 3, activation="relu")(inputs)
    features = keras.layers.GlobalAveragePooling2D()(features)
    outputs = keras.layers.Dense(5)(features)
    return tf_rigl.sparsify(keras.Model(inputs, outputs), 0.5, "uniform")


@pytest.mark.parametrize("quantization", ["float32", "dynamic_int8"])
def test_one_interpreter_for_batches_of_any_size(model, quantization, tmp_path):
    """The last batch of a data set is smaller, and larger ones may follow."""
    tf_rigl.export_litert(model, tmp_path / "model.tflite", quantization)
    content = (tmp_path / "model.tflite").read_bytes()
    runner = Runner(content)
    assert runner.inputs == ["pictures"]
    random = np.random.default_rng(0)
    for size in (1, 4, 3, 4, 9):
        pictures = random.normal(size=(size, 8, 8, 3)).astype(np.float32)
        (output,) = runner({"pictures": pictures}).values()
        (alone,) = run(content, {"pictures": pictures}).values()
        np.testing.assert_array_equal(output, alone)
        assert output.shape == (size, 5)


def test_no_file_of_litert():
    with pytest.raises(ValueError, match="not a valid Flatbuffer"):
        Runner(b"nothing of the kind")
