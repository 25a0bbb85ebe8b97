"""Pictures of the weights in a file and of the costs of a network."""

import pathlib

import numpy as np
from matplotlib import axes

from tf_rigl.accounting import ModelProfile
from tf_rigl.core.diagnostics import density_image
from tf_rigl.experiments import figures
from tf_rigl.experiments.inspection import FileReport
from tf_rigl.experiments.inspection import StoredWeight

_MOST_BARS = 60
_MOST_MASKS = 6
_MASK_SIDE = 256


def draw_file(path: pathlib.Path, report: FileReport) -> None:
    """Draws densities, values and masks of the weights of rank 2 or more.

    On the left are the densities of the 60 largest weights. On the right are a
    histogram of the kept values of all weights and the masks of the 6 largest,
    with inputs from top to bottom and units from left to right, averaged if
    there are more than 256.
    """
    weights = [one for one in report.weights if one.array.ndim > 1]
    sizes = [one.array.size for one in weights]
    shown = figures.largest(weights, sizes, _MOST_BARS)

    fig = figures.new_figure(13, max(5.0, 0.18 * len(shown) + 1.5))
    left, right = fig.subfigures(1, 2, squeeze=False).ravel()
    _draw_densities(left.subplots(), shown)

    top, bottom = right.subfigures(
        2, 1, squeeze=False, height_ratios=(1, 2)
    ).ravel()
    _draw_values(top.subplots(), weights)

    masks = figures.largest(weights, sizes, _MOST_MASKS)
    axs = bottom.subplots(2, _MOST_MASKS // 2, squeeze=False).ravel()
    for ax, weight in zip(axs, masks, strict=False):
        _draw_mask(ax, weight)
    for ax in axs[len(masks) :]:
        ax.axis("off")

    share = report.nonzeros / max(report.elements, 1)
    fig.suptitle(
        f"{pathlib.Path(report.path).name}: {report.file_bytes:,} bytes, "
        f"{share:.2%} of {report.elements:,} elements kept"
    )
    figures.write_png(fig, path)


def draw_profile(path: pathlib.Path, profile: ModelProfile) -> None:
    """Draws the density and the multiply-accumulates of each layer."""
    rows = [row for row in profile.rows if row.dense_macs and row.parameters]
    fig = figures.new_figure(12, max(4.0, 0.17 * len(rows) + 1.2))
    left, right = fig.subplots(1, 2, sharey=True, squeeze=False).ravel()

    figures.draw_shares(
        left,
        np.array([row.nonzeros / row.parameters for row in rows]),
        np.ones(len(rows)),
    )
    left.set_xlabel("density")

    figures.draw_shares(
        right,
        np.array([row.macs for row in rows]) / 1e6,
        np.array([row.dense_macs for row in rows]) / 1e6,
    )
    right.set_xlabel("million multiply-accumulates of one example")

    figures.name_rows(left, [row.path for row in rows], most=80)
    fig.suptitle(
        f"{profile.name}: {profile.nonzeros:,} of {profile.parameters:,} "
        f"weights, {profile.flops / 1e9:.3f} of "
        f"{profile.dense_flops / 1e9:.3f} GFLOPs"
    )
    figures.write_png(fig, path)


def _draw_densities(ax: axes.Axes, weights: list[StoredWeight]) -> None:
    densities = [one.kept.mean() if one.kept.size else 0.0 for one in weights]
    figures.draw_shares(ax, np.array(densities), np.ones(len(weights)))
    figures.name_rows(ax, [one.path for one in weights])
    ax.set_xlim(0, 1)
    ax.set_xlabel("share of elements that are kept")


def _draw_values(ax: axes.Axes, weights: list[StoredWeight]) -> None:
    kept = [one.array[one.kept].astype(np.float64) for one in weights]
    values = np.concatenate(kept) if kept else np.zeros(0)
    values = values[np.isfinite(values)]
    ax.hist(values, bins=101, color=figures.ACTIVE, log=values.size > 0)
    ax.set_xlabel("kept values")
    ax.set_ylabel("elements")


def _draw_mask(ax: axes.Axes, weight: StoredWeight) -> None:
    mask = weight.kept.reshape(1, -1, weight.kept.shape[-1])
    _, inputs, units = mask.shape
    ax.imshow(
        density_image(mask, _MASK_SIDE),
        cmap="Greys",
        vmin=0,
        aspect="auto",
        interpolation="nearest",
        extent=(0, units, inputs, 0),
    )
    ax.set_title(figures.short(weight.path, 40), fontsize=7)
    ax.tick_params(labelsize=6)
