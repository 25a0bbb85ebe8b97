"""Reports how the constants of a LiteRT file are stored, and its error."""

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

    name: str  # name given by the converter
    shape: tuple[int, ...]  # in LiteRT's order: units first
    type: str  # type of its values, such as "float32" or "int8"
    sparse: bool  # whether it is stored sparse
    elements: int  # number of elements
    nonzeros: int  # number of elements that are not zero
    bytes: int  # stored bytes, values and positions
    dense_bytes: int  # bytes of the dense constant
    reason: str = ""  # why a weight with zeros is stored dense, else ""


@dataclasses.dataclass(frozen=True)
class LiteRTReport:
    """Result of `export_litert`; `str()` is a table.

    Attributes:
        path: path of the file.
        quantization: how weights and activations are stored.
        rows: one row for each constant of rank 2 or more, largest first.
        file_bytes: size of the file.
        dense_file_bytes: size of the file before weights were stored sparse.
        error: the largest difference between an output of the file, run in
            an interpreter, and of the model; None if it was not run.
        relative_error: `error` as a fraction of the largest output.
        notes: what differs from what was asked for, and why.
        runtime: the interpreter that ran the file, such as "LiteRT 2.3.0" or
            "TensorFlow 2.21.0"; "" if it was not run.
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

    bytes = text_table.RowSum("bytes", "Stored bytes of the listed constants.")
    dense_bytes = text_table.RowSum(
        "dense_bytes", "Bytes of the listed constants if all were dense."
    )

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

    Args:
        model: the file as a `ModelT`; see `format`.
        reasons: why weights with zeros are stored dense, by their names, as
            `rewrite.sparsify` returns it.
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
    shape = format.shape(tensor)
    elements = int(np.prod(shape, dtype=np.int64))
    name = format.name(tensor)

    # Zeros are counted only in the types that weights have.
    nonzeros = elements
    stored_bytes = dense_bytes = 0 if data is None else data.size
    dtype = format.WEIGHT_TYPES.get(tensor.type)
    if data is not None and dtype is not None:
        nonzeros = int(np.count_nonzero(data.view(dtype)))
        dense_bytes = elements * dtype.itemsize
    if tensor.sparsity is not None:
        stored_bytes += sparse.position_bytes(tensor.sparsity)

    return TensorReport(
        name=name,
        shape=shape,
        type=format.TYPES.get(tensor.type, "unknown"),
        sparse=tensor.sparsity is not None,
        elements=elements,
        nonzeros=nonzeros,
        bytes=stored_bytes,
        dense_bytes=dense_bytes,
        reason=reasons.get(name, ""),
    )


def _cells(row: TensorReport) -> tuple[str, ...]:
    stored = "sparse" if row.sparse else "dense"
    return (
        # The converter joins the names of all operations that it has fused.
        row.name.rpartition(";")[2][-60:],
        f"{stored}, {row.reason}" if row.reason else stored,
        row.type,
        *cells.counts(row.elements, row.nonzeros, row.bytes, row.dense_bytes),
    )
