#!/usr/bin/env python3
"""Load time and latency of sparse networks as SavedModels and LiteRT files.

Exports a sparse network (ERK, random weights) in each format of this library
and, without masks, by Keras, then loads and calls the artifacts in turn. Ratios
are to Keras's artifact, or to the LiteRT file of the same quantization with
dense weights, within the same round. Outputs of SavedModels must be the same;
`export_litert` compares those of its own files. LiteRT, that of
`ai-edge-litert` where it is installed, uses all cores or `--threads`.

Networks of one kind of layer are measured in LiteRT only.

Usage: python benchmarks/export_latency.py [--network=NAME] [--sparsity=0.9]
    [--quantization=float32 --quantization=dynamic_int8]
"""

import contextlib
import functools
import io
import os
import pathlib
import sys
import tempfile
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import flags
from keras import layers

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tf_rigl
from benchmarks import export_size
from benchmarks import measure
from tf_rigl.export.litert import convert
from tf_rigl.export.litert import run
from tf_rigl.export.litert.export import export_litert
from tf_rigl.export.saved_model.export import export_saved_model

_REFERENCE = "dense, by Keras"
EXPORTS: dict[str, str | None] = {
    "dense": None,
    "bit_mask": "bit_mask",
    "smallest": "smallest",
}


def _stack(
    shape: tuple[int, ...], make: Callable[[], Any], number: int
) -> Callable[[], Any]:
    return lambda: keras.Sequential(
        [keras.Input(shape), *(make() for _ in range(number))]
    )


def _convolution(filters: int, size: int, cls: Any = layers.Conv2D) -> Any:
    return lambda: cls(filters, size, padding="same", activation="relu")


LAYERS = {
    "dense_1024": _stack(
        (1024,), lambda: layers.Dense(1024, activation="relu"), 3
    ),
    "conv_3x3_64": _stack((28, 28, 64), _convolution(64, 3), 3),
    "conv_3x3_256": _stack((14, 14, 256), _convolution(256, 3), 2),
    "conv_1x1_256": _stack((14, 14, 256), _convolution(256, 1), 3),
    "transposed_3x3_64": _stack(
        (14, 14, 64), _convolution(64, 3, layers.Conv2DTranspose), 2
    ),
    "depthwise_5x5_256": _stack(
        (28, 28, 256),
        lambda: layers.DepthwiseConv2D(5, padding="same", activation="relu"),
        2,
    ),
    "gru_256": _stack((16, 64), lambda: layers.GRU(256, unroll=True), 1),
}
NETWORKS = {**export_size.NETWORKS, **LAYERS}


def define_flags() -> None:
    flags.DEFINE_enum("network", "resnet50", [*NETWORKS], "Network to export.")
    flags.DEFINE_multi_enum(
        "quantization",
        ["float32"],
        convert.QUANTIZATIONS,
        "Quantizations of LiteRT files.",
    )
    flags.DEFINE_float("sparsity", 0.9, "Sparsity.")
    define_calls()


def define_calls() -> None:
    """Defines what is called, how often, and on how many threads."""
    flags.DEFINE_multi_integer("batch_size", [1, 32], "Examples of a call.")
    flags.DEFINE_integer("calls", 5, "Calls of a round.", lower_bound=1)
    flags.DEFINE_integer("threads", os.cpu_count(), "Threads of LiteRT.")


def write_artifacts(model: Any, folder: pathlib.Path) -> dict[str, str]:
    """Writes the model in each format and strips it; returns the paths."""
    paths = {name: str(folder / name) for name in (_REFERENCE, *EXPORTS)}
    for name, compression in EXPORTS.items():
        export_saved_model(model, paths[name], compression)
    # Masks would make Keras's artifact larger and slower.
    tf_rigl.strip(model)
    # Keras announces every export at length on standard output.
    with contextlib.redirect_stdout(io.StringIO()):
        model.export(paths[_REFERENCE])
    return paths


