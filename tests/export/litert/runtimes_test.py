"""LiteRT files in other runtimes, each of which is tested if installed."""

import importlib

import numpy as np
import pytest

import tf_rigl
from tests.export import support
from tests.support import in_turn
from tf_rigl.export.litert import format
from tf_rigl.export.litert import run as litert_run
from tf_rigl.export.litert.export import export_litert

QUANTIZATIONS = ("float32", "float16", "dynamic_int8", "full_int8")


def digits(keras):
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((10, 10, 4)),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Conv2D(64, 1, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(200, activation="relu", use_bias=False),
            layers.Dense(90, activation="relu", bias_initializer="normal"),
        ]
    )
    return tf_rigl.sparsify(model, 0.95, "uniform")


def batch(examples=3):
    random = np.random.default_rng(0)
    return random.normal(size=(examples, 10, 10, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def exported(request, tmp_path_factory):
    quantization, flavor = request.param
    keras = importlib.import_module(flavor)
    keras.utils.set_random_seed(1)
    model = digits(keras)
    path = tmp_path_factory.mktemp("exported") / "model.tflite"
    data = batch() if quantization == "full_int8" else None
    options = tf_rigl.LiteRTOptions(verification_data=batch())
    with support.expect_slow(quantization):
        report = export_litert(model, path, quantization, data, options=options)
    # All four sparse, or this would show little.
    assert [row.sparse for row in report.rows].count(True) == 4
    return path, np.asarray(model(batch())), report


def by_each(names):
    """Makes parameters that alternate the Keras; the other one is slow."""
    return pytest.mark.parametrize(
        "exported",
        [
            pytest.param(
                case.values,
                id="-".join(map(str, case.values)),
                marks=case.marks,
            )
            for case in in_turn(names)
        ],
        indirect=True,
        scope="module",
    )


def assert_close(outputs, exported):
    """Asserts that outputs differ from the model's as the report says."""
    _, expected, report = exported
    apart = np.abs(outputs - expected).max()
    assert apart <= 1.01 * report.error + 1e-5 * np.abs(expected).max()
    assert apart < 0.1 * np.abs(expected).max()


@by_each(QUANTIZATIONS)
def test_litert(exported):
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    path, expected, report = exported
    assert report.runtime.startswith("LiteRT ")
    assert f"(run by {report.runtime})" in str(report)
    interpreter = litert.Interpreter(str(path))
    (place,) = interpreter.get_input_details()
    (target,) = interpreter.get_output_details()

    for examples in (3, 1, 2):
        interpreter.resize_tensor_input(
            place["index"], (examples, *place["shape"][1:])
        )
        interpreter.allocate_tensors()
        interpreter.set_tensor(place["index"], batch()[:examples])
        interpreter.invoke()
        outputs = interpreter.get_tensor(target["index"])
        assert outputs.shape == (examples, 90)
        assert_close(outputs, (path, expected[:examples], report))


@by_each(QUANTIZATIONS)
def test_openvino(exported):
    openvino = pytest.importorskip("openvino")
    compiled = openvino.compile_model(
        str(exported[0]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    (outputs,) = compiled([batch()]).values()
    assert_close(outputs, exported)


@pytest.mark.parametrize("exported", [("full_int8", "tf_keras")], indirect=True)
def test_dense_layers_of_int8_are_convolutions(exported):
    path, _, report = exported
    shapes = {row.shape for row in report.rows if row.sparse}
    assert {(200, 1, 1, 64), (90, 1, 1, 200)} <= shapes
    model = format.read(path.read_bytes())
    (subgraph,) = model.subgraphs
    kinds = [format.kind_name(model, one) for one in subgraph.operators]
    assert kinds.count("CONV_2D") == 4
    assert "FULLY_CONNECTED" not in kinds


@by_each(QUANTIZATIONS)
def test_each_tensor_has_a_name_of_its_own(exported):
    """OpenVINO treats tensors with the same name as the same tensor."""
    (subgraph,) = format.read(exported[0].read_bytes()).subgraphs
    names = [format.name(one) for one in subgraph.tensors]
    assert len(names) == len(set(names))


def test_what_the_runtime_refuses_sparse_is_dense(
    keras3, tmp_path, monkeypatch
):
    run = litert_run.run

    def refuse_sparse(content, inputs):
        model = format.read(content)
        if any(tensor.sparsity for _, tensor in format.constants(model)):
            raise RuntimeError("failed to prepare")
        return run(content, inputs)

    monkeypatch.setattr(litert_run, "run", refuse_sparse)
    report = export_litert(digits(keras3), tmp_path / "model")
    assert not any(row.sparse for row in report.rows)
    assert report.file_bytes == report.dense_file_bytes
    assert "does not run it: failed to prepare" in str(report)


def orders(path):
    return [
        list(tensor.sparsity.traversalOrder)[: len(tensor.shape)]
        for _, tensor in format.constants(format.read(path.read_bytes()))
        if tensor.sparsity is not None
    ]


def test_the_smaller_order_on_request(keras3, tmp_path):
    layers = keras3.layers
    # Positions among 300 inputs take two bytes, among 64 units one.
    model = keras3.Sequential([layers.Input((300,)), layers.Dense(64)])
    tf_rigl.sparsify(model, 0.5)
    reports = []
    for row_major in (True, False):
        path = tmp_path / str(row_major)
        options = tf_rigl.LiteRTOptions(row_major=row_major)
        reports.append(export_litert(model, path, options=options))
        found = orders(path)
        assert len(found) == 1
        assert (found == [[0, 1]]) == row_major
    default = export_litert(model, tmp_path / "default")
    assert default.file_bytes == reports[0].file_bytes
    # A byte a connection less, and four for the beginning of each input.
    saved = 300 * 64 // 2 - 2 * (301 - 65)
    difference = reports[0].file_bytes - reports[1].file_bytes
    assert abs(difference - saved) < 32
    assert reports[1].error == reports[0].error
