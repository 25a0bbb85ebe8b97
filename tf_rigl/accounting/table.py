"""Writes a profile as plain text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tf_rigl.core import cells
from tf_rigl.core import text_table
from tf_rigl.core.text_table import Cells

if TYPE_CHECKING:
    from tf_rigl.accounting import model_profile

HEADER = (
    "weight",
    "shape",
    "parameters",
    "non-zeros",
    "sparsity",
    "dense MACs",
    "MACs",
    "dense bytes",
    "bytes",
)
# The columns that are text and so aligned to the left.
TEXT_COLUMNS = 2
PATHS_SHOWN = 8


def render(profile: model_profile.ModelProfile) -> str:
    """Writes the table of a profile, its totals and what was not counted.

    Biases, scales, moving averages and the like share one line.
    """
    shown = [row for row in profile.rows if not _is_minor(row)]
    minor = [row for row in profile.rows if _is_minor(row)]
    body = [_cells(row.path, row.shape, [row]) for row in shown]
    if minor:
        plural = "s" if len(minor) > 1 else ""
        body.append(_cells(f"{len(minor)} other{plural}", (), minor))

    total = _cells("total", (), profile.rows)

    lines = [
        f"Model {profile.name!r}, one example",
        "",
        *text_table.aligned(HEADER, body, total, TEXT_COLUMNS),
        "",
        _flops(profile),
        *_uncounted(profile.uncounted),
    ]
    return "\n".join(lines)


def _is_minor(row: model_profile.WeightProfile) -> bool:
    """Tells rows that say nothing alone: a bias, a moving average."""
    is_vector = len(row.shape) <= 1 or row.path.endswith("/bias")
    multiplies = row.dense_macs > 0 or not row.counted
    return is_vector and not row.masked and not multiplies


def _cells(
    name: str, shape: Sequence[int], rows: Sequence[model_profile.WeightProfile]
) -> Cells:
    """Writes the row of a weight, or of several added up."""
    parameters = sum(row.parameters for row in rows)
    nonzeros = sum(row.nonzeros for row in rows)
    macs = [sum(row.dense_macs for row in rows), sum(row.macs for row in rows)]
    storage = [
        sum(row.dense_bytes for row in rows),
        sum(row.bytes for row in rows),
    ]
    counted = len(rows) != 1 or rows[0].counted
    # Products of activations have no parameters.
    has_parameters = parameters > 0

    return (
        name,
        cells.shape(shape),
        *(cells.counts(parameters, nonzeros) if has_parameters else ("", "")),
        cells.share(parameters - nonzeros, parameters),
        *(cells.counts(*macs) if counted else ("?", "?")),
        *(cells.counts(*storage) if has_parameters else ("", "")),
    )


def _flops(profile: model_profile.ModelProfile) -> str:
    text = f"FLOPs (2 for each MAC): {profile.dense_flops:,} dense"
    if profile.flops != profile.dense_flops:
        share = cells.share(profile.flops, profile.dense_flops)
        text += f", {profile.flops:,} sparse ({share} of dense)"
    return text


def _uncounted(layers: Sequence[model_profile.Uncounted]) -> list[str]:
    """Writes what was not counted, grouped by the reason."""
    if not layers:
        return []
    paths: dict[str, list[str]] = {}
    for layer in layers:
        paths.setdefault(layer.reason, []).append(
            f"{layer.path} ({layer.layer_class})"
        )
    lines = ["", "MACs and FLOPs are lower bounds. Not counted:"]
    for reason, names in paths.items():
        hidden = len(names) - PATHS_SHOWN
        more = f", and {hidden} more" if hidden > 0 else ""
        lines.append(f"- {', '.join(names[:PATHS_SHOWN])}{more}: {reason}")
    return lines
