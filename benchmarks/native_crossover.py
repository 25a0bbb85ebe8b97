#!/usr/bin/env python3
"""From which width and sparsity on training by connections alone saves time.

Trains four Dense layers of each width, dense and with RigL on compressed
storage at each sparsity, in turn in one process and with plain steps only.
Reports their wall time as ratios to the dense step of the same round, as a
table and, with `--plot`, as a picture.

Usage: python benchmarks/native_crossover.py [--threads=1] [--batch=128]
           [--plot=crossover.png]
"""

import pathlib
import sys
from collections.abc import Mapping

from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from benchmarks import measure
from benchmarks import native_step
from tf_rigl.experiments import figures

_WIDTHS = (128, 256, 512, 1024, 2048)
_SPARSITIES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
# Medians by sparsity, of one width.
Ratios = dict[float, float]


def define_flags() -> None:
    native_step.define_flags()
    flags.FLAGS.set_default("sparsity", list(map(str, _SPARSITIES)))
    flags.DEFINE_multi_integer("widths", list(_WIDTHS), "Units of each layer.")
    flags.DEFINE_string("plot", "", "PNG file for the plot.")


def measure_width(width: int) -> Ratios:
    """Measures compressed storage of one width at all sparsities."""
    flags.FLAGS.width = width
    trainings = {
        sparsity: native_step.Training(
            "compressed" if sparsity else "dense", sparsity
        )
        for sparsity in (0.0, *flags.FLAGS.sparsity)
    }
    for training in trainings.values():
        training.plain_round()
    measured = measure.alternate(
        {
            str(sparsity): training.plain_round
            for sparsity, training in trainings.items()
        }
    )
    dense = measured.pop("0.0")
    return {
        float(sparsity): measure.ratios(rounds, dense).median
        for sparsity, rounds in measured.items()
    }


def show(found: Mapping[int, Ratios]) -> None:
    """Prints the medians, a row for each width."""
    header = ["width", *(f"{one:.0%}" for one in flags.FLAGS.sparsity)]
    rows = [
        [str(width), *(f"{one:.2f}" for one in of_width.values())]
        for width, of_width in found.items()
    ]
    layers = flags.FLAGS.layers
    measure.print_table(
        f"Step of {layers} layers on compressed storage, as a share of the "
        "dense step",
        header,
        rows,
    )


def plot(path: str, found: Mapping[int, Ratios]) -> None:
    """Writes the ratios over the share of connections to a PNG file."""
    fig = figures.new_figure(6.4, 4.2)
    ax = fig.subplots()
    figures.apply_style(ax)
    for index, (width, of_width) in enumerate(found.items()):
        style = figures.style_of(index)
        active = [100 * (1 - sparsity) for sparsity in of_width]
        ax.plot(
            active,
            list(of_width.values()),
            color=style.color,
            marker=style.marker,
            label=f"{width}²",
        )
    ax.axhline(1, color=figures.INK, alpha=0.5, linewidth=1)
    ax.set_xscale("log")
    ax.set_yscale("log")
    marks = [round(100 * (1 - one), 1) for one in flags.FLAGS.sparsity]
    ax.set_xticks(marks, [f"{one:g}" for one in marks])
    ax.set_yticks(
        [0.05, 0.1, 0.2, 0.5, 1, 2], ["0.05", "0.1", "0.2", "0.5", "1", "2"]
    )
    ax.minorticks_off()
    ax.grid(color=figures.INK, alpha=0.15)
    ax.set_xlabel("active connections, %")
    ax.set_ylabel("step, as a share of the dense step")
    ax.legend(frameon=False, labelcolor=figures.INK, title="units")
    fig.suptitle(
        f"Training {flags.FLAGS.layers} Dense layers by their connections",
        color=figures.INK,
    )
    figures.write_png(fig, path, dots_per_inch=150)


def main() -> dict[int, Ratios]:
    options = flags.FLAGS
    native_step.set_threads()
    found = {width: measure_width(width) for width in options.widths}
    show(found)
    if options.plot:
        plot(options.plot, found)
    return found


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=5)
