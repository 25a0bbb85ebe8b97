#!/usr/bin/env python3
"""Latency of plans of sparse networks, relative to dense runtimes.

Makes a network dense and at each sparsity, with random weights and all sparse
but the first convolution and depthwise kernels, and calls in turn: the dense
network in LiteRT (XNNPACK), in TensorFlow by a `tf.function` of this batch
size, and in ONNX Runtime if it and tf2onnx are installed; and the plan of each
sparse one, with all vector instructions of the machine ("v4" is AVX-512) and
with those of AVX2 alone ("v3"). Ratios are the time of dense LiteRT to that of
the contender within the same round: how many times as fast it is. The outputs
of plans must be those of their networks.

Recurrent networks loop over time steps in LiteRT; with their layers unrolled
they are another contender, which is faster for some batches.

Tables are of the time of a call and, as that of long calls suffers more on a
busy machine, of CPU time, which on one thread comes to the same on a quiet one.

Usage: python benchmarks/plan_latency.py [--network=NAME] [--sparsity=0.9]
    [--threads=2] [--batch_size=1]
"""

import functools
import importlib.util
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tf_rigl
from benchmarks import measure
from tf_rigl.core import text_table
from tf_rigl.export.litert import run
from tf_rigl.models import vision_transformer
from tf_rigl.native import library

# Vector instructions by the names of the levels of x86-64, for `cap_level`.
_LEVELS = {"v4": 2, "v3": 1}
_NAMES = {"v4": "avx512", "v3": "avx2"}
_REFERENCE = "LiteRT, dense"
_UNROLLED = "LiteRT, dense, unrolled"
_TOLERANCE = 1e-5  # of the largest output


def _mlp() -> Any:
    layers = [keras.layers.Dense(1024, activation="relu") for _ in range(4)]
    return keras.Sequential([keras.Input((1024,)), *layers])


def _gru() -> Any:
    """A GRU of 512 units over 64 steps, as in `networks`, and its readout."""
    return keras.Sequential(
        [
            keras.Input((64, 128)),
            keras.layers.GRU(512, return_sequences=True),
            keras.layers.Dense(256),
        ]
    )


def _application(name: str) -> Callable[[], Any]:
    return lambda: getattr(keras.applications, name)(
        weights=None, classifier_activation=None
    )


NETWORKS: dict[str, Callable[[], Any]] = {
    "mlp_1024": _mlp,
    "gru_512": _gru,
    "resnet50": _application("ResNet50"),
    "mobilenet": _application("MobileNet"),
    "vit_s_16": lambda: vision_transformer.vision_transformer(keras),
}


def define_flags() -> None:
    flags.DEFINE_enum("network", "mlp_1024", [*NETWORKS], "Network to run.")
    flags.DEFINE_multi_float("sparsity", [0.9, 0.95], "Sparsities of plans.")
    flags.DEFINE_enum(
        "distribution",
        "uniform",
        ["uniform", "erk"],
        "Of the sparsity over the layers; erk saves less time.",
    )
    flags.DEFINE_multi_integer("batch_size", [1, 32], "Examples of a call.")
    flags.DEFINE_integer("calls", 5, "Calls of a round.", lower_bound=1)
    flags.DEFINE_integer("threads", 1, "Threads of a call.", lower_bound=1)


def make_models() -> dict[str, Any]:
    """Makes the dense network, and a sparse one of each sparsity, by title."""
    build = NETWORKS[flags.FLAGS.network]
    models = {"dense": build()}
    for sparsity in flags.FLAGS.sparsity:
        with warnings.catch_warnings():
            # Of depthwise kernels, which stay dense.
            warnings.simplefilter("ignore", UserWarning)
            model = sparsify(build(), sparsity)
        models[f"{100 * sparsity:g}%"] = model
    return models


def sparsify(model: Any, sparsity: float) -> Any:
    """Masks all layers but a first convolution, which has three channels."""
    kind = keras.layers.Conv2D
    convolutions = [one for one in model.layers if isinstance(one, kind)]
    return tf_rigl.sparsify(
        model,
        sparsity,
        flags.FLAGS.distribution,
        dense=convolutions[:1],
    )


