"""Rendering of the page about a run.

Requires Jinja2 and matplotlib: call `optional_packages.check_report` before
importing this module.
"""

import os
from importlib import resources
from typing import Any

import jinja2
import numpy as np

import tf_rigl
from tf_rigl.backend import atomic_files
from tf_rigl.experiments.report import pictures
from tf_rigl.experiments.report import reading
from tf_rigl.experiments.report import series
from tf_rigl.experiments.report import tables
from tf_rigl.experiments.report.reading import ModelState
from tf_rigl.experiments.report.reading import RunRecord


def write_report(
    folder: str | os.PathLike[str], path: str | os.PathLike[str]
) -> None:
    """Writes a self-contained HTML page about a run.

    If the run has not finished yet, the page shows its progress so far. An
    existing page is replaced atomically.

    Raises:
        ValueError: if `folder` is not that of a run, or a file is damaged.
        ImportError: if the Keras of the model is not installed.
        OSError: if the file cannot be written.
    """
    record = reading.read_run(folder)
    state, reason = None, ""
    try:
        state = reading.read_model_state(record)
    except FileNotFoundError as error:
        reason = str(error)

    # With `StrictUndefined`, a misspelled name is an error, not empty text.
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined
    )
    source = resources.files(__package__).joinpath("page.html")
    template = environment.from_string(source.read_text("utf-8"))
    page = template.render(_content(record, state, reason))
    atomic_files.write_text(path, page + "\n")


def _content(
    record: RunRecord, state: ModelState | None, reason: str
) -> dict[str, Any]:
    """Returns the variables of the template, by name."""
    settings = record.settings
    masks = state.masks if state else []
    panels = series.training_panels(record) if record.epochs else []

    return {
        "heading": f"{settings.model} on {settings.data}",
        "method": settings.label,
        "progress": _progress(record),
        "tiles": tables.headline_tiles(record, state),
        "training_panels": list(map(pictures.draw_panel, panels)),
        "mask_panels": list(
            map(pictures.draw_panel, series.mask_panels(record))
        ),
        "density": _layers(record, "density"),
        "churn": _layers(record, "churn"),
        "pixels": pictures.draw_pixels(state) if state else [],
        "masks": pictures.draw_masks(masks),
        "masks_hidden": max(0, len(masks) - pictures.MOST_MASKS),
        "no_model": reason,
        "sizes": tables.size_table(record, state),
        "layers": tables.layer_table(record, state),
        "files": tables.file_table(record),
        "settings": tables.settings_rows(record),
        "versions": tables.version_table(record),
        "footer": f"Made by tf_rigl {tf_rigl.__version__} of the files in "
        f"{record.folder.path}.",
    }


def _progress(record: RunRecord) -> str:
    done, total = len(record.epochs), record.settings.total_epochs
    if record.results is not None:
        steps = record.results["steps"]
        return f"Finished: {total:,} epochs, {steps:,} steps."
    return f"Not finished: {done:,} of {total:,} epochs have ended."


def _layers(record: RunRecord, name: str) -> pictures.Picture | None:
    """Draws a rate of each layer; returns None if all values are zero."""
    if not record.masks:
        return None
    shares = series.layer_series(record, name)
    if not np.nan_to_num(shares.values).any():
        return None
    return pictures.draw_layers(shares, name)
