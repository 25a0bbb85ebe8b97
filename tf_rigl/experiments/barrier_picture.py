"""The picture of errors on the line between two networks."""

import os
from collections.abc import Mapping

import numpy as np

from tf_rigl.backend import atomic_files
from tf_rigl.experiments import optional_packages
from tf_rigl.tickets.error_barrier import ErrorBarrier


def plot_error_barriers(
    barriers: ErrorBarrier | Mapping[str, ErrorBarrier],
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
) -> None:
    """Draws the errors of `error_barrier` over the way between two networks.

    A straight thin line joins both ends of each barrier: what lies above its
    middle is the height. Networks in one basin of the loss stay close to it.

    Args:
        barriers: a barrier, or several by what the legend calls them, such as
            `{"from step 0": first, "from step 500": second}`.
        path: path of the PNG file, local or supported by `tf.io.gfile`.
        overwrite: whether an existing file may be replaced.

    Raises:
        ImportError: if matplotlib is not installed.
        TypeError: if one is no `ErrorBarrier`.
        ValueError: if there are none, or the file exists already.

    Reference: Frankle et al., "Linear Mode Connectivity and the Lottery Ticket
    Hypothesis", ICML 2020, arXiv:1912.05671, figure 2.

    Example:
        >>> barrier = tf_rigl.error_barrier(model, *ends, error)
        >>> tf_rigl.plot_error_barriers(barrier, "barrier.png")
    """
    optional_packages.check_matplotlib()
    shown = barriers if isinstance(barriers, Mapping) else {"": barriers}
    _check(shown)
    atomic_files.check_free(path, overwrite)

    # Imported here, since it needs matplotlib and training does not.
    from tf_rigl.experiments import figures

    fig = figures.new_figure(7.2, 4.8)
    ax = fig.subplots()
    figures.apply_style(ax)
    for number, (name, one) in enumerate(shown.items()):
        style = figures.style_of(number)
        height = f"barrier {one.height:.3g}"
        ax.plot(
            one.alphas,
            one.errors,
            color=style.color,
            marker=style.marker,
            linestyle=style.line,
            markersize=4,
            label=f"{name}: {height}" if name else height,
        )
        ax.plot(
            [0, 1],
            [one.errors[0], one.errors[-1]],
            color=style.color,
            linewidth=0.8,
            linestyle=":",
        )
    ax.set_xlabel("share of the way from the first network to the second")
    ax.set_ylabel("error")
    ax.set_xticks(np.linspace(0, 1, 6))
    ax.grid(color=figures.INK, alpha=0.15)
    figures.name_all(fig, "error between two networks")
    figures.write_png(fig, path)


def _check(barriers: Mapping[str, ErrorBarrier]) -> None:
    if not barriers:
        raise ValueError(
            "There must be a barrier to draw. Received: barriers={}. Pass what "
            "`error_barrier` returns."
        )
    wrong = {
        name: type(one).__name__
        for name, one in barriers.items()
        if not isinstance(one, ErrorBarrier)
    }
    if wrong:
        raise TypeError(
            "Barriers are what `error_barrier` returns, or several by name. "
            f"Received: {wrong}."
        )
