#!/usr/bin/env python3
"""Time of a training step with RigL, compared with dense training and TFMOT.

Trains each network dense, with RigL (sparsity 0.9, ERK, ΔT = 100) and with
TFMOT's pruning (90 %, masks updated every 100 steps; Keras 2 only), in turn in
one process. A round times one step that updates masks and several plain steps,
and weights them by their frequency: (99 plain + 1 update) / 100. With
`--contender=keras/steady`, whose gradients are averaged in the 20 steps up to
an update, it times some of those, too: (80 plain + 19 averaging + 1 update) /
100. For the small
network a round has 99 plain steps for each update, as in training; for large
ones it has fewer, because plain steps take equally long. The step is that of
`fit`, with the callbacks that a user installs. Ratios are taken within rounds.

Usage: python benchmarks/step_overhead.py [--model=NAME] [--rounds=9]
           [--optimizer=sgd|adam]
"""

import functools
import pathlib
import sys
import time
from collections.abc import Mapping

from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from benchmarks import contenders
from benchmarks import measure
from benchmarks import networks

_JIT = {"default": None, "on": True, "off": False}
# The second is of all threads of this process, whatever else the machine does.
_CLOCKS = {"wall": time.perf_counter, "processors": time.process_time}


def define_flags() -> None:
    flags.DEFINE_multi_enum("model", measure.MODELS, measure.MODELS, "Network.")
    flags.DEFINE_multi_enum(
        "contender",
        measure.CONTENDERS,
        [*measure.CONTENDERS, *measure.STEADY],
        "Training.",
    )
    flags.DEFINE_enum("clock", "wall", list(_CLOCKS), "Time to measure.")
    flags.DEFINE_enum("jit_compile", "default", list(_JIT), "Compile with XLA.")
    flags.DEFINE_enum(
        "optimizer", "sgd", list(contenders.OPTIMIZERS), "Optimizer."
    )


def measure_model(name: str) -> dict[str, list[dict[str, float]]]:
    """Measures each contender's steps on a network, in seconds per round."""
    network = networks.NETWORKS[name]
    trainings = {
        contender: contenders.start_training(
            contender,
            network,
            _JIT[flags.FLAGS.jit_compile],
            flags.FLAGS.optimizer,
        )
        for contender in flags.FLAGS.contender
    }
    for contender, training in trainings.items():
        training.clock = _CLOCKS[flags.FLAGS.clock]
        training.warm_up()
        print(f"{name}: {contender} is compiled", flush=True)
    return measure_steps(trainings, network)


def measure_steps(
    trainings: Mapping[str, contenders.TimedTraining],
    network: networks.Network,
) -> dict[str, list[dict[str, float]]]:
    """Measures trainings that have been warmed up, in turn."""
    one_round = functools.partial(
        measure_round,
        plain_steps=2 if flags.FLAGS.smoke else network.plain_steps,
        cycles=1 if flags.FLAGS.smoke else network.cycles,
    )
    return measure.alternate(
        {
            contender: functools.partial(one_round, training)
            for contender, training in trainings.items()
        }
    )


def measure_round(
    training: contenders.TimedTraining, plain_steps: int, cycles: int
) -> dict[str, float]:
    """Measures the mean seconds of the steps of one round."""
    update = plain = averaging = 0.0
    averaged = training.averaged_steps
    for _ in range(cycles):
        training.go_to_update()
        update += training.run(1)
        # Up to the first of those that are averaged.
        few = min(plain_steps, contenders.UPDATE_INTERVAL - 1 - averaged)
        plain += training.run(few) / few
        if averaged:
            training.go_to_update(-averaged)
            some = min(plain_steps, averaged)
            averaging += training.run(some) / some
    return combine(
        update / cycles, plain / cycles, averaging / cycles, averaged
    )


def combine(
    update: float, plain: float, averaging: float = 0.0, averaged: int = 0
) -> dict[str, float]:
    """Returns the seconds of the mean step, an update step and a plain step.

    `averaged` of the steps between two updates take `averaging` instead.
    """
    interval = contenders.UPDATE_INTERVAL
    others = interval - 1 - averaged
    mean = (update + others * plain + averaged * averaging) / interval
    return {"step": mean, "update": update, "plain": plain}


def report(name: str, measured: dict[str, list[dict[str, float]]]) -> None:
    rows = []
    for contender, rounds in measured.items():
        dense = measured.get(contender.split("/")[0] + "/dense", [])
        rows.append([contender, *measure.step_cells(rounds, dense)])

    measure.print_table(
        f"{name}: training step, median of rounds (lowest to highest)",
        ["", *measure.STEP_COLUMNS],
        rows,
    )


def main() -> dict[str, dict[str, list[dict[str, float]]]]:
    results = {}
    for name in flags.FLAGS.model:
        results[name] = measure_model(name)
        report(name, results[name])
    return results


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=9)
