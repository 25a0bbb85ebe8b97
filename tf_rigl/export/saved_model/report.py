"""Reports the weights of an exported SavedModel."""

import dataclasses

from tf_rigl.core import cells
from tf_rigl.core import text_table

# As a row names what is not packed.
VARIABLE = "variable"
_PACKED = (
    "packed: OpenVINO and the converter of TensorFlow.js do not read it; what "
    "compression=None writes they do"
)
_HEADER = ("weight", "encoding", "values", "elements", "kept", "bytes", "error")


@dataclasses.dataclass(frozen=True)
class WeightReport:
    """Storage of one weight."""

    path: str  # of the weight, as in `masks(model)`
    shape: tuple[int, ...]  # of the weight
    encoding: str  # how its mask is stored; "variable": not packed
    values: str  # the format of its values
    elements: int  # number of elements
    nonzeros: int  # number of elements that are kept
    bytes: int  # that the weight takes, mask and values
    dense_bytes: int  # that it would take dense
    error: float  # the largest difference between a value and what is stored


@dataclasses.dataclass(frozen=True)
class ExportReport:
    """Result of `export_saved_model`; `str()` is a table.

    Attributes:
        path: of the artifact.
        rows: one for each weight that its functions use.
        folder_bytes: of all files of the artifact.
    """

    path: str
    rows: tuple[WeightReport, ...]
    folder_bytes: int

    bytes = text_table.RowSum("bytes", "Bytes of the weights.")
    dense_bytes = text_table.RowSum("dense_bytes", "The same if all dense.")

    @property
    def error(self) -> float:
        """The largest difference between a value and what is stored."""
        return max((row.error for row in self.rows), default=0.0)

    def __str__(self) -> str:
        body = [
            (
                row.path,
                row.encoding,
                row.values,
                *cells.counts(row.elements, row.nonzeros, row.bytes),
                f"{row.error:.2g}",
            )
            for row in self.rows
        ]

        total = (
            "all",
            "",
            "",
            *cells.totals(self.rows, "elements", "nonzeros", "bytes"),
            f"{self.error:.2g}",
        )

        lines = text_table.aligned(_HEADER, body, total, text_columns=3)
        lines.append(
            f"{self.path}: {self.folder_bytes:,} bytes in all, the weights "
            f"dense {self.dense_bytes:,}"
        )
        if any(row.encoding != VARIABLE for row in self.rows):
            lines.append(_PACKED)
        return "\n".join(lines)
