"""Rendering of the page about compressions.

Requires Jinja2 and matplotlib: call `optional_packages.check_report` before
importing this module.
"""

import itertools
import os
import pathlib
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from tf_rigl.experiments import distance_picture
from tf_rigl.experiments import figures
from tf_rigl.experiments import formatting
from tf_rigl.experiments.compress import early_birds
from tf_rigl.experiments.compress import plots
from tf_rigl.experiments.compress import records
from tf_rigl.experiments.compress import request
from tf_rigl.experiments.compress import settings
from tf_rigl.experiments.compress import tables
from tf_rigl.experiments.compress import trainings
from tf_rigl.experiments.compress.files import CompressionFolder
from tf_rigl.experiments.compress.records import SummaryRow
from tf_rigl.experiments.process_sets import pages
from tf_rigl.experiments.process_sets.request import SetRequest
from tf_rigl.experiments.process_sets.tables import learning_rates
from tf_rigl.experiments.report import rendering
from tf_rigl.experiments.report.pictures import Picture
from tf_rigl.experiments.report.tables import PageTable
from tf_rigl.experiments.report.tables import Tile
from tf_rigl.experiments.runs.run_folder import RunFolder


def write_page(
    folder: str | os.PathLike[str], path: str | os.PathLike[str] | None = None
) -> pathlib.Path:
    """Writes an HTML page about compressions, which may not have finished.

    It reads nothing but the folder of the compressions. The page needs no other
    file and names no path of this machine. An existing page is replaced
    atomically.

    Args:
        folder: the folder of the compressions.
        path: the file to write; `report.html` in the folder by default.

    Returns:
        The path of the page.

    Raises:
        ValueError: if `folder` is not that of compressions, or a file is
            damaged.
        OSError: if the file cannot be written.
    """
    folder = pathlib.Path(folder)
    if not request.FILE.is_in(folder):
        raise ValueError(
            "`folder` must be that of compressions. Received: "
            f"folder={str(folder)!r}. Name what they had as --output_dir."
        )
    path = pathlib.Path(path or folder / pages.NAME)
    content = _content(folder, path, request.FILE.read(folder))
    rendering.write_page("compress.html", content, path)
    return path


def _content(
    folder: pathlib.Path, path: pathlib.Path, asked: SetRequest
) -> dict[str, Any]:
    below = folder / request.COMPRESSIONS
    found = {name: _read(below / name, asked) for name in asked.searches}
    trained = {
        name: sum(map(CompressionFolder(below / name).is_done, asked.trainings))
        for name in found
    }
    rows = records.summarize(itertools.chain.from_iterable(found.values()))
    return {
        **pages.content("Compressions", below, path, asked, trained),
        "tiles": _tiles(rows),
        "introduction": tables.introduction(asked.heading),
        "plots": [
            *(_draw(costs, rows) for costs in plots.COSTS if rows),
            *_distances(below, asked),
        ],
        "table_": PageTable(*tables.page_cells(rows), text_columns=2)
        if rows
        else None,
    }


def _read(path: pathlib.Path, asked: SetRequest) -> list[records.Trained]:
    """Reads what a compression has trained; nothing if it has not begun."""
    run = RunFolder(path).read_settings()
    if run is None:
        return []
    given = _asked(asked.settings)
    return records.read(path, given, run)


def _asked(shared: Mapping[str, Any]) -> settings.Asked:
    """Returns what the program was asked for, as far as records need it."""
    return settings.Asked(
        settings.CompressSettings(
            ratios=tuple(shared["ratios"]),
            pruned_models=tuple(shared["pruned_models"]),
            retrain=tuple(shared["retrain"]),
        ),
        settings.ProcessGrid(),
        settings.RunSettings(),
        settings.RunOptions(),
    )


def _distances(below: pathlib.Path, asked: SetRequest) -> list[Picture]:
    """Draws the masks of epochs, for the first seed of each learning rate."""
    targets = _asked(asked.settings).targets
    pictures = []
    rates = set()
    for name in asked.searches:
        run = RunFolder(below / name).read_settings()
        if run is None or run.learning_rate in rates:
            continue
        found = early_birds.distances(CompressionFolder(below / name), targets)
        if not found:
            continue
        rates.add(run.learning_rate)
        text = f"distances of the masks of each two epochs, {name}"
        fig = distance_picture.draw(found)
        pictures.append(Picture(figures.svg_uri(fig), text, text))
    return pictures


def _tiles(rows: Sequence[SummaryRow]) -> list[Tile]:
    """Returns the large network's measure, and what is best of the smallest."""
    tiles = []
    rates = learning_rates(rows)
    for rate in rates:
        whose = f"learning rate {rate:g}" if len(rates) > 1 else ""
        of_rate = [row for row in rows if row.learning_rate == rate]
        ways = [
            row
            for row in of_rate
            if row.kind not in (trainings.LARGE, trainings.PRUNED)
        ]
        large = [row for row in of_rate if row.kind == trainings.LARGE]
        for row in (*large, *_best_of_smallest(ways)):
            name = tables.kind_text(row.kind)
            if row.target:
                name = f"{name}, {tables.target_text(row.target)}"
            value = formatting.write_measure(row.measure, row.value.mean)
            tiles.append((name, value, whose))
    return tiles


def _best_of_smallest(rows: Sequence[SummaryRow]) -> list[SummaryRow]:
    if not rows:
        return []
    least = min(row.parameters_left for row in rows)
    sign = 1 if formatting.higher_is_better(rows[0].measure) else -1
    smallest = [row for row in rows if row.parameters_left == least]
    return [max(smallest, key=lambda row: sign * row.value.mean)]


def _draw(costs: plots.Costs, rows: Sequence[SummaryRow]) -> Picture:
    fig = plots.draw(costs, rows, narrow=True)
    text = f"{rows[0].measure.replace('_', ' ')} against {costs.axis[:-3]}"
    return Picture(figures.svg_uri(fig), text, text)
