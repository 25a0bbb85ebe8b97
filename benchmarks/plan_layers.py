#!/usr/bin/env python3
"""Time of single dense layers in plans, relative to LiteRT (XNNPACK).

These are what mostly stays dense in sparse networks: first convolutions,
depthwise convolutions, small 1×1 convolutions and heads. Each layer is run
several times on the same input, by a network of as many parallel layers with
weights of their own. The time of a layer is what each one adds to a network of
one: calls, and the copies of inputs and outputs that networks have only at
their ends, cost neither runtime anything then. First convolutions read the
image of the caller, whose copy is part of theirs: they are measured as networks
of one layer, to the last call of Python.

Only one position of each output leaves the network, whose copy takes no time.

Ratios are the time of LiteRT to that of the plan in the same round: how many
times as fast the plan is, with AVX-512 ("v4") and with AVX2 alone ("v3").

Usage: python benchmarks/plan_layers.py [--layer="depthwise 3×3, 14²×512"]
    [--threads=1] [--copies=4]
"""

import functools
import pathlib
import sys
import tempfile
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tf_rigl
from benchmarks import measure
from benchmarks import plan_latency
from tf_rigl.export.litert import run

_REFERENCE = "LiteRT"
_TOLERANCE = 1e-5  # of the largest output

# The shape of the input and a layer, which is made anew for each copy.
Case = tuple[tuple[int, ...], Callable[[], Any]]


def _convolution(
    size: int, channels: int, filters: int, kernel: int, stride: int = 1
) -> Case:
    return (size, size, channels), lambda: keras.layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding="same",
        activation="relu",
        bias_initializer="random_normal",
    )


def _depthwise(
    size: int, channels: int, stride: int = 1, kernel: int = 3
) -> Case:
    return (size, size, channels), lambda: keras.layers.DepthwiseConv2D(
        kernel,
        strides=stride,
        padding="same",
        activation="relu6",
        bias_initializer="random_normal",
    )


# MobileNet's, ResNet-50's and EfficientNet's.
LAYERS: dict[str, Case] = {
    "first 3×3/2, 224²×3 to 32": _convolution(224, 3, 32, 3, 2),
    "first 7×7/2, 224²×3 to 64": _convolution(224, 3, 64, 7, 2),
    "depthwise 3×3, 112²×32": _depthwise(112, 32),
    "depthwise 3×3/2, 112²×64": _depthwise(112, 64, 2),
    "depthwise 3×3, 56²×128": _depthwise(56, 128),
    "depthwise 3×3/2, 56²×128": _depthwise(56, 128, 2),
    "depthwise 3×3, 28²×256": _depthwise(28, 256),
    "depthwise 3×3/2, 28²×256": _depthwise(28, 256, 2),
    "depthwise 3×3, 14²×512": _depthwise(14, 512),
    "depthwise 3×3/2, 14²×512": _depthwise(14, 512, 2),
    "depthwise 3×3, 7²×1024": _depthwise(7, 1024),
    "depthwise 5×5, 28²×240": _depthwise(28, 240, kernel=5),
    "depthwise 5×5/2, 28²×240": _depthwise(28, 240, 2, kernel=5),
    "1×1, 56²×64 to 64": _convolution(56, 64, 64, 1),
    "1×1, 14²×512 to 512": _convolution(14, 512, 512, 1),
    "1×1, 7²×1024 to 1024": _convolution(7, 1024, 1024, 1),
    "dense, 1024 to 1000": ((1024,), lambda: keras.layers.Dense(1000)),
}
_SMOKE = "dense, 1024 to 1000"


def define_flags() -> None:
    flags.DEFINE_multi_enum("layer", [*LAYERS], [*LAYERS], "Layers to run.")
    flags.DEFINE_integer("copies", 4, "Layers that are added.", lower_bound=1)
    flags.DEFINE_integer("calls", 20, "Calls of a round.", lower_bound=1)
    flags.DEFINE_integer("threads", 1, "Threads of a call.", lower_bound=1)


