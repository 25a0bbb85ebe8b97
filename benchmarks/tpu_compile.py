#!/usr/bin/env python3
"""Compilation of a training step for Cloud TPU, on a machine without a TPU.

Lowers the training step of each network to StableHLO, dense and with RigL
(sparsity 0.9, ERK; Keras 3), and compiles it for one TPU core. Prints whether
it compiles, how long that takes, and the bytes in the core's memory:
arguments (variables and batch), temporary values and the program. No step is
run. `imagenet` is ResNet-50 on 128 images of 224×224, the share of one of 32
cores in a batch of 4,096.

The compiler is not among the requirements: see `tpu_compiler.py`, and pass a
Python that has it as --compiler_python.

Usage: python benchmarks/tpu_compile.py --compiler_python=PATH
           [--model=NAME] [--topology=v4:2x2x1]
"""

import json
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from benchmarks import contenders
from benchmarks import measure
from benchmarks import networks

_CONTENDERS = ("keras/dense", "keras/tf_rigl")
_COMPILER = pathlib.Path(__file__).with_name("tpu_compiler.py")
_PARTS = ("arguments", "temporary", "code")


_NETWORKS = {
    **networks.NETWORKS,
    "imagenet": networks.Network(
        lambda keras: keras.applications.ResNet50(
            weights=None, classifier_activation=None
        ),
        (224, 224, 3),
        1000,
        128,
        plain_steps=1,
    ),
}


def define_flags() -> None:
    flags.DEFINE_multi_enum(
        "model", ["lenet_300_100"], list(_NETWORKS), "Network to compile."
    )
    flags.DEFINE_string("topology", "v3:2x2", "The TPU to compile for.")
    flags.DEFINE_string(
        "compiler_python", sys.executable, "A Python with jax and libtpu."
    )


def lower(contender: str, network: networks.Network) -> str:
    """Returns the StableHLO of the training step of one of the contenders."""
    model = contenders.start_training(contender, network).model
    step = tf.function(
        lambda *batch: model.train_step(batch),
        jit_compile=True,
        autograph=False,
    )
    batch = map(tf.constant, network.batch())
    return step.experimental_get_compiler_ir(*batch)(stage="stablehlo")


def compile_all(programs: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Compiles each program; returns the compiler's figures by name.

    Raises:
        subprocess.CalledProcessError: if the compiler cannot be started.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, text in enumerate(programs.values()):
            path = pathlib.Path(folder) / f"{number}.mlir"
            path.write_text(text, encoding="utf-8")
            paths.append(str(path))

        done = subprocess.run(
            [
                flags.FLAGS.compiler_python,
                str(_COMPILER),
                f"--topology={flags.FLAGS.topology}",
                *paths,
            ],
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
    lines = done.stdout.splitlines()
    return dict(zip(programs, map(json.loads, lines), strict=True))


def table(
    programs: Mapping[str, str], compiled: Mapping[str, Mapping[str, Any]]
) -> list[list[str]]:
    rows = []
    for name, figures in compiled.items():
        row = [name, f"{len(programs[name]):,}"]
        if "error" in figures:
            row += ["fails", *[""] * len(_PARTS)]
        else:
            row.append(f"{figures['seconds']:.1f}")
            row += [f"{figures[part]:,}" for part in _PARTS]
        rows.append(row)
    return rows


def main() -> dict[str, dict[str, dict[str, Any]]]:
    results = {}
    for model in flags.FLAGS.model:
        programs = {name: lower(name, _NETWORKS[model]) for name in _CONTENDERS}
        compiled = compile_all(programs)
        measure.print_table(
            f"{model}: the step compiled for {flags.FLAGS.topology}",
            ["", "StableHLO, characters", "s", *(f"{p}, B" for p in _PARTS)],
            table(programs, compiled),
        )
        for name, figures in compiled.items():
            if "error" in figures:
                print(f"{name}: {figures['error']}")
        results[model] = compiled
    return results


if __name__ == "__main__":
    measure.start(main, define_flags)
