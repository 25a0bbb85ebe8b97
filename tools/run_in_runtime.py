#!/usr/bin/env python3
"""Runs one exported file in one runtime; `tools/runtimes.py` calls it.

In an environment that has that runtime and nothing of this project. Prints a
line of JSON: how far the outputs are from the expected ones as a share of the
largest, None if they cannot be computed in Python, or what the runtime says.

Usage: python tools/run_in_runtime.py LOADER PATH INPUTS.npy EXPECTED.npy
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np


def saved_model(path: str, inputs: np.ndarray) -> Any:
    """Loads a SavedModel as TensorFlow 2 does."""
    import tensorflow as tf

    # Bound to a name: its functions don't keep its variables alive.
    loaded = tf.saved_model.load(path)
    return loaded.serve(tf.constant(inputs))


def version_1(path: str, inputs: np.ndarray) -> Any:
    """Loads a SavedModel into a session, as TensorFlow 1 did."""
    import tensorflow as tf

    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], path)
        signature = loaded.signature_def["serving_default"]
        (tensor,) = signature.inputs.values()
        (output,) = signature.outputs.values()
        return session.run(output.name, {tensor.name: inputs})


def layer(path: str, inputs: np.ndarray) -> Any:
    """Loads a SavedModel as a layer of Keras 3."""
    import keras

    return keras.layers.TFSMLayer(path, call_endpoint="serve")(inputs)


def tensorflow_lite(path: str, inputs: np.ndarray) -> Any:
    """Runs a LiteRT file in TensorFlow's interpreter."""
    import tensorflow as tf

    return _interpret(tf.lite.Interpreter(path), inputs)


def litert(path: str, inputs: np.ndarray) -> Any:
    """Runs a LiteRT file in LiteRT's interpreter."""
    from ai_edge_litert import interpreter

    return _interpret(interpreter.Interpreter(path), inputs)


def openvino(path: str, inputs: np.ndarray) -> Any:
    """Runs either in OpenVINO."""
    import openvino as ov

    # Else it may compute in bfloat16, where the processor can.
    precision = {"INFERENCE_PRECISION_HINT": "f32"}
    (outputs,) = ov.compile_model(path, "CPU", precision)([inputs]).values()
    return outputs


def onnx_runtime(path: str, inputs: np.ndarray) -> Any:
    """Converts either by tf2onnx and runs it in ONNX Runtime."""
    import onnxruntime

    is_folder = pathlib.Path(path).is_dir()
    with tempfile.TemporaryDirectory() as folder:
        target = f"{folder}/model.onnx"
        _convert(
            "-m",
            "tf2onnx.convert",
            "--saved-model" if is_folder else "--tflite",
            path,
            "--output",
            target,
        )
        session = onnxruntime.InferenceSession(
            target, providers=["CPUExecutionProvider"]
        )
    (place,) = session.get_inputs()
    return session.run(None, {place.name: inputs})[0]


def tensorflow_js(path: str, inputs: np.ndarray) -> Any:
    """Converts a SavedModel for TensorFlow.js, which Python cannot run."""
    del inputs
    with tempfile.TemporaryDirectory() as folder:
        _convert(
            "-m",
            "tensorflowjs.converters.converter",
            "--input_format=tf_saved_model",
            path,
            folder,
        )
        if not (pathlib.Path(folder) / "model.json").exists():
            raise RuntimeError("the converter wrote no model.json")


LOADERS = (
    saved_model,
    version_1,
    layer,
    tensorflow_lite,
    litert,
    openvino,
    onnx_runtime,
    tensorflow_js,
)


def _interpret(interpreter: Any, inputs: np.ndarray) -> Any:
    (place,) = interpreter.get_input_details()
    (target,) = interpreter.get_output_details()
    interpreter.resize_tensor_input(place["index"], inputs.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(place["index"], inputs)
    interpreter.invoke()
    return interpreter.get_tensor(target["index"])


def _convert(*arguments: str) -> None:
    """Runs a converter in a process of its own."""
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)


def _reason(error: Exception) -> str:
    """Returns what an error says, in one line without paths."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Of a converter's trace, the last line; of an error, what says most.
    said = lines[-1] if "Traceback" in str(error) else " ".join(lines)
    # OpenVINO says where in its sources, level by level.
    said = re.sub(r"Exception from \S+:\d+:\s*", "", said)
    said = re.sub(r"Check '.*?' failed at \S+:\d+:\s*", "", said)
    said = re.sub(r"(/[\w.+-]+){2,}", "…", said)
    return said[:200].strip()


def main(loader: str, path: str, inputs: str, expected: str) -> None:
    """Prints the result of one file."""
    load = {one.__name__: one for one in LOADERS}[loader]
    try:
        outputs = load(path, np.load(inputs))
    # Any kind: what it says is the result.
    except Exception as error:
        print(json.dumps({"error": _reason(error)}))
        return

    difference = None
    if outputs is not None:
        wanted = np.load(expected)
        apart = np.abs(np.asarray(outputs, np.float64) - wanted).max()
        difference = float(apart / np.abs(wanted).max())
    print(json.dumps({"difference": difference}))


if __name__ == "__main__":
    main(*sys.argv[1:])
