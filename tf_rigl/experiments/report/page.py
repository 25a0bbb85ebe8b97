"""Rendering of the page about a run.

Requires Jinja2 and matplotlib: call `optional_packages.check_report` before
importing this module.
"""

import os
from typing import Any

import numpy as np

from tf_rigl.experiments import formatting
from tf_rigl.experiments.report import dense as dense_runs
from tf_rigl.experiments.report import pictures
from tf_rigl.experiments.report import reading
from tf_rigl.experiments.report import rendering
from tf_rigl.experiments.report import series
from tf_rigl.experiments.report import tables
from tf_rigl.experiments.report.reading import ModelState
from tf_rigl.experiments.report.reading import RunRecord


def write_report(
    folder: str | os.PathLike[str],
    path: str | os.PathLike[str],
    dense: str | os.PathLike[str] | None = None,
) -> None:
    """Writes a self-contained HTML page about a run.

    If the run has not finished yet, the page shows its progress so far. An
    existing page is replaced atomically. The page names no path of this
    machine.

    Args:
        folder: the folder of the run.
        path: the file to write.
        dense: the folder of the dense run to show beside a sparse one. By
            default, one with the same settings is looked for in `folder` and
            beside it.

    Raises:
        ValueError: if `folder` is not that of a run, `dense` is not that of a
            dense run of the same network and data, or a file is damaged.
        ImportError: if the Keras of the model is not installed.
        OSError: if the file cannot be written.
    """
    record = reading.read_run(folder)
    if dense is None:
        beside = dense_runs.find_dense(record)
    else:
        beside = dense_runs.read_dense(record, dense)

    state, reason = None, ""
    try:
        state = reading.read_model_state(record)
    except FileNotFoundError as error:
        reason = formatting.without_paths(str(error))
    content = _content(record, beside, state, reason)
    rendering.write_page("page.html", content, path)


def _content(
    record: RunRecord,
    dense: RunRecord | None,
    state: ModelState | None,
    reason: str,
) -> dict[str, Any]:
    settings = record.settings
    masks = state.masks if state else []
    panels = []
    if record.epochs:
        panels = series.training_panels(record, dense)

    return {
        "heading": f"{settings.model} on {settings.data}",
        "method": settings.label,
        "progress": _progress(record),
        "tiles": tables.headline_tiles(record, state, dense),
        "compared": tables.comparison_table(record, dense),
        "dense_progress": _progress(dense) if dense else "",
        "training_panels": list(map(pictures.draw_panel, panels)),
        "mask_panels": list(
            map(pictures.draw_panel, series.mask_panels(record))
        ),
        "density": _layers(series.layer_densities(record), "density"),
        "churn": _layers(series.layer_churn(record), "churn"),
        "pixels": pictures.draw_pixels(state) if state else [],
        "masks": pictures.draw_masks(masks),
        "masks_hidden": max(0, len(masks) - pictures.MOST_MASKS),
        "no_model": reason,
        "sizes": tables.size_table(record, state),
        "layers": tables.layer_table(record, state),
        "files": tables.file_table(record),
        "settings": tables.settings_rows(record),
        "versions": tables.version_table(record),
        "name": record.folder.path.resolve().name,
    }


def _progress(record: RunRecord) -> str:
    done, total = len(record.epochs), record.settings.total_epochs
    if record.results is not None:
        steps = record.results["steps"]
        epochs = "1 epoch" if total == 1 else f"{total:,} epochs"
        return f"Finished: {epochs}, {steps:,} steps."
    return f"Not finished: {done:,} of {total:,} epochs have ended."


def _layers(
    shares: series.LayerSeries | None, name: str
) -> pictures.Picture | None:
    """Draws a rate of each layer; returns None if all values are zero."""
    if shares is None or not np.nan_to_num(shares.values).any():
        return None
    return pictures.draw_layers(shares, name)
