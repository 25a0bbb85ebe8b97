#!/usr/bin/env python3
"""Time and memory to shrink a network, against those to copy its weights.

Sets each third unit of all layers but the last to zero, and takes turns with

* values: arrays of all weights,
* model: another model of the same layers, with the same weights,
* shrink: `tf_rigl.shrink`.

Memory is what the process holds more at its peak, as Linux counts it.

Usage: python benchmarks/shrink.py [--network=NAME] [--rounds=5]
"""

import functools
import gc
import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tf_rigl
from benchmarks import measure
from tf_rigl.models import mlp

NETWORKS: dict[str, Callable[[], Any]] = {
    "vgg16": lambda: keras.applications.VGG16(weights=None),
    "resnet50": lambda: keras.applications.ResNet50(weights=None),
    "lenet_300_100": lambda: mlp.lenet_300_100(keras, (28, 28), 10),
}
_PROCESS = pathlib.Path("/proc/self")
_MIB = 2**20
_REFERENCE = "values"


def define_flags() -> None:
    flags.DEFINE_multi_enum("network", ["vgg16"], [*NETWORKS], "Network.")


def silence_units(model: Any) -> None:
    """Sets each third unit to zero: its kernel, bias, scale and shift."""
    for layer in model.layers[:-1]:
        for name in ("kernel", "bias", "gamma", "beta"):
            variable = getattr(layer, name, None)
            if variable is not None:
                values = np.array(variable)
                values[..., ::3] = 0
                variable.assign(values)


def copy_model(model: Any) -> Any:
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def measure_once(run: Callable[[], Any]) -> dict[str, float]:
    """Returns seconds, and MiB at the peak; 0 where Linux does not count."""
    gc.collect()
    resets = _PROCESS / "clear_refs"
    if resets.exists():
        # Sets the peak to what the process holds now.
        resets.write_text("5")
    before = _kibibytes("VmRSS")
    start = time.perf_counter()
    result = run()
    seconds = time.perf_counter() - start
    peak = _kibibytes("VmHWM")
    del result
    return {"seconds": seconds, "mib": max(0, peak - before) * 1024 / _MIB}


def _kibibytes(entry: str) -> int:
    status = _PROCESS / "status"
    if not status.exists():
        return 0
    for line in status.read_text("utf-8").splitlines():
        if line.startswith(entry):
            return int(line.split()[1])
    return 0


def measure_network(network: str) -> dict[str, list[dict[str, float]]]:
    """Takes turns; prints and returns what each round has taken."""
    model = NETWORKS[network]()
    silence_units(model)
    measured = measure.alternate(
        {
            name: functools.partial(measure_once, run)
            for name, run in {
                "values": lambda: [weight.numpy() for weight in model.weights],
                "model": lambda: copy_model(model),
                "shrink": lambda: tf_rigl.shrink(model),
            }.items()
        }
    )

    rows = []
    for name, rounds in measured.items():
        row = [name]
        for part, digits in (("seconds", 2), ("mib", 0)):
            own = [one[part] for one in rounds]
            row.append(f"{measure.summarize(own):,.{digits}f}")
            # Of nothing more held, there is no ratio.
            base = [max(one[part], 1e-3) for one in measured[_REFERENCE]]
            row.append(f"{measure.ratios(own, base):.2f}")
        rows.append(row)
    number = sum(int(np.prod(one.shape)) for one in model.weights)
    measure.print_table(
        f"{network}, {4 * number / _MIB:,.0f} MiB of weights: "
        "median (lowest to highest)",
        ["", "s", "× values", "MiB at the peak", "× values"],
        rows,
    )
    return measured


def main() -> dict[str, dict[str, list[dict[str, float]]]]:
    return {
        network: measure_network(network) for network in flags.FLAGS.network
    }


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=5)
