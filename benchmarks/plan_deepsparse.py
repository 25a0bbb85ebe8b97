#!/usr/bin/env python3
"""Latency of plans, relative to DeepSparse on the same sparse networks.

DeepSparse 1.8 was a runtime of sparse networks, which is discontinued. It runs
in an environment of its own, whose Python `--python` names, made by

    python3.11 -m venv deepsparse
    deepsparse/bin/pip install deepsparse==1.8.0

Networks are those of `plan_latency`, converted by tf2onnx. Plan and DeepSparse
are called in turn; each measures the calls of its rounds in its own process.
Ratios are the time of DeepSparse to that of the plan within the same round.

Usage: python benchmarks/plan_deepsparse.py --python=deepsparse/bin/python
    [--network=NAME] [--batch_size=1] [--threads=1]
"""

import contextlib
import functools
import json
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tf_rigl
from benchmarks import measure
from benchmarks import plan_latency

# Runs in the other environment: answers each line, a number of calls, by the
# median time of a call, in seconds.
_SERVER = """
import json, statistics, sys, time
import numpy as np
from deepsparse import Engine

path, threads, inputs = sys.argv[1], int(sys.argv[2]), np.load(sys.argv[3])
engine = Engine(path, batch_size=len(inputs), num_cores=threads)
outputs = engine.run([inputs])
np.save(sys.argv[4], outputs[0])
print("ready", flush=True)
for line in sys.stdin:
    taken = []
    for _ in range(int(line) + 1):
        start = time.perf_counter()
        engine.run([inputs])
        taken.append(time.perf_counter() - start)
    print(json.dumps(statistics.median(taken[1:])), flush=True)
"""
# Of the largest output: the libraries add in another order.
_TOLERANCE = 1e-4


def define_flags() -> None:
    plan_latency.define_flags()
    flags.FLAGS.set_default("batch_size", [1])
    flags.DEFINE_string(
        "python", None, "Python that has DeepSparse.", required=True
    )


class DeepSparse:
    """A network that runs in the other environment.

    Args:
        path: ONNX file of the network.
        folder: a folder for files of this network alone.
        inputs: float32, a batch.
    """

    def __init__(
        self, path: pathlib.Path, folder: pathlib.Path, inputs: np.ndarray
    ) -> None:
        sent, received = folder / "inputs.npy", folder / "outputs.npy"
        np.save(sent, inputs)
        options = map(str, [path, flags.FLAGS.threads, sent, received])
        self._process = subprocess.Popen(
            [flags.FLAGS.python, "-c", _SERVER, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._requests: Any = self._process.stdin
        self._answers: Any = self._process.stdout
        # The library prints lines of its own.
        while (line := self._read()) != "ready":
            print(line)
        self.outputs = np.load(received)

    def time_calls(self) -> float:
        """Returns the median time of the calls of a round, in seconds."""
        self._requests.write(f"{measure.chosen('calls')}\n")
        self._requests.flush()
        return float(json.loads(self._read()))

    def _read(self) -> str:
        line: str = self._answers.readline()
        if not line:
            raise ChildProcessError(
                "DeepSparse has ended. Its messages stand above."
            )
        return line.strip()

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def start(
    model: Any, folder: pathlib.Path, inputs: np.ndarray
) -> Iterator[dict[str, Any]]:
    """Starts both, whose outputs have been compared, while the context lasts.

    Raises:
        ModuleNotFoundError: if tf2onnx is not installed.
        ValueError: if outputs differ.
    """
    onnx = plan_latency.write_onnx(model, folder, "sparse")
    if onnx is None:
        raise ModuleNotFoundError("Install onnxruntime and tf2onnx.")
    tf_rigl.export_plan(model, folder / "sparse.plan")

    highest = plan_latency.usable_levels()[0]
    call = plan_latency.start_plan(folder / "sparse.plan", highest, inputs)
    outputs = call()
    other = DeepSparse(onnx, folder, inputs)
    try:
        error = np.abs(outputs - other.outputs).max() / np.abs(outputs).max()
        if error > _TOLERANCE:
            raise ValueError(f"Outputs differ by {error:.1e} of the largest.")
        yield {
            "DeepSparse": other.time_calls,
            "plan": functools.partial(_median, call),
        }
    finally:
        other.close()


def _median(call: Any) -> float:
    return plan_latency.time_calls(call)[0]


def main() -> dict[str, dict[str, list[float]]]:
    results = {}
    random = np.random.default_rng(0)
    models = plan_latency.make_models()
    for size in measure.chosen("batch_size", [1]):
        shape = (size, *models["dense"].input_shape[1:])
        inputs = random.random(shape, np.float32)
        rows = []
        for title in models.keys() - {"dense"}:
            with (
                tempfile.TemporaryDirectory() as name,
                start(models[title], pathlib.Path(name), inputs) as calls,
            ):
                measured = measure.alternate(calls)
            results[f"{title}, batch {size}"] = measured
            ratio = measure.ratios(measured["DeepSparse"], measured["plan"])
            rows.append(
                [
                    title,
                    *(
                        f"{measure.summarize(1e3 * one for one in taken):.3f}"
                        for taken in measured.values()
                    ),
                    f"{ratio:.2f}",
                ]
            )
        measure.print_table(
            f"{flags.FLAGS.network}, batch {size}, medians (lowest to highest)",
            ["zeros", "DeepSparse, ms", "plan, ms", "times as fast"],
            sorted(rows),
        )
    return results


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=10)
