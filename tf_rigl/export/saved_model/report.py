"""Reports how the weights of an exported SavedModel are stored."""

import dataclasses

from tf_rigl.core import cells
from tf_rigl.core import text_table

# The encoding that a row shows for a weight that is not packed.
VARIABLE = "variable"
PLAN = "plan"  # likewise for a whole model that the native library runs
_PACKED = (
    "packed: not for OpenVINO or the TensorFlow.js converter (compression=None)"
)
_PLANNED = "runs where tf_rigl.load_native_ops() was called before loading"
_HEADER = ("weight", "encoding", "values", "elements", "kept", "bytes", "error")


@dataclasses.dataclass(frozen=True)
class WeightReport:
    """Storage of one weight."""

    path: str  # path of the weight, as in `masks(model)`
    shape: tuple[int, ...]
    # encoding of its mask; "variable" if it is not packed, "plan" for a plan
    encoding: str
    values: str  # format of its values, or their dtype if they are exact
    elements: int  # number of elements
    nonzeros: int  # number of elements that are kept
    bytes: int  # stored bytes, mask and values
    dense_bytes: int  # bytes of the dense weight
    error: float  # largest difference between a value and the stored value


@dataclasses.dataclass(frozen=True)
class ExportReport:
    """Result of `export_saved_model`; `str()` is a table.

    Attributes:
        path: folder of the artifact.
        rows: one row for each weight that its functions use.
        folder_bytes: total bytes of the files of the artifact.
    """

    path: str
    rows: tuple[WeightReport, ...]
    folder_bytes: int

    bytes = text_table.RowSum("bytes", "Stored bytes of the weights.")
    dense_bytes = text_table.RowSum(
        "dense_bytes", "Bytes of the weights if all were dense."
    )

    @property
    def error(self) -> float:
        """The largest difference between a value and the stored value."""
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
        encodings = {row.encoding for row in self.rows}
        if PLAN in encodings:
            lines.append(_PLANNED)
        elif encodings - {VARIABLE}:
            lines.append(_PACKED)
        return "\n".join(lines)
