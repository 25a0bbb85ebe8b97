import keras
import pytest

import tf_rigl
from tests import support
from tf_rigl import native


@pytest.fixture(scope="package")
def folder(tmp_path_factory):
    """A small sparse network of Keras 3 in the formats that files have."""
    path = tmp_path_factory.mktemp("models")
    model = tf_rigl.sparsify(support.make_mlp(keras), 0.8)
    model.save(path / "model.keras")
    tf_rigl.export_saved_model(model, path / "packed")
    tf_rigl.export_litert(model, path / "model.tflite")
    if native.available():
        tf_rigl.export_plan(model, path / "model.plan")
    content = (path / "model.tflite").read_bytes()
    (path / "broken.tflite").write_bytes(content[: len(content) // 2])
    return path
