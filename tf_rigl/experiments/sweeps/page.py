"""Rendering of the page about a sweep.

Requires Jinja2 and matplotlib: call `optional_packages.check_report` before
importing this module.
"""

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from matplotlib import figure

from tf_rigl.experiments import figures
from tf_rigl.experiments import formatting
from tf_rigl.experiments.report import rendering
from tf_rigl.experiments.report import tables as report_tables
from tf_rigl.experiments.report.pictures import Picture
from tf_rigl.experiments.report.tables import PageTable
from tf_rigl.experiments.runs import run_folder
from tf_rigl.experiments.runs.run_folder import RunFolder
from tf_rigl.experiments.sweeps import failures
from tf_rigl.experiments.sweeps import plots
from tf_rigl.experiments.sweeps import records
from tf_rigl.experiments.sweeps import request
from tf_rigl.experiments.sweeps import tables
from tf_rigl.experiments.sweeps.request import SweepRequest

_NAME = "report.html"
# With more runs than this, their list is folded.
_MOST_OPEN = 30
_UNKNOWN = "–"


class RunRow(NamedTuple):
    """A run in the list of the page."""

    name: str
    page: str  # a relative link; empty if there is no page
    measure: str
    seconds: str
    state: str


def write_page(
    folder: str | os.PathLike[str], path: str | os.PathLike[str] | None = None
) -> pathlib.Path:
    """Writes an HTML page about a sweep, which may not have finished.

    It reads nothing but the folder of the sweep. The page needs no other file,
    names no path of this machine, and links to the pages of the runs that have
    one, relative to itself. An existing page is replaced atomically.

    Args:
        folder: the folder of the sweep.
        path: the file to write; `report.html` in the folder by default.

    Returns:
        The path of the page.

    Raises:
        ValueError: if `folder` is not that of a sweep, or a file is damaged.
        OSError: if the file cannot be written.
    """
    folder = pathlib.Path(folder)
    if not request.is_sweep(folder):
        raise ValueError(
            "`folder` must be that of a sweep. Received: "
            f"folder={str(folder)!r}. Name what the sweep had as --output_dir."
        )
    path = pathlib.Path(path or folder / _NAME)

    asked = request.read(folder) or _request_of(folder)
    found = _read_records(folder, asked)
    rendering.write_page(
        "sweep.html", _content(folder, path, asked, found), path
    )
    return path


def run_folders(folder: str | os.PathLike[str]) -> list[RunFolder]:
    """Lists the folders of runs that a sweep has begun by its programs."""
    runs = map(RunFolder, sorted(pathlib.Path(folder, request.RUNS).iterdir()))
    return [run for run in runs if run.configuration.exists()]


def _request_of(folder: pathlib.Path) -> SweepRequest:
    """Returns the request of a sweep that has written none: all its runs."""
    runs = sorted(
        one.name for one in (folder / request.RUNS).iterdir() if one.is_dir()
    )
    return SweepRequest("", "", tuple(runs))


def _read_records(
    folder: pathlib.Path, asked: SweepRequest
) -> dict[str, records.Record]:
    """Reads the results of the runs that have finished, by name."""
    found: dict[str, records.Record] = {}
    for name in asked.runs:
        run = RunFolder(folder / request.RUNS / name)
        if run.results.exists():
            results = run.read_results()
            headline = results.get("headline") or _headlines(folder).get(name)
            record = {**results, "name": name, "headline": headline}
            run_folder.check_keys(run.results, record, records.NEEDED)
            found[name] = record
    return found


def _headlines(folder: pathlib.Path) -> dict[str, str]:
    """Reads the headline measures that only the sweep's results name."""
    path = folder / "results.jsonl"
    if not path.exists():
        return {}
    try:
        lines = map(json.loads, path.read_text("utf-8").splitlines())
        return {line["name"]: line["headline"] for line in lines}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise run_folder.damaged(path, error) from error


