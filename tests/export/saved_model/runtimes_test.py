"""Artifacts in other runtimes, each of which is tested if installed."""

import numpy as np
import pytest

from tests.export import support
from tf_rigl.export.saved_model.export import export_saved_model

# Of batch normalization, convolutions and dense layers.
NETWORK = "convolutions"


@pytest.fixture
def convolutions(keras3):
    return support.sparse_model(keras3, NETWORK)


@pytest.mark.parametrize(
    "compression",
    ["smallest", pytest.param(None, marks=pytest.mark.slow)],
)
def test_onnx_runtime(convolutions, compression, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    from tf2onnx import convert
    from tf2onnx import tf_loader

    path = tmp_path / "model"
    export_saved_model(convolutions, path, compression)
    graph, inputs, outputs = tf_loader.from_saved_model(str(path), None, None)
    model, _ = convert.from_graph_def(
        graph, input_names=inputs, output_names=outputs
    )

    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (place,) = session.get_inputs()
    batch = support.batch(NETWORK)
    (found,) = session.run(None, {place.name: batch.numpy()})
    np.testing.assert_allclose(
        found, support.infer(convolutions, batch), rtol=1e-4
    )


def test_openvino_reads_what_is_not_packed(convolutions, tmp_path):
    openvino = pytest.importorskip("openvino")
    report = export_saved_model(convolutions, tmp_path / "model", None)
    assert "OpenVINO" not in str(report)
    compiled = openvino.compile_model(
        str(tmp_path / "model"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    batch = support.batch(NETWORK)
    (found,) = compiled([batch.numpy()]).values()
    np.testing.assert_allclose(
        found, support.infer(convolutions, batch), rtol=1e-4
    )

    report = export_saved_model(
        convolutions, tmp_path / "model", overwrite=True
    )
    assert "not for OpenVINO" in str(report).splitlines()[-1]
    with pytest.raises(RuntimeError, match="VarHandleOp"):
        openvino.compile_model(str(tmp_path / "model"), "CPU")
