#!/usr/bin/env python3
"""Load time and latency of sparse networks as SavedModels and LiteRT files.

Exports a sparse network (ERK, random weights) in each format of this library
and, without masks, by Keras, then loads and calls the artifacts in turn. Ratios
are to Keras's artifact, or to the LiteRT file with dense weights, within the
same round. Outputs of SavedModels must be the same; `export_litert` compares
those of its own files. LiteRT uses all cores.

Usage: python benchmarks/export_latency.py [--network=NAME] [--sparsity=0.9]
"""

import contextlib
import functools
import io
import os
import pathlib
import sys
import tempfile
from typing import Any

import numpy as np
import tensorflow as tf
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tf_rigl
from benchmarks import export_size
from benchmarks import measure
from tf_rigl.export.litert.export import export_litert
from tf_rigl.export.saved_model.export import export_saved_model

_REFERENCE = "dense, by Keras"
_LITERT = ("dense", "sparse")
EXPORTS: dict[str, str | None] = {
    "dense": None,
    "bit_mask": "bit_mask",
    "smallest": "smallest",
}


def define_flags() -> None:
    """Defines the flags of this program."""
    flags.DEFINE_enum(
        "network", "resnet50", [*export_size.NETWORKS], "Network to export."
    )
    flags.DEFINE_float("sparsity", 0.9, "Sparsity.")
    flags.DEFINE_multi_integer("batch_size", [1, 32], "Examples of a call.")
    flags.DEFINE_integer("calls", 5, "Calls of a round.", lower_bound=1)


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


def write_litert(model: Any, folder: pathlib.Path) -> dict[str, str]:
    """Writes LiteRT files with dense and with sparse weights."""
    paths = {name: str(folder / f"{name}.tflite") for name in _LITERT}
    for name, path in paths.items():
        options = tf_rigl.LiteRTOptions(sparse=name == "sparse")
        export_litert(model, path, options=options)
    return paths


def load_litert(path: str, size: int, shape: tuple[int, ...]) -> Any:
    """Makes an interpreter that is ready for batches of the given size."""
    interpreter = tf.lite.Interpreter(path, num_threads=os.cpu_count())
    (place,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(place["index"], (size, *shape))
    interpreter.allocate_tensors()
    return interpreter


def call_litert(interpreter: Any, inputs: np.ndarray) -> None:
    """Runs an interpreter once."""
    (place,) = interpreter.get_input_details()
    interpreter.set_tensor(place["index"], inputs)
    interpreter.invoke()


def measure_litert(
    model: Any, folder: pathlib.Path
) -> dict[str, dict[str, list[float]]]:
    """Measures load times and latencies of LiteRT files."""
    paths = write_litert(model, folder)
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
    return results


def check_same(loaded: dict[str, Any], inputs: tf.Tensor) -> None:
    """Raises a ValueError if artifacts compute different outputs."""
    expected = loaded[_REFERENCE].serve(inputs).numpy()
    for name, one in loaded.items():
        if not np.array_equal(one.serve(inputs).numpy(), expected):
            raise ValueError(f"The outputs of {name!r} differ from Keras's.")


def main() -> dict[str, dict[str, list[float]]]:
    model = export_size.NETWORKS[flags.FLAGS.network]()
    tf_rigl.sparsify(model, flags.FLAGS.sparsity)
    with tempfile.TemporaryDirectory() as folder:
        litert = measure_litert(model, pathlib.Path(folder))
        results = measure_saved_models(model, pathlib.Path(folder))

    results.update(litert)
    for title, measured in results.items():
        reference = _LITERT[0] if title in litert else _REFERENCE
        references = dict.fromkeys(measured, reference)
        measure.print_ratios(title, measured, references)
    return results


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=10)
