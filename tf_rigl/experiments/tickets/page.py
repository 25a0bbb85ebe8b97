"""Rendering of the page about ticket searches.

Requires Jinja2 and matplotlib: call `optional_packages.check_report` before
importing this module.
"""

import itertools
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from tf_rigl.core import cells
from tf_rigl.experiments import figures
from tf_rigl.experiments import formatting
from tf_rigl.experiments.process_sets import pages
from tf_rigl.experiments.process_sets.request import SetRequest
from tf_rigl.experiments.process_sets.tables import learning_rates
from tf_rigl.experiments.report import rendering
from tf_rigl.experiments.report.pictures import Picture
from tf_rigl.experiments.report.tables import PageTable
from tf_rigl.experiments.report.tables import Tile
from tf_rigl.experiments.runs.run_folder import RunFolder
from tf_rigl.experiments.tickets import plots
from tf_rigl.experiments.tickets import records
from tf_rigl.experiments.tickets import request
from tf_rigl.experiments.tickets import tables
from tf_rigl.experiments.tickets.records import SummaryRow


def write_page(
    folder: str | os.PathLike[str], path: str | os.PathLike[str] | None = None
) -> pathlib.Path:
    """Writes an HTML page about ticket searches, which may not have finished.

    It reads nothing but the folder of the searches. The page needs no other
    file and names no path of this machine. An existing page is replaced
    atomically.

    Args:
        folder: the folder of the searches.
        path: the file to write; `report.html` in the folder by default.

    Returns:
        The path of the page.

    Raises:
        ValueError: if `folder` is not that of searches, or a file is damaged.
        OSError: if the file cannot be written.
    """
    folder = pathlib.Path(folder)
    if not request.FILE.is_in(folder):
        raise ValueError(
            "`folder` must be that of ticket searches. Received: "
            f"folder={str(folder)!r}. Name what they had as --output_dir."
        )
    path = pathlib.Path(path or folder / pages.NAME)
    content = _content(folder, path, request.FILE.read(folder))
    rendering.write_page("tickets.html", content, path)
    return path


def _content(
    folder: pathlib.Path, path: pathlib.Path, asked: SetRequest
) -> dict[str, Any]:
    below = folder / request.SEARCHES
    found = {name: _read(below / name, asked) for name in asked.searches}
    trained = {name: len(trainings) for name, trainings in found.items()}
    rows = records.summarize(itertools.chain.from_iterable(found.values()))
    return {
        **pages.content("Ticket searches", below, path, asked, trained),
        "tiles": _tiles(rows),
        "introduction": tables.introduction(asked.heading),
        "plots": [_draw(measure, rows) for measure in plots.MEASURES]
        if rows
        else [],
        "table_": PageTable(*tables.page_cells(rows), text_columns=2),
    }


def _read(path: pathlib.Path, asked: SetRequest) -> list[records.Training]:
    """Reads what a search has trained; nothing if it has not begun."""
    settings = RunFolder(path).read_settings()
    if settings is None:
        return []
    return records.read(path, asked.trainings, settings)


def _tiles(rows: Sequence[SummaryRow]) -> list[Tile]:
    """Returns what the searches have come to, for each learning rate."""
    rates = learning_rates(rows)
    tiles = []
    for rate in rates:
        of_rate = [row for row in rows if row.learning_rate == rate]
        whose = f"learning rate {rate:g}" if len(rates) > 1 else ""
        for name, value, note in _outcome(of_rate):
            tiles.append((name, value, ", ".join(filter(None, (note, whose)))))
    return tiles


def _outcome(rows: Sequence[SummaryRow]) -> list[Tile]:
    """Returns accuracies at the end, and the smallest winning ticket."""
    tickets = {
        row.level: (row.left, row.end)
        for row in rows
        if row.kind == records.TICKET and row.end is not None
    }
    if 0 not in tickets:
        return []

    _, dense = tickets[0]
    note = "" if dense.deviation is None else f"± {100 * dense.deviation:.2f}"
    mean = formatting.write_measure(records.MEASURE, dense.mean)
    found = [("dense", mean, note)]
    winning = [
        left
        for level, (left, end) in tickets.items()
        if level and end.mean >= dense.mean
    ]
    if winning:
        note = "of the weights"
        share = cells.percent(min(winning))
        found.append(("as good as dense down to", share, note))
    for row in rows:
        if row.kind == records.TICKET or not row.end:
            continue
        if row.level in tickets:
            _, ticket = tickets[row.level]
            points = 100 * (ticket.mean - row.end.mean)
            name = f"ticket − {tables.kind_text(row.kind)}"
            note = f"points, level {row.level}"
            found.append((name, f"{points:+.2f}", note))
    return found


def _draw(measure: plots.Measure, rows: Sequence[SummaryRow]) -> Picture:
    fig = plots.draw(measure, rows, narrow=True)
    text = f"{measure.title} against weights left"
    return Picture(figures.svg_uri(fig), text, text)
