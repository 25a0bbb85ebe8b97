"""Reports the constants of a LiteRT file and its error."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_rigl.core import cells
from tf_rigl.core import text_table
from tf_rigl.export.litert import format
from tf_rigl.export.litert import sparse

_HEADER = ("tensor", "stored", "type", "elements", "kept", "bytes", "dense")


@dataclasses.dataclass(frozen=True)
class TensorReport:
    """Storage of one constant of a file."""

    name: str  # that the converter gave it
    shape: tuple[int, ...]  # in LiteRT's order: units first
    type: str  # of its values, "float32", "int8" and so on
    sparse: bool  # whether it is stored sparse
    elements: int  # number of elements
    nonzeros: int  # number of elements that are not zero
    bytes: int  # that it takes, values and positions
    dense_bytes: int  # that it would take dense
    reason: str = ""  # why a weight with zeros is stored dense


@dataclasses.dataclass(frozen=True)
class LiteRTReport:
    """Result of `export_litert`; `str()` is a table.

    Attributes:
        path: of the file.
        quantization: how weights and activations are stored.
        rows: one for each constant of rank 2 or more.
        file_bytes: of the file.
        dense_file_bytes: of the file before weights were made sparse.
        error: the largest difference between an output of the file, run in
            the interpreter, and of the model; None if it was not run.
        relative_error: the same as a share of the largest output.
        notes: what did not come as asked for.
        runtime: what ran the file, such as "LiteRT 2.3.0" or "TensorFlow
            2.21.0"; "" if it was not run.
    """

    path: str
    quantization: str
    rows: tuple[TensorReport, ...]
    file_bytes: int
    dense_file_bytes: int
    error: float | None
    relative_error: float | None
    notes: tuple[str, ...] = ()
    runtime: str = ""

    bytes = text_table.RowSum("bytes", "Bytes of the listed constants.")
    dense_bytes = text_table.RowSum("dense_bytes", "The same if all dense.")

    def __str__(self) -> str:
        body = [_cells(row) for row in self.rows]
        total = (
            "all",
            "",
            "",
            *cells.totals(
                self.rows, "elements", "nonzeros", "bytes", "dense_bytes"
            ),
        )

        lines = text_table.aligned(_HEADER, body, total, text_columns=3)
        lines.append(
            f"{self.path}: {self.file_bytes:,} bytes, {self.quantization}; "
            f"{self.dense_file_bytes:,} with dense weights"
        )

        if self.error is not None:
            lines.append(
                f"largest difference from the model: {self.error:.3g}, "
                f"{self.relative_error:.2%} of its largest output (run by "
                f"{self.runtime})"
            )
        return "\n".join([*lines, *self.notes])


def tensor_reports(
    model: Any, reasons: Mapping[str, str]
) -> tuple[TensorReport, ...]:
    """Reports the constants of rank 2 or more of a file, largest first.

    The reasons why some are dense are those of `rewrite.sparsify`.
    """
    rows = [
        _report(model, tensor, reasons)
        for _, tensor in format.constants(model)
        if len(format.shape(tensor)) > 1
    ]
    return tuple(sorted(rows, key=lambda row: -row.dense_bytes))


def _report(
    model: Any, tensor: Any, reasons: Mapping[str, str]
) -> TensorReport:
    data = format.data(model, tensor)
    size = 0 if data is None else data.size
    shape = format.shape(tensor)
    elements = int(np.prod(shape, dtype=np.int64))
    name = format.name(tensor)
    dtype = format.WEIGHT_TYPES.get(tensor.type)

    nonzeros = elements
    bytes_ = dense_bytes = size
    if data is not None and dtype is not None:
        nonzeros = int(np.count_nonzero(data.view(dtype)))
        dense_bytes = elements * dtype.itemsize
    if tensor.sparsity is not None:
        bytes_ += sparse.position_bytes(tensor.sparsity)

    return TensorReport(
        name=name,
        shape=shape,
        type=format.TYPES.get(tensor.type, "unknown"),
        sparse=tensor.sparsity is not None,
        elements=elements,
        nonzeros=nonzeros,
        bytes=bytes_,
        dense_bytes=dense_bytes,
        reason=reasons.get(name, ""),
    )


def _cells(row: TensorReport) -> tuple[str, ...]:
    stored = "sparse" if row.sparse else "dense"
    return (
        row.name.rpartition(";")[2][-60:],
        f"{stored}, {row.reason}" if row.reason else stored,
        row.type,
        *cells.counts(row.elements, row.nonzeros, row.bytes, row.dense_bytes),
    )