def is_first(name: str) -> bool:
    """Whether a layer is measured with the copy of its input."""
    return name.startswith("first")


def make_model(case: Case, copies: int) -> Any:
    """Makes a network of parallel layers, of which one position is left."""
    shape, make = case
    inputs = keras.Input(shape)
    outputs = [make()(inputs) for _ in range(copies)]
    if len(shape) == 3:
        outputs = [one[:, 1, 1, :] for one in outputs]
    if copies > 1:
        outputs = [keras.layers.Concatenate()(outputs)]
    return keras.Model(inputs, outputs[0])


def start_all(
    case: Case, copies: int, folder: pathlib.Path
) -> dict[str, Callable[[], Any]]:
    """Returns the calls of all contenders, whose outputs have been compared.

    Raises:
        ValueError: if outputs of a plan differ from those of LiteRT.
    """
    model = make_model(case, copies)
    litert, plan = folder / f"{copies}.tflite", folder / f"{copies}.plan"
    tf_rigl.export_litert(model, litert, batch_size=1)
    tf_rigl.export_plan(model, plan)

    inputs = np.random.default_rng(0).random((1, *case[0]), np.float32)
    calls = {_REFERENCE: plan_latency.start_litert(str(litert), inputs)}
    expected = calls[_REFERENCE]()
    for level in plan_latency.usable_levels():
        name = f"plan, {level}"
        calls[name] = plan_latency.start_plan(plan, level, inputs)
        error = np.abs(calls[name]() - expected).max()
        if error > _TOLERANCE * np.abs(expected).max():
            raise ValueError(f"Outputs of {name} are off by {error}.")
    return calls


def measure_layer(
    name: str, folder: pathlib.Path
) -> dict[str, list[tuple[float, float]]]:
    """Measures one layer; returns seconds and CPU seconds of each round."""
    copies = measure.chosen("copies")
    sizes = [1] if is_first(name) else [1, 1 + copies]
    calls = [start_all(LAYERS[name], size, folder) for size in sizes]

    def added(contender: str) -> tuple[float, float]:
        times = [plan_latency.time_calls(one[contender]) for one in calls]
        if len(times) == 1:
            return times[0]
        (fewer, fewer_cpu), (more, more_cpu) = times
        return (more - fewer) / copies, (more_cpu - fewer_cpu) / copies

    return measure.alternate(
        {
            contender: functools.partial(added, contender)
            for contender in calls[0]
        }
    )


def print_layers(
    title: str, results: Mapping[str, Mapping[str, Sequence[float]]]
) -> None:
    """Prints times, and how many times as fast as LiteRT plans are."""
    rows = []
    for layer, measured in results.items():
        reference = measured[_REFERENCE]
        cells = [f"{1e6 * measure.summarize(reference).median:.1f}"]
        for contender, taken in measured.items():
            if contender != _REFERENCE:
                cells.append(f"{1e6 * measure.summarize(taken).median:.1f}")
                cells.append(f"{measure.ratios(reference, taken):.2f}")
        rows.append([layer, *cells])
    contenders = [one for one in next(iter(results.values()))]
    header = ["", f"{_REFERENCE}, µs"]
    for contender in contenders[1:]:
        header += [f"{contender}, µs", "times as fast"]
    measure.print_table(title, header, rows)


def main() -> dict[str, dict[str, dict[str, list[float]]]]:
    print(f"LiteRT files are run by {run.runtime()}.")
    measured = {}
    for name in measure.chosen("layer", [_SMOKE]):
        with tempfile.TemporaryDirectory() as folder:
            measured[name] = measure_layer(name, pathlib.Path(folder))

    results = {}
    for part, title in enumerate(("Time", "CPU time")):
        results[title] = {
            name: {
                contender: [one[part] for one in taken]
                for contender, taken in contenders.items()
            }
            for name, contenders in measured.items()
        }
        print_layers(title, results[title])
    return results


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=7)
