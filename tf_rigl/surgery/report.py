"""Report of what `shrink` has cut and kept."""

import dataclasses

from tf_rigl.core import cells
from tf_rigl.core.text_table import RowSum
from tf_rigl.core.text_table import aligned

HEADER = ("layer", "class", "units", "left", "weights", "left")
# The columns that are text and so aligned to the left.
TEXT_COLUMNS = 2


@dataclasses.dataclass(frozen=True)
class LayerShrinkage:
    """One layer before and after."""

    path: str  # of the layer in the model
    layer_class: str  # name of its class
    # Units, filters or features that it makes; None where it makes none of
    # its own or they are not known.
    units: int | None
    units_left: int | None  # those that are left
    weights: int  # elements of its weights
    weights_left: int  # those that are left
    # Why it has units that reach nothing or are constant, or why nothing is
    # known of it; each reason once.
    kept: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class ShrinkReport:
    """The units that `shrink` has cut and kept; `str()` of it is a table.

    Attributes:
        name: of the model.
        rows: a row for each layer with weights, in the model's order.
    """

    name: str
    rows: tuple[LayerShrinkage, ...]

    weights = RowSum("weights", "Elements of all weights before.")
    weights_left = RowSum("weights_left", "Elements of all weights after.")
    units = RowSum("units", "Units of all layers that make their own, before.")
    units_left = RowSum("units_left", "Those that are left.")

    def __str__(self) -> str:
        body = [
            (
                row.path,
                row.layer_class,
                *cells.counts(row.units, row.units_left),
                *cells.counts(row.weights, row.weights_left),
            )
            for row in self.rows
        ]

        totals = (self.units, self.units_left, self.weights, self.weights_left)
        total = ("total", "", *cells.counts(*totals))
        table = aligned(HEADER, body, total, TEXT_COLUMNS)

        kept = [
            f"- {row.path}: {'; '.join(row.kept)}"
            for row in self.rows
            if row.kept
        ]
        notes = ["", "Kept:", *kept] if kept else []

        return "\n".join([f"Model {self.name!r}", "", *table, *notes])
