#!/usr/bin/env python3
"""Error of pruning a wide random network to a single ReLU neuron.

Any small network is in a random one that is wide enough, untrained: the strong
lottery ticket hypothesis, proved by Malach et al. (arXiv:2002.00585). Here is
the step that the proof is made of, for a neuron relu(w · x) of d inputs:

* The random network is Dense(2dk), ReLU, Dense(1), ReLU without biases, its
  weights uniform in [-1, 1]. Each input has 2k of the hidden units.
* A unit with the weight u from its input x, and v to the output, adds
  v u max(x, 0) if u > 0, and v u min(x, 0) if u < 0. So input i keeps one unit
  of either sign, those whose products v u are nearest to w_i. All other
  connections are pruned, by `tf_rigl.set_masks`.

On [-1, 1]^d the pruned network is then no further from the neuron than the sum
over inputs of the larger of both distances. The nearest of k random products
is about 1 / k away, so an error takes a width that is inversely proportional.

Printed are medians over draws, and the widest differences of network and neuron
on the points {-1, 0, 1}^d.

Usage: python benchmarks/prune_to_neuron.py [--rounds=20] [--plot=error.png]
"""

import itertools
import pathlib
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tf_rigl
from benchmarks import measure
from tf_rigl.experiments import figures
from tf_rigl.experiments import keras_modules

_SIGNS = (1, -1)
_BATCH = 1024  # points, which fit into memory with the widest network
# Lists over draws, by the field of `Pruned`.
Figures = dict[str, list[float]]


class Network(NamedTuple):
    """The weights of a random network and of the neuron to find in it."""

    neuron: np.ndarray  # [d] float32, uniform in ±1 / √d
    first: np.ndarray  # [d, 2dk] float32, uniform in ±1
    second: np.ndarray  # [2dk, 1] float32, likewise


class Subnetwork(NamedTuple):
    """The masks that leave a neuron of a random network, nearly."""

    first: np.ndarray  # [d, 2dk] bool
    second: np.ndarray  # [2dk, 1] bool
    bound: float  # of the error on [-1, 1]^d


class Pruned(NamedTuple):
    """A pruned network as it was found."""

    error: float  # the largest difference to the neuron on the points
    bound: float
    connections: int


def define_flags() -> None:
    flags.DEFINE_integer("inputs", 8, "Inputs of the neuron, d.", 1)
    flags.DEFINE_multi_integer(
        "units", [4, 16, 64, 256, 1024], "Units for each input and sign, k.", 1
    )
    flags.DEFINE_enum(
        "keras", "keras3", [*keras_modules.MODULES], "Keras flavor."
    )
    flags.DEFINE_string("plot", "", "PNG file for the plot.")


def draw(inputs: int, units: int, seed: int) -> Network:
    """Draws a neuron and a network of 2 · inputs · units hidden units."""
    generator = np.random.default_rng([seed, inputs, units])

    def uniform(*shape: int) -> np.ndarray:
        return generator.uniform(-1, 1, shape).astype(np.float32)

    hidden = 2 * inputs * units
    neuron = uniform(inputs) / np.sqrt(inputs, dtype=np.float32)
    return Network(neuron, uniform(inputs, hidden), uniform(hidden, 1))


def find_subnetwork(network: Network) -> Subnetwork:
    """Chooses two connections of each input, and those that go on from them."""
    inputs, hidden = network.first.shape
    kept = np.zeros(network.first.shape, bool)
    bound = 0.0
    for index, of_input in enumerate(np.split(np.arange(hidden), inputs)):
        wanted = float(network.neuron[index])
        weights = network.first[index, of_input].astype(np.float64)
        products = weights * network.second[of_input, 0]
        distances = []
        for sign in _SIGNS:
            distance = np.where(
                sign * weights > 0, abs(products - wanted), np.inf
            )
            nearest = int(distance.argmin())
            # None may have the sign; then nothing stands for the weight.
            found = bool(np.isfinite(distance[nearest]))
            kept[index, of_input[nearest]] |= found
            distances.append(distance[nearest] if found else abs(wanted))
        bound += max(distances)
    return Subnetwork(kept, kept.any(axis=0, keepdims=True).T, bound)


