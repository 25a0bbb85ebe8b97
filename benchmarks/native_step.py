#!/usr/bin/env python3
"""Time and memory of training by connections alone, on a CPU.

Trains a network of `native_networks`, by default one of wide Dense layers:
dense, with RigL on masked storage and with RigL on compressed storage, in turn
in one process, by a `tf.function` of its own. Reports the CPU time and the wall
time of a plain step and of a step that updates masks (ΔT = 10), as ratios to
the dense step of the same round.
With `--memory`, each training runs in a process of its own and reports by how
much its resident memory has grown since a small training in the same process:
after some plain steps, and at most, with a mask update.

Usage: python benchmarks/native_step.py [--sparsity=0.9] [--threads=1]
           [--width=1024] [--network=gru] [--memory]
"""

import ctypes
import functools
import json
import pathlib
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from benchmarks import measure
from benchmarks import native_networks

STORAGES = ("dense", "masked", "compressed")
_INTERVAL = 10
_MIB = 2**20


def define_flags() -> None:
    flags.DEFINE_multi_float("sparsity", [0.9, 0.95, 0.98], "Sparsities.")
    flags.DEFINE_integer("threads", 1, "Threads within and between operations.")
    flags.DEFINE_integer("width", 1024, "Units of each layer.")
    flags.DEFINE_integer("layers", 4, "Number of sparse layers.")
    flags.DEFINE_integer("batch", 0, "Examples of one step; 0 for its own.")
    flags.DEFINE_enum(
        "network", "dense", list(native_networks.NETWORKS), "The network."
    )
    flags.DEFINE_integer("steps", 8, "Plain steps of one round.")
    flags.DEFINE_bool("memory", False, "Measure memory instead of time.")
    flags.DEFINE_enum(
        "only", None, STORAGES, "Measure the memory of this one, here."
    )


def make_step(storage: str, sparsity: float) -> Callable[[], Any]:
    """Makes a training step that is compiled when it is first called.

    Updates are at the steps 0, 10, 20, ...
    """
    import keras
    import numpy as np
    import tensorflow as tf

    import tf_rigl

    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    network = native_networks.NETWORKS[flags.FLAGS.network](keras, random)
    model = network.model

    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    # Sparsified before it is built, so that no compressed kernel is ever dense.
    if storage != "dense":
        tf_rigl.sparsify(
            model,
            sparsity,
            tf_rigl.Uniform(budget="reference"),
            dense=list(network.dense),
            storage=storage,
            options=tf_rigl.SparsifyOptions(diagnostics=False),
        )
    if not model.built:
        model.build(network.inputs.shape)
    if storage != "dense":
        method = tf_rigl.RigL(stop_step=10**4, update_interval=_INTERVAL)
        tf_rigl.attach(optimizer, model, method)

    inputs, labels = tf.nest.map_structure(
        tf.constant, (network.inputs, network.labels)
    )

    @tf.function(autograph=False)
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = network.loss(labels, model(inputs, training=True))
        variables = model.trainable_variables
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    return step


class Training:
    """Steps of one storage, timed."""

    def __init__(self, storage: str, sparsity: float) -> None:
        self._step = make_step(storage, sparsity)
        self._taken = 0
        self._take()  # compiles, and updates masks
        self._take()

    def round(self) -> dict[str, float]:
        """Returns the mean seconds of plain steps and those of an update."""
        # One operation's threads may still wait for work.
        plain = [self._take() for _ in range(measure.chosen("steps"))]
        while self._taken % _INTERVAL and not flags.FLAGS.smoke:
            self._take()
        cpu, wall = self._take()
        return {
            "cpu": sum(one for one, _ in plain) / len(plain),
            "wall": sum(one for _, one in plain) / len(plain),
            "update_cpu": cpu,
            "update_wall": wall,
        }

    def plain_round(self) -> float:
        """Returns the median wall time of plain steps, in seconds.

        Those that update masks are taken, too, but do not count.
        """
        seconds: list[float] = []
        while len(seconds) < measure.chosen("steps"):
            updates = not self._taken % _INTERVAL
            _, wall = self._take()
            if not updates:
                seconds.append(wall)
        return statistics.median(seconds)

    def _take(self) -> tuple[float, float]:
        """Takes a step; returns its CPU time and its wall time, in seconds."""
        cpu, wall = time.process_time(), time.perf_counter()
        self._step().numpy()
        self._taken += 1
        return time.process_time() - cpu, time.perf_counter() - wall