def start_litert(path: str, inputs: np.ndarray) -> Callable[[], Any]:
    """Returns a call of a LiteRT file on a batch."""
    interpreter = run.interpreter_class()(path, num_threads=flags.FLAGS.threads)
    (place,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(place["index"], inputs.shape)
    interpreter.allocate_tensors()
    (made,) = interpreter.get_output_details()

    def call() -> np.ndarray:
        interpreter.set_tensor(place["index"], inputs)
        interpreter.invoke()
        return interpreter.get_tensor(made["index"])

    return call


def start_tensorflow(model: Any, inputs: np.ndarray) -> Callable[[], Any]:
    """Returns a call of a model on a batch, traced for its size."""
    tensor = tf.constant(inputs)
    function = tf.function(
        lambda inputs: model(inputs, training=False)
    ).get_concrete_function(tf.TensorSpec(tensor.shape, tensor.dtype))
    return lambda: function(tensor).numpy()


def write_onnx(
    model: Any, folder: pathlib.Path, name: str = "dense"
) -> pathlib.Path | None:
    """Converts a model for ONNX Runtime; None if it is not installed."""
    packages = ("onnxruntime", "tf2onnx")
    if not all(map(importlib.util.find_spec, packages)):
        return None
    source, target = folder / name, folder / f"{name}.onnx"
    tf_rigl.export_saved_model(model, source, compression=None)
    subprocess.run(
        [
            *(sys.executable, "-m", "tf2onnx.convert"),
            *("--saved-model", source, "--output", target),
        ],
        check=True,
        capture_output=True,
    )
    return target


def start_onnx(
    path: pathlib.Path, inputs: np.ndarray
) -> Callable[[], Any] | None:
    """Returns a call of an ONNX file on a batch; None if it cannot be run.

    tf2onnx writes the GELU of transformers by a function that ONNX lacks.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = flags.FLAGS.threads
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except onnxruntime.capi.onnxruntime_pybind11_state.InvalidGraph as error:
        print(f"ONNX Runtime does not run it: {error}")
        return None
    (place,) = session.get_inputs()
    return lambda: session.run(None, {place.name: inputs})[0]


def start_plan(
    path: pathlib.Path, level: str, inputs: np.ndarray
) -> Callable[[], Any]:
    """Returns a call of a plan on a batch, by one level of instructions."""
    library.cap_level(_LEVELS[level])
    plan = tf_rigl.native.Plan(path, threads=flags.FLAGS.threads)

    def call() -> Any:
        library.cap_level(_LEVELS[level])
        return plan(inputs)

    return call


def usable_levels() -> list[str]:
    """Returns the levels that this machine has."""
    return [
        name
        for name, highest in _LEVELS.items()
        if library.cap_level(highest) == _NAMES[name]
    ]


def start_all(
    models: Mapping[str, Any], folder: pathlib.Path, inputs: np.ndarray
) -> dict[str, Callable[[], Any]]:
    """Returns the calls of all contenders, whose outputs have been compared.

    Raises:
        ValueError: if outputs of a plan differ from those of its network.
    """
    calls = {
        _REFERENCE: start_litert(str(folder / "dense.tflite"), inputs),
        "TensorFlow, dense": start_tensorflow(models["dense"], inputs),
    }
    unrolled = folder / "unrolled.tflite"
    if unrolled.exists():
        calls[_UNROLLED] = start_litert(str(unrolled), inputs)
    onnx = folder / "dense.onnx"
    if onnx.exists():
        call = start_onnx(onnx, inputs)
        if call is not None:
            calls["ONNX Runtime, dense"] = call
    for title, model in models.items():
        if title == "dense":
            continue
        expected = np.asarray(model(inputs, training=False))
        for level in usable_levels():
            name = f"plan, {title}, {level}"
            calls[name] = start_plan(folder / f"{title}.plan", level, inputs)
            error = np.abs(calls[name]() - expected).max()
            if error > _TOLERANCE * np.abs(expected).max():
                raise ValueError(f"Outputs of {name} are off by {error}.")
    return calls


def write_files(models: Mapping[str, Any], folder: pathlib.Path) -> None:
    """Writes the files of all contenders, but for those of `write_litert`."""
    for title, model in models.items():
        if title == "dense":
            write_onnx(model, folder)
        else:
            tf_rigl.export_plan(model, folder / f"{title}.plan")


def write_litert(model: Any, folder: pathlib.Path, batch_size: int) -> None:
    """Converts the dense model; loops need a batch size."""
    files = {"dense": model}
    if is_recurrent(model):
        files["unrolled"] = unrolled_copy(model)
    for name, one in files.items():
        tf_rigl.export_litert(
            one,
            folder / f"{name}.tflite",
            batch_size=batch_size,
            overwrite=True,
        )


def is_recurrent(model: Any) -> bool:
    return any(isinstance(one, keras.layers.RNN) for one in model.layers)


def unrolled_copy(model: Any) -> Any:
    """Returns a model whose recurrent layers are written out, without loops."""

    def clone(layer: Any) -> Any:
        config = layer.get_config()
        if isinstance(layer, keras.layers.RNN):
            config["unroll"] = True
        return type(layer).from_config(config)

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def time_calls(call: Callable[[], Any]) -> tuple[float, float]:
    """Returns the median time of a round's calls, and their mean CPU time."""
    call()
    taken = []
    calls = measure.chosen("calls")
    cpu = time.process_time()
    for _ in range(calls):
        taken.append(measure.seconds(call))
    return statistics.median(taken), (time.process_time() - cpu) / calls


def print_speed(title: str, measured: Mapping[str, Sequence[float]]) -> None:
    """Prints times, and how many times as fast as dense LiteRT they are."""
    rows = []
    for name, taken in measured.items():
        summary = measure.summarize(1e3 * one for one in taken)
        ratio = measure.ratios(measured[_REFERENCE], taken)
        rows.append([name, f"{summary:.3f}", f"{ratio:.2f}"])
    measure.print_table(
        title,
        ["", "median, ms (lowest to highest)", "times as fast"],
        rows,
    )


def main() -> dict[str, dict[str, list[float]]]:
    threads = flags.FLAGS.threads
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    models = make_models()
    print(f"LiteRT files are run by {run.runtime()}.")
    print(text_table.paragraph(f"Levels: {', '.join(usable_levels())}."))

    results = {}
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_files(models, folder)
        for size in measure.chosen("batch_size", [1]):
            write_litert(models["dense"], folder, size)
            shape = (size, *models["dense"].input_shape[1:])
            calls = start_all(models, folder, random.random(shape, np.float32))
            measured = measure.alternate(
                {
                    name: functools.partial(time_calls, call)
                    for name, call in calls.items()
                }
            )
            for part, title in enumerate(("Time", "CPU time")):
                title = f"{title}, batch {size}"
                results[title] = {
                    name: [one[part] for one in taken]
                    for name, taken in measured.items()
                }
                print_speed(title, results[title])
    return results


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=10)
