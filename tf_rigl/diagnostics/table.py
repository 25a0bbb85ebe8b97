"""Diagnostics of masks as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tf_rigl.core import cells
from tf_rigl.core import text_table
from tf_rigl.core.text_table import Cells

if TYPE_CHECKING:
    from tf_rigl.diagnostics import diagnose

HEADER = (
    "weight",
    "shape",
    "connections",
    "density",
    "explored",
    "since start",
    "moved",
    "kept last",
    "kept |g|",
    "grown |g|",
    "dead units",
    "unused inputs",
)
# The columns that are text and so aligned to the left.
TEXT_COLUMNS = 2


def render(result: diagnose.ModelDiagnostics) -> str:
    """Writes the table of a model's masks and a line about their updates."""
    total = result.total
    body = [
        _cells(row.path, cells.shape(row.shape), row) for row in result.rows
    ]

    lines = [
        f"Masks of {result.name!r}",
        "",
        *text_table.aligned(
            HEADER, body, _cells("total", "", total), TEXT_COLUMNS
        ),
        "",
        f"Mask updates: {total.updates:,}, left out: {total.skipped_updates:,}",
    ]
    return "\n".join(lines)


def _cells(name: str, shape: str, row: diagnose.MaskStatistics) -> Cells:
    return (
        name,
        shape,
        f"{row.connections:,}",
        cells.percent(row.density),
        cells.percent(row.exploration),
        cells.percent(row.overlap_start),
        f"{row.moved:,}",
        cells.percent(row.overlap_previous),
        _number(row.kept_gradient_norm),
        _number(row.grown_gradient_norm),
        f"{row.dead_units:,}",
        f"{row.unused_inputs:,}",
    )


def _number(number: float | None) -> str:
    return "" if number is None else f"{number:.3g}"