def set_threads() -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(flags.FLAGS.threads)
    tf.config.threading.set_inter_op_parallelism_threads(flags.FLAGS.threads)


def measure_times(sparsity: float) -> dict[str, list[dict[str, float]]]:
    trainings = {name: Training(name, sparsity) for name in STORAGES}
    measured = measure.alternate(
        {name: training.round for name, training in trainings.items()}
    )
    rows = []
    for name, rounds in measured.items():
        cells = []
        for key in ("cpu", "wall", "update_cpu", "update_wall"):
            own = [one[key] for one in rounds]
            plain = key.removeprefix("update_")
            dense = [one[plain] for one in measured["dense"]]
            cells.append(f"{measure.ratios(own, dense).median:.3f}")
        mean = measure.summarize(1000 * one["cpu"] for one in rounds).median
        rows.append([name, f"{mean:.2f}", *cells])
    measure.print_table(
        f"{sparsity:.0%} of {_described()}: medians of ratios to a dense step",
        ["", "CPU ms", "CPU", "wall", "update, CPU", "update, wall"],
        rows,
    )
    return measured


def _described() -> str:
    values = flags.FLAGS
    if values.network != "dense":
        return str(values.network)
    return f"{values.layers} × {values.width}²"


def resident() -> int:
    """Returns the resident memory of this process, in bytes."""
    lines = pathlib.Path("/proc/self/status").read_text("utf-8").splitlines()
    line = next(line for line in lines if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def measure_memory_here(storage: str, sparsity: float) -> dict[str, int]:
    """Trains in this process; returns the bytes that it has taken."""
    # A small training first: imports and tracing take memory of their own.
    width, flags.FLAGS.width = flags.FLAGS.width, 64
    small = make_step(storage, sparsity)
    small()
    flags.FLAGS.width = width
    before = resident()
    step = make_step(storage, sparsity)
    for _ in range(measure.chosen("steps")):
        step()
    # What the allocator keeps for later is not in use.
    ctypes.CDLL(None).malloc_trim(0)
    steady = resident() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    return {"steady": steady, "peak": peak}


def measure_memory(sparsity: float) -> dict[str, list[dict[str, int]]]:
    names = ("threads", "width", "layers", "batch", "steps", "network")
    measured = measure.alternate(
        {
            name: functools.partial(
                measure.run_json,
                __file__,
                f"--only={name}",
                f"--sparsity={sparsity}",
                *(f"--{flag}={flags.FLAGS[flag].value}" for flag in names),
            )
            for name in STORAGES
        }
    )
    masked = [one["steady"] for one in measured["masked"]]
    rows = []
    for name, rounds in measured.items():
        steady = [one["steady"] for one in rounds]
        peak = measure.summarize(one["peak"] / _MIB for one in rounds).median
        rows.append(
            [
                name,
                f"{measure.summarize(steady).median / _MIB:.0f}",
                f"{peak:.0f}",
                f"{measure.ratios(steady, masked).median:.3f}",
            ]
        )
    measure.print_table(
        f"{sparsity:.0%} of {_described()}",
        ["", "steady, MiB", "peak, MiB", "× masked"],
        rows,
    )
    return measured


def main() -> dict[str, Any] | None:
    if flags.FLAGS.only:
        set_threads()
        (sparsity,) = flags.FLAGS.sparsity
        measured = measure_memory_here(flags.FLAGS.only, sparsity)
        print(json.dumps(measured))
        return None
    if flags.FLAGS.memory:
        return {str(one): measure_memory(one) for one in flags.FLAGS.sparsity}
    set_threads()
    return {str(one): measure_times(one) for one in flags.FLAGS.sparsity}


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=5)