def measure_saved_models(
    model: Any, folder: pathlib.Path
) -> dict[str, dict[str, list[float]]]:
    """Measures load times and latencies of SavedModels; strips the model."""
    load = {
        name: functools.partial(tf.saved_model.load, path)
        for name, path in write_artifacts(model, folder).items()
    }
    loaded = {name: one() for name, one in load.items()}
    results = {"Load": measure.alternate_timed(load)}

    for size in measure.chosen("batch_size", [1]):
        shape = (size, *model.input_shape[1:])
        inputs = tf.random.stateless_uniform(shape, [1, 2])
        check_same(loaded, inputs)
        calls = {
            name: functools.partial(one.serve, inputs)
            for name, one in loaded.items()
        }
        results[f"Call, batch {size}"] = measure.alternate_timed(
            calls, measure.chosen("calls")
        )
    return results


def write_litert(
    model: Any, folder: pathlib.Path
) -> tuple[dict[str, str], dict[str, str]]:
    """Writes LiteRT files with dense and with sparse weights.

    Returns:
        The paths, and for each file that which it is compared with.
    """
    random = np.random.default_rng(0)
    examples = random.normal(size=(8, *model.input_shape[1:]))
    paths, references = {}, {}
    for quantization in flags.FLAGS.quantization:
        data = examples if quantization == "full_int8" else None
        for kind in ("dense", "sparse"):
            name = f"{quantization}, {kind}"
            paths[name] = str(folder / f"{quantization}_{kind}.tflite")
            references[name] = f"{quantization}, dense"
            options = tf_rigl.LiteRTOptions(sparse=kind == "sparse")
            with warnings.catch_warnings():
                # That it is slower is what is measured here.
                warnings.simplefilter("ignore", UserWarning)
                export_litert(
                    model, paths[name], quantization, data, options=options
                )
    return paths, references


def load_litert(path: str, size: int, shape: tuple[int, ...]) -> Any:
    """Makes an interpreter that is ready for batches of the given size."""
    threads = flags.FLAGS.threads
    interpreter = run.interpreter_class()(path, num_threads=threads)
    (place,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(place["index"], (size, *shape))
    interpreter.allocate_tensors()
    return interpreter


def call_litert(interpreter: Any, inputs: np.ndarray) -> None:
    (place,) = interpreter.get_input_details()
    interpreter.set_tensor(place["index"], inputs)
    interpreter.invoke()


def measure_litert(
    model: Any, folder: pathlib.Path
) -> tuple[dict[str, dict[str, list[float]]], dict[str, str]]:
    """Measures load times and latencies of LiteRT files.

    Returns:
        The seconds of each file by title, and for each file that which it is
        compared with.
    """
    paths, references = write_litert(model, folder)
    shape = model.input_shape[1:]
    results = {}
    for size in measure.chosen("batch_size", [1]):
        load = {
            name: functools.partial(load_litert, path, size, shape)
            for name, path in paths.items()
        }
        if size == 1:
            results["LiteRT, load"] = measure.alternate_timed(load)

        inputs = np.random.default_rng(0).random((size, *shape), np.float32)
        calls = {
            name: functools.partial(call_litert, one(), inputs)
            for name, one in load.items()
        }
        results[f"LiteRT, call, batch {size}"] = measure.alternate_timed(
            calls, measure.chosen("calls")
        )
    return results, references


def check_same(loaded: dict[str, Any], inputs: tf.Tensor) -> None:
    """Raises a ValueError if artifacts compute different outputs."""
    expected = loaded[_REFERENCE].serve(inputs).numpy()
    for name, one in loaded.items():
        if not np.array_equal(one.serve(inputs).numpy(), expected):
            raise ValueError(f"The outputs of {name!r} differ from Keras's.")


def main() -> dict[str, dict[str, list[float]]]:
    network = flags.FLAGS.network
    model = NETWORKS[network]()
    # Depthwise kernels are masked on request only.
    include = model.layers if network.startswith("depthwise") else []
    options = tf_rigl.SparsifyOptions(include=include)
    tf_rigl.sparsify(model, flags.FLAGS.sparsity, options=options)

    saved_models = {}
    with tempfile.TemporaryDirectory() as folder:
        print(f"LiteRT files are run by {run.runtime()}.")
        litert, references = measure_litert(model, pathlib.Path(folder))
        if network not in LAYERS:
            saved_models = measure_saved_models(model, pathlib.Path(folder))

    for title, measured in saved_models.items():
        measure.print_ratios(
            title, measured, dict.fromkeys(measured, _REFERENCE)
        )
    for title, measured in litert.items():
        measure.print_ratios(title, measured, references)
    return {**saved_models, **litert}


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=10)
