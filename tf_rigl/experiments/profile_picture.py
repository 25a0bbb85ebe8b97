"""A picture of the costs of each layer of a network."""

import pathlib

import numpy as np

from tf_rigl.accounting import ModelProfile
from tf_rigl.experiments import figures


def draw_profile(path: pathlib.Path, profile: ModelProfile) -> None:
    """Draws density and multiply-accumulates, layer by layer."""
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
