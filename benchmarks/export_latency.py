#!/usr/bin/env python3
"""Load time and latency of sparse networks as SavedModels.

Writes a sparse network (ERK, random weights) as Keras does and in each of our
ways, then loads and calls the artefacts in turn, round after round. Ratios
are to Keras's artefact within the same round. Outputs must be the same.

Usage: python benchmarks/export_latency.py [--network=NAME] [--sparsity=0.9]
"""

import contextlib
import functools
import io
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from absl import app
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tf_rigl
from benchmarks import export_size
from benchmarks import measure
from tf_rigl.export.saved_model import export_saved_model

_REFERENCE = "dense, by Keras"
EXPORTS: dict[str, str | None] = {
    "dense": None,
    "bit_mask": "bit_mask",
    "smallest": "smallest",
}


def define_flags() -> None:
    """Defines the flags of this program."""
    measure.define_flags(rounds=10)
    flags.DEFINE_enum(
        "network", "resnet50", [*export_size.NETWORKS], "What to export."
    )
    flags.DEFINE_float("sparsity", 0.9, "How sparse it is.")
    flags.DEFINE_multi_integer("batch_size", [1, 32], "Examples of a call.")
    flags.DEFINE_integer("calls", 5, "Calls of a round.", lower_bound=1)


def write_artefacts(model: Any, folder: pathlib.Path) -> dict[str, str]:
    """Writes the model in each way; returns the paths."""
    paths = {name: str(folder / name) for name in (_REFERENCE, *EXPORTS)}
    # Keras announces every export at length on standard output.
    with contextlib.redirect_stdout(io.StringIO()):
        model.export(paths[_REFERENCE])
    for name, compression in EXPORTS.items():
        export_saved_model(model, paths[name], compression)
    return paths


def timed(run: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def median_call(loaded: Any, inputs: tf.Tensor, calls: int) -> float:
    """The median of the seconds of several calls."""
    return float(
        np.median([timed(lambda: loaded.serve(inputs)) for _ in range(calls)])
    )


def check_same(loaded: dict[str, Any], inputs: tf.Tensor) -> None:
    """Raises a ValueError where artefacts compute different outputs."""
    expected = loaded[_REFERENCE].serve(inputs).numpy()
    for name, one in loaded.items():
        if not np.array_equal(one.serve(inputs).numpy(), expected):
            raise ValueError(f"The outputs of {name!r} differ from Keras's.")


def report(title: str, measured: dict[str, list[float]]) -> None:
    """Prints the table of one quantity."""
    measure.print_table(
        title,
        ["", "median, ms (lowest to highest)", f"to {_REFERENCE}"],
        [
            [
                name,
                f"{measure.summarize(1e3 * one for one in seconds):.1f}",
                f"{measure.ratios(seconds, measured[_REFERENCE]):.3f}",
            ]
            for name, seconds in measured.items()
        ],
    )


def main(arguments: list[str]) -> None:
    del arguments
    settings: dict[str, Any] = {
        "network": flags.FLAGS.network,
        "sparsity": flags.FLAGS.sparsity,
        "rounds": measure.chosen_rounds(),
        "calls": 1 if flags.FLAGS.smoke else flags.FLAGS.calls,
    }
    measure.print_environment(settings)
    results: dict[str, dict[str, list[float]]] = {}
    model = export_size.NETWORKS[flags.FLAGS.network]()
    tf_rigl.sparsify(model, flags.FLAGS.sparsity)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_artefacts(model, pathlib.Path(folder))
        load = {
            name: functools.partial(tf.saved_model.load, path)
            for name, path in paths.items()
        }
        loaded = {name: one() for name, one in load.items()}
        results["load"] = measure.alternate(
            {name: functools.partial(timed, one) for name, one in load.items()},
            settings["rounds"],
        )
        report("Load", results["load"])
    for size in [1] if flags.FLAGS.smoke else flags.FLAGS.batch_size:
        shape = (size, *model.input_shape[1:])
        inputs = tf.random.stateless_uniform(shape, [1, 2])
        check_same(loaded, inputs)
        title = f"Call, batch {size}"
        results[title] = measure.alternate(
            {
                name: functools.partial(
                    median_call, one, inputs, settings["calls"]
                )
                for name, one in loaded.items()
            },
            settings["rounds"],
        )
        report(title, results[title])
    measure.write_json(flags.FLAGS.json, settings, results)


if __name__ == "__main__":
    define_flags()
    app.run(main)
