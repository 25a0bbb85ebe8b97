"""The page of a run, and the file that it goes to.

Needs matplotlib: call `extras.check_matplotlib` before importing it.
"""

import html
import os
import pathlib

import numpy as np

import tf_rigl
from tf_rigl.backend import atomic_files
from tf_rigl.experiments.report import charts
from tf_rigl.experiments.report import markup
from tf_rigl.experiments.report import mask_pictures
from tf_rigl.experiments.report import series
from tf_rigl.experiments.report import tables
from tf_rigl.experiments.report import template
from tf_rigl.experiments.report.model_state import ModelState
from tf_rigl.experiments.report.model_state import NoModelError
from tf_rigl.experiments.report.model_state import read_model_state
from tf_rigl.experiments.report.reading import RunRecord
from tf_rigl.experiments.report.reading import read_run
from tf_rigl.experiments.runs import tables as run_tables
from tf_rigl.experiments.runs.settings import to_json


def write_report(
    folder: str | os.PathLike[str], path: str | os.PathLike[str]
) -> None:
    """Writes one self-contained HTML page of a run.

    Args:
        folder: That the run was trained in; it may not have ended yet, the
            page then shows how far it is.
        path: Of the file to write, in an existing folder; one that is there
            is replaced once the new one is whole.

    Raises:
        ValueError: If it is no folder of a run, or a file is damaged.
        ImportError: If the Keras of the model is not installed.
        OSError: If the file can't be written.
    """
    record = read_run(folder)
    state, reason = None, ""
    try:
        state = read_model_state(record)
    except NoModelError as error:
        reason = str(error)
    atomic_files.write_text(pathlib.Path(path), render(record, state, reason))


def render(record: RunRecord, state: ModelState | None, reason: str) -> str:
    """The page as text.

    Args:
        record: The run.
        state: Its model; None where there is none.
        reason: Why there is none.
    """
    settings = record.settings
    heading = run_tables.title({"settings": to_json(settings)})
    content = [
        markup.tiles(tables.headline_tiles(record, state)),
        _training(record),
        *_masks(record),
        *_pictures(state),
        _sizes(record, state, reason),
        _configuration(record),
    ]
    footer = f"Made by tf_rigl {tf_rigl.__version__} of the files in "
    return template.PAGE.substitute(
        title=html.escape(f"{heading}, {settings.label}"),
        heading=html.escape(heading),
        method=html.escape(settings.label),
        progress=html.escape(_progress(record)),
        style=template.STYLE,
        content="".join(content),
        footer=html.escape(f"{footer}{record.folder.path}."),
    )


def _progress(record: RunRecord) -> str:
    done, total = len(record.epochs), record.settings.total_epochs
    if record.results is not None:
        steps = record.results["steps"]
        return f"Finished: {total:,} epochs, {steps:,} steps."
    return f"Not finished: {done:,} of {total:,} epochs have ended."


def _training(record: RunRecord) -> str:
    if not record.epochs:
        text = "No epoch has ended yet."
        return markup.section("training", "Training", text)
    panels = series.training_panels(record)
    return markup.section(
        "training",
        "Training",
        "What Keras measured: over the batches of each epoch as it went, and "
        "after it on the evaluation data.",
        _panels(panels, "training"),
    )


def _masks(record: RunRecord) -> list[str]:
    """Sections of numbers that there are only of sparse networks."""
    if not record.masks:
        return []
    return [
        markup.section(
            "masks",
            "Masks",
            "All masked weights together, at the end of each epoch.",
            _panels(series.mask_panels(record), "masks"),
        ),
        _layers(
            record,
            "density",
            "Density of each layer",
            "The share of a layer's positions that have a connection, with "
            "its present value at the right.",
        ),
        _layers(
            record,
            "churn",
            "Churn of each layer",
            "The share of a layer's connections that the mask updates of an "
            "epoch have grown in place of others.",
        ),
    ]


def _layers(record: RunRecord, name: str, title: str, text: str) -> str:
    shares = series.layer_series(record, name)
    if not np.nan_to_num(shares.values).any():
        return markup.section(name, title, f"{text} It was 0 in every epoch.")
    chart = charts.draw_layers(shares, name, name)
    return markup.section(name, title, text, markup.figure(chart))


def _pictures(state: ModelState | None) -> list[str]:
    if state is None or not state.masks:
        return []
    sections = []
    pixels = mask_pictures.draw_pixels(state)
    if pixels:
        sections.append(
            markup.section(
                "pixels",
                "Connections of the pixels",
                "How many connections of the first layer begin at each pixel "
                "of the images: none is dark, many are bright.",
                markup.grid("pictures", pixels),
            )
        )
    text = (
        "Inputs are from top to bottom and units from left to right. A dot "
        "stands for the density of its connections, none is dark."
    )
    hidden = len(state.masks) - mask_pictures.MOST_MASKS
    if hidden > 0:
        text += f" The largest are shown, {hidden} are not."
    pictures = mask_pictures.draw_masks(state.masks)
    sections.append(
        markup.section(
            "pictures",
            "Pictures of the masks",
            text,
            markup.grid("pictures", pictures),
        )
    )
    return sections


def _sizes(record: RunRecord, state: ModelState | None, reason: str) -> str:
    return markup.section(
        "sizes",
        "Sizes",
        "FLOPs are those of one example, two for each multiply-accumulate. "
        "Packed weights take 32 bits a value and one bit a position.",
        markup.paragraph(reason) if reason else "",
        tables.size_table(record, state),
        tables.layer_table(record, state),
        tables.file_table(record),
    )


def _configuration(record: RunRecord) -> str:
    return markup.section(
        "configuration",
        "Configuration",
        "All settings of the run, by the names of their flags.",
        tables.configuration_table(record),
        tables.version_table(record),
    )


def _panels(panels: list[series.Panel], name: str) -> str:
    return markup.grid(
        "panels",
        [
            markup.figure(charts.draw_panel(panel, f"{name} {place}"))
            for place, panel in enumerate(panels)
        ],
    )
