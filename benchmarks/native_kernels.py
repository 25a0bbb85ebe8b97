"""Measures the native kernels against the dense operations of TensorFlow.

One layer in training: forward, forward and backward, and one mask update with
the new index. Dense and sparse take turns, in one process. Figures are the
least CPU time of all threads over the rounds with one thread, and the least
time on the clock with several, as other processes only make either longer.

    python benchmarks/native_kernels.py --inputs=1024 --outputs=1024 --batch=128
"""

import functools
import time
from collections.abc import Callable
from typing import Any

from absl import flags

from benchmarks import measure


def define_flags() -> None:
    flags.DEFINE_integer("inputs", 1024, "Inputs of the layer.")
    flags.DEFINE_integer("outputs", 1024, "Outputs of the layer.")
    flags.DEFINE_integer("batch", 128, "Rows of a batch.")
    flags.DEFINE_integer("layers", 4, "Layers, so that caches hold no one.")
    flags.DEFINE_multi_float(
        "sparsity", [0.9, 0.95, 0.98], "Shares of zeros to measure."
    )
    flags.DEFINE_float("fraction", 0.3, "Share of connections that move.")
    flags.DEFINE_integer("threads", 1, "Threads of an operation.")
    flags.DEFINE_integer(
        "level", 2, "At most these vectors: 0 SSE2, 1 AVX2, 2 AVX-512."
    )


def make_data(random: Any) -> list[tuple[Any, Any]]:
    """Returns x and dy of each layer: none has anything to share."""
    import tensorflow as tf

    inputs, outputs, batch, layers = sizes()
    return [
        (
            tf.constant(random.normal(size=(batch, inputs)), tf.float32),
            tf.constant(random.normal(size=(batch, outputs)), tf.float32),
        )
        for _ in range(layers)
    ]


def make_dense(random: Any) -> dict[str, Callable[[], Any]]:
    """Returns the dense pass forward, and both passes."""
    import tensorflow as tf

    inputs, outputs, *_ = sizes()
    bias = tf.zeros([outputs])
    layers = [
        (x, dy, tf.Variable(tf.random.normal([inputs, outputs])))
        for x, dy in make_data(random)
    ]

    @tf.function
    def forward() -> Any:
        return [tf.matmul(x, weight) + bias for x, _, weight in layers]

    @tf.function
    def step() -> Any:
        results = []
        for x, dy, weight in layers:
            results.append(tf.matmul(x, weight) + bias)
            results.append(tf.matmul(dy, weight, transpose_b=True))
            results.append(tf.matmul(x, dy, transpose_a=True))
            results.append(tf.reduce_sum(dy, 0))
        return results

    return {"forward": forward, "step": step}


def make_sparse(random: Any, sparsity: float) -> dict[str, Callable[[], Any]]:
    """Returns the same of sparse layers, and an update of their masks."""
    import numpy as np
    import tensorflow as tf

    from tf_rigl.backend import native_ops
    from tf_rigl.native import kernels

    inputs, outputs, *_ = sizes()
    bias = tf.zeros([outputs])
    active = round((1 - sparsity) * inputs * outputs)
    count = int(flags.FLAGS.fraction * active)
    like = tf.zeros([count], tf.int32)
    layers = []
    for x, dy in make_data(random):
        positions = np.sort(random.permutation(inputs * outputs)[:active])
        arrays, _ = kernels.reindex(positions, inputs, outputs)
        index = native_ops.SparseIndex(*map(tf.constant, arrays))
        values = random.normal(size=active).astype(np.float32)
        layers.append((x, dy, tf.Variable(values), index))

    @tf.function
    def forward() -> Any:
        return [
            native_ops.spmm(x, values, index, bias)
            for x, _, values, index in layers
        ]

    @tf.function
    def step() -> Any:
        results = []
        for x, dy, values, index in layers:
            results.append(native_ops.spmm(x, values, index, bias))
            results.extend(native_ops.spmm_gradients(dy, x, values, index))
        return results

    @tf.function
    def update() -> Any:
        results = []
        for x, dy, values, index in layers:
            candidates = native_ops.grow(x, dy, index, like)
            # In the place of the gradient, which the step has anyway.
            new, order = native_ops.drop_and_grow(
                values, values, index, *candidates, count
            )
            results += [*new, tf.gather(values, tf.nn.relu(order))]
        return results

    return {"forward": forward, "step": step, "update": update}


def sizes() -> tuple[int, int, int, int]:
    values = flags.FLAGS
    return values.inputs, values.outputs, values.batch, values.layers


def seconds(run: Callable[[], Any]) -> float:
    clock = time.process_time if flags.FLAGS.threads == 1 else time.perf_counter
    start = clock()
    run()
    return clock() - start


def report(measured: dict[str, list[float]]) -> None:
    dense = {
        part: min(measured[f"dense {part}"]) for part in ("forward", "step")
    }
    rows = []
    for name, taken in measured.items():
        best = min(taken)
        part = name.split()[-1]
        of = dense["forward" if part == "forward" else "step"]
        rows.append([name, f"{1e3 * best:.3f}", f"{best / of:.3f}"])
    measure.print_table(
        "Least time; forward against dense forward, others against dense step",
        ["", "ms", "× dense"],
        rows,
    )


def main() -> dict[str, list[float]]:
    import numpy as np
    import tensorflow as tf

    from tf_rigl.native import library

    threads = flags.FLAGS.threads
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    print("Vectors:", library.cap_level(flags.FLAGS.level))
    random = np.random.default_rng(0)
    runs = {f"dense {n}": run for n, run in make_dense(random).items()}
    for sparsity in flags.FLAGS.sparsity:
        for name, run in make_sparse(random, sparsity).items():
            runs[f"{sparsity:.0%} {name}"] = run
    for run in runs.values():
        run()

    measured = measure.alternate(
        {name: functools.partial(seconds, run) for name, run in runs.items()}
    )
    report(measured)
    return measured


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=60)
