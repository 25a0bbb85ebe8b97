#!/usr/bin/env python3
"""Time of a generation in a search for weight agnostic networks.

A generation of swing-up is 192 networks × 6 shared weights × 3 episodes of at
most 1,000 steps. Young networks soon drive off the track, which ends their
episodes, so that time grows in the course of a search. Measured are the first
generations, and one of networks of the size of the published champion (22
hidden nodes, 52 connections) that never leave the track: an upper bound. The
load of the machine is printed, and with --workers=1 also the seconds of a core,
which other work on the machine changes less.

Usage: python benchmarks/wann_generation.py [--workers=2] [--rounds=3]
"""

import os
import pathlib
import sys
import time
from collections.abc import Sequence

import numpy as np
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from benchmarks import measure
from tf_rigl import wann
from tf_rigl.wann import genome as genomes
from tf_rigl.wann import mutation
from tf_rigl.wann import scoring
from tf_rigl.wann import searching
from tf_rigl.wann.tasks import swing_up

_HIDDEN, _CONNECTIONS = 22, 52  # of the published champion


class Endless(swing_up.SwingUp):
    """Swing-up on a track that is so long that no episode ends early."""

    def evaluate(
        self, networks: wann.Networks, seeds: Sequence[int]
    ) -> np.ndarray:
        """Returns the sums of rewards, with the ends of the track far away."""
        swing_up.EDGE = np.inf
        return super().evaluate(networks, seeds)


def define() -> None:
    flags.DEFINE_integer("workers", 2, "Number of processes.", lower_bound=1)
    flags.DEFINE_integer("steps", 1000, "Steps of an episode.", lower_bound=1)
    flags.DEFINE_integer(
        "population", 192, "Networks in a generation.", lower_bound=2
    )


def main() -> dict[str, list[tuple[float, float]]]:
    population = measure.chosen("population", 8)
    seconds = {
        "first generations": _first(population),
        "of the champion's size, to the end": _last(population),
    }
    print(f"Load average: {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    measure.print_table(
        f"A generation of {population}",
        ["", "median, s (lowest to highest)", "of a core"],
        [
            [name, *map(_cell, zip(*taken, strict=True))]
            for name, taken in seconds.items()
        ],
    )
    return seconds


def _cell(values: Sequence[float]) -> str:
    return f"{measure.summarize(values):.2f}" if any(values) else ""


def _clock() -> tuple[float, float]:
    """Returns seconds, and seconds of a core; those of workers are unknown."""
    alone = flags.FLAGS.workers == 1
    return time.perf_counter(), time.process_time() if alone else 0.0


def _since(begin: tuple[float, float]) -> tuple[float, float]:
    (now, used), (before, used_before) = _clock(), begin
    return now - before, used - used_before


def _first(population: int) -> list[tuple[float, float]]:
    """Times the first generations of a search, one a round."""
    begin, taken = _clock(), []

    def end(record: wann.GenerationRecord) -> None:
        nonlocal begin
        del record
        taken.append(_since(begin))
        begin = _clock()

    wann.search(
        swing_up.SwingUp(),
        population,
        # The first one starts the workers.
        1 + measure.chosen("rounds"),
        workers=flags.FLAGS.workers,
        on_generation=end,
    )
    return taken[1:]


def _last(population: int) -> list[tuple[float, float]]:
    group = [_grow(seed) for seed in range(population)]
    task = Endless(steps=measure.chosen("steps", 20))
    with scoring.scorer(task, flags.FLAGS.workers) as find:

        def generation() -> tuple[float, float]:
            begin = _clock()
            find(group, searching.SHARED_WEIGHTS, [1, 2, 3])
            return _since(begin)

        # Starts the workers.
        generation()
        return [generation() for _ in range(measure.chosen("rounds"))]


def _grow(seed: int) -> wann.Genome:
    """Makes a random network of the size of the published champion."""
    generator = np.random.default_rng(seed)
    task = swing_up.SwingUp()
    one = genomes.start(task.inputs, task.outputs, generator, connect=1.0)
    innovations = mutation.Innovations.after(one)
    changes = (mutation.insert_node, mutation.add_connection)
    while one.connections < _CONNECTIONS:
        change = changes[one.hidden >= _HIDDEN]
        child = change(one, generator, innovations, task.functions)
        if child is None:
            raise ValueError("A network of this size has room for connections.")
        one = child
    return one


if __name__ == "__main__":
    measure.start(main, define, rounds=3)