def _content(
    folder: pathlib.Path,
    path: pathlib.Path,
    asked: SweepRequest,
    found: Mapping[str, records.Record],
) -> dict[str, Any]:
    summary = (
        records.summarize(list(found.values()), asked.epochs) if found else None
    )
    rows = [_run_row(folder, path, asked, found, name) for name in asked.runs]
    failed = [
        failures.read_failure(
            name, code, folder / request.RUNS / name / request.LOG, path
        )
        for name, code in asked.failed.items()
    ]
    versions = {
        f"{name} {version}"
        for record in found.values()
        for name, version in record["versions"].items()
    }

    return {
        "heading": asked.network or _network(found),
        "method": f"Sweep of {len(asked.runs)} runs",
        "progress": _progress(asked, found),
        "tiles": _tiles(asked, found, summary),
        "measure": tables.measure_name(summary) if summary else "measure",
        "plots": _draw(summary) if summary else [],
        "table_": _table(summary) if summary else None,
        "rows": rows,
        "is_open": len(rows) <= _MOST_OPEN,
        "failures": failed,
        "command": asked.command,
        "settings": report_tables.formatted_settings(asked.settings),
        "versions": ", ".join(sorted(versions)),
        "name": folder.resolve().name,
    }


def _network(found: Mapping[str, records.Record]) -> str:
    for record in found.values():
        settings = record["settings"]
        names = [settings.get("model"), settings.get("data")]
        return " on ".join(filter(None, names))
    return "Sweep"


def _progress(asked: SweepRequest, found: Mapping[str, records.Record]) -> str:
    ended, total = len(found), len(asked.runs)
    text = f"{ended:,} of {total:,} runs have finished"
    if asked.failed:
        text += f", {len(asked.failed):,} failed"
    return f"{text}."


def _tiles(
    asked: SweepRequest,
    found: Mapping[str, records.Record],
    summary: records.SweepSummary | None,
) -> list[report_tables.Tile]:
    """Returns the means of the dense network and the best at each sparsity."""
    tiles = [("runs", f"{len(found):,}", f"of {len(asked.runs):,}")]
    if summary is None:
        return tiles
    seen = set()
    # The rows are by sparsity, then the best first.
    for row in summary.rows:
        if row.sparsity in seen:
            continue
        seen.add(row.sparsity)
        name = tables.measure_name(summary)
        if row.sparsity is not None:
            name = f"best at {100 * row.sparsity:.4g} %"
        value = formatting.write_measure(summary.headline, row.headline.mean)
        tiles.append((name, value, f"{row.label}, runs: {row.headline.runs}"))
    return tiles


def _draw(summary: records.SweepSummary) -> list[Picture]:
    """Draws the measure over sparsity, and over FLOPs where they differ."""
    measure = tables.measure_name(summary)
    sparse = [row for row in summary.rows if row.sparsity is not None]
    over = "against sparsity"
    if len({row.sparsity for row in sparse}) == 1:
        over = f"at {100 * (sparse[0].sparsity or 0.0):.4g} % sparsity"
    fig = plots.against_sparsity(summary, "", narrow=True)
    drawn = [_picture(f"{measure} {over}", fig)]

    for field in plots.FLOPS:
        known = [getattr(row, field) for row in sparse]
        # Equal ones would all be above each other.
        if len({f"{value:.2g}" for value in known if value is not None}) > 1:
            fig = plots.against_flops_of(summary, field, "")
            text = f"{measure} against {field} FLOPs"
            drawn.append(_picture(text, fig))
    return drawn


def _picture(text: str, fig: figure.Figure) -> Picture:
    return Picture(figures.svg_uri(fig), text, text)


def _table(summary: records.SweepSummary) -> PageTable:
    cells = tables.page_cells(summary)
    return PageTable(list(cells[0]), [list(row.values()) for row in cells])


def _run_row(
    folder: pathlib.Path,
    path: pathlib.Path,
    asked: SweepRequest,
    found: Mapping[str, records.Record],
    name: str,
) -> RunRow:
    run = RunFolder(folder / request.RUNS / name)
    measure = seconds = _UNKNOWN
    if record := found.get(name):
        headline = record["headline"]
        measure = formatting.write_measure(
            headline, record["measures"][headline]
        )
        seconds = f"{record['seconds']:.1f} s"

    if name in asked.failed:
        state = f"failed, exit code {asked.failed[name]}"
    elif record:
        state = "finished"
    elif epochs := len(run_folder.read_lines(run.metrics)):
        asked_epochs = asked.run_epochs.get(name, asked.epochs)
        total = f" of {asked_epochs:,}" if asked_epochs else ""
        state = f"unfinished: {epochs:,}{total} epochs"
    else:
        state = "not begun"
    page = failures.link(run.report, path)
    return RunRow(name, page, measure, seconds, state)