def build(keras: Any, inputs: int, units: int) -> Any:
    """Builds the wide network, masked but with all connections."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((inputs,)),
            layers.Dense(
                2 * inputs * units, "relu", use_bias=False, name="hidden"
            ),
            layers.Dense(1, "relu", use_bias=False, name="output"),
        ]
    )
    return tf_rigl.sparsify(model, 0.0, start="dense")


def prune(model: Any, network: Network) -> Pruned:
    """Gives a model the network's weights and prunes it to the neuron."""
    weights = [network.first, network.second]
    paths = list(tf_rigl.masks(model))
    full = [np.ones(one.shape, bool) for one in weights]
    tf_rigl.set_masks(model, dict(zip(paths, full, strict=True)))
    model.set_weights(weights)

    found = find_subnetwork(network)
    masks = (found.first, found.second)
    tf_rigl.set_masks(model, dict(zip(paths, masks, strict=True)))

    points = corners(len(network.neuron))
    outputs = model.predict(points, batch_size=_BATCH, verbose=0)[:, 0]
    expected = np.maximum(points @ network.neuron.astype(np.float64), 0)
    return Pruned(
        error=float(abs(outputs - expected).max()),
        bound=found.bound,
        connections=sum(int(one.sum()) for one in masks),
    )


def corners(inputs: int) -> np.ndarray:
    """Returns the points {-1, 0, 1}^d, float32 [3^d, d]."""
    return np.array(
        list(itertools.product((-1, 0, 1), repeat=inputs)), np.float32
    )


def prune_all(
    keras: Any, inputs: int, units: Sequence[int], draws: int
) -> dict[int, Figures]:
    """Prunes networks of each width; returns the figures by k."""
    figures_of = {}
    for number in units:
        model = build(keras, inputs, number)
        found = [
            prune(model, draw(inputs, number, seed)) for seed in range(draws)
        ]
        figures_of[number] = {
            name: [getattr(one, name) for one in found]
            for name in Pruned._fields
        }
    return figures_of


def show(inputs: int, found: Mapping[int, Figures]) -> None:
    rows = []
    before = None
    for number, of in found.items():
        error = measure.summarize(of["error"])
        width = 2 * inputs * number
        rows.append(
            [
                f"{number}",
                f"{width:,}",
                f"{width * (inputs + 1):,}",
                f"{measure.summarize(of['connections']).median:g}",
                f"{error:.4f}",
                f"{measure.summarize(of['bound']).median:.4f}",
                "" if before is None else f"{before / error.median:.1f}",
            ]
        )
        before = error.median
    header = [
        "k",
        "hidden units",
        "weights",
        "kept",
        "error, median (lowest to highest)",
        "bound, median",
        "error falls by",
    ]
    measure.print_table(f"A neuron of {inputs} inputs", header, rows)


def plot(path: str, inputs: int, found: Mapping[int, Figures]) -> None:
    """Writes error and bound over the width to a PNG file."""
    fig = figures.new_figure(6.4, 4.2)
    ax = fig.subplots()
    figures.apply_style(ax)
    widths = [2 * inputs * number for number in found]
    for index, (name, label) in enumerate(
        [("error", "largest error on {−1, 0, 1}$^d$"), ("bound", "bound")], 1
    ):
        style = figures.style_of(index)
        values = [measure.summarize(of[name]) for of in found.values()]
        ax.fill_between(
            widths,
            [one.low for one in values],
            [one.high for one in values],
            color=style.color,
            alpha=0.15,
            linewidth=0,
        )
        ax.plot(
            widths,
            [one.median for one in values],
            color=style.color,
            marker=style.marker,
            label=f"{label}, median; band: all draws",
        )
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(widths, [f"{width:,}" for width in widths])
    ax.grid(color=figures.INK, alpha=0.15)
    ax.set_xlabel("hidden units of the random network")
    ax.set_ylabel("difference to the neuron")
    ax.legend(frameon=False, labelcolor=figures.INK)
    fig.suptitle(
        f"A ReLU neuron of {inputs} inputs in a random network",
        color=figures.INK,
    )
    figures.write_png(fig, path, dots_per_inch=150)


def main() -> dict[int, Figures]:
    options = flags.FLAGS
    found = prune_all(
        keras_modules.load_keras(options.keras),
        options.inputs,
        options.units,
        measure.chosen("rounds"),
    )
    show(options.inputs, found)
    if options.plot:
        plot(options.plot, options.inputs, found)
    return found


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=20)
