import keras
import numpy as np
import pytest

import tf_rigl
from tests import support
from tf_rigl import native
from tf_rigl.native import plan_file
from tf_rigl.native import plan_graph


@pytest.fixture(scope="package")
def folder(tmp_path_factory):
    """A small sparse network of Keras 3 in the formats that files have."""
    path = tmp_path_factory.mktemp("models")
    model = tf_rigl.sparsify(support.make_mlp(keras), 0.8)
    model.save(path / "model.keras")
    tf_rigl.export_saved_model(model, path / "packed")
    tf_rigl.export_litert(model, path / "model.tflite")
    if native.available():
        write_plan(model, path / "model.plan")
    content = (path / "model.tflite").read_bytes()
    (path / "broken.tflite").write_bytes(content[: len(content) // 2])
    return path


def write_plan(model, path):
    """Writes a network of dense layers as a plan."""
    layers = [layer for layer in model.layers if layer.weights]
    operations = [
        plan_graph.Operation(
            "dense",
            layer.name,
            (place,),
            place + 1,
            {"activation": layer.activation.__name__},
            {
                "kernel": np.asarray(layer.kernel),
                "bias": np.asarray(layer.bias),
            },
        )
        for place, layer in enumerate(layers)
    ]
    widths = [model.input_shape[-1], *(layer.units for layer in layers)]
    graph = plan_graph.Graph(
        tuple((width,) for width in widths),
        (0,),
        (len(layers),),
        tuple(operations),
    )
    plan_file.write(graph, path)
