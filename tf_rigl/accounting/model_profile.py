"""Records of the costs of a model's weights, and their table."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from tf_rigl.core import cells
from tf_rigl.core import text_table
from tf_rigl.core.text_table import RowSum

BYTES_PER_VALUE = 4
FLOPS_PER_MAC = 2
_HEADER = (
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
_PATHS_SHOWN = 8  # layers that are not counted for one reason


@dataclasses.dataclass(frozen=True)
class WeightProfile:
    """One weight, or the weightless products of one layer.

    Attributes:
        path: of the weight, as in `masks(model)`.
        layer_class: name of the class of the layer that owns it.
        shape: of the weight; empty for products of activations.
        parameters: number of elements.
        nonzeros: number of connections: what the mask lets through, else all
            elements, whatever their values.
        macs: multiply-accumulates of one example.
        dense_macs: the same if the weight were dense.
        masked: whether a mask belongs to the weight.
        counted: whether all of its multiply-accumulates are in `macs`; if
            not, the profile's `uncounted` says why.
    """

    path: str
    layer_class: str
    shape: tuple[int, ...]
    parameters: int
    nonzeros: int
    macs: int
    dense_macs: int
    masked: bool = False
    counted: bool = True

    @property
    def sparsity(self) -> float:
        """Fraction of the elements that are masked, in [0, 1]."""
        return _missing(self.nonzeros, self.parameters)

    @property
    def flops(self) -> int:
        """Floating point operations of one example: two for each MAC."""
        return FLOPS_PER_MAC * self.macs

    @property
    def dense_flops(self) -> int:
        """The same if the weight were dense."""
        return FLOPS_PER_MAC * self.dense_macs

    @property
    def bytes(self) -> int:
        """32-bit values and, where some are missing, one bit an element."""
        bits = self.parameters if self.nonzeros < self.parameters else 0
        return BYTES_PER_VALUE * self.nonzeros + -(-bits // 8)

    @property
    def dense_bytes(self) -> int:
        """The same if the weight were dense."""
        return BYTES_PER_VALUE * self.parameters


class Uncounted(NamedTuple):
    """A layer whose multiply-accumulates are not, or not all, counted."""

    path: str
    layer_class: str
    reason: str


@dataclasses.dataclass(frozen=True)
class ModelProfile:
    """Costs of a model, weight by weight and in all; `str()` is a table.

    Attributes:
        name: of the model.
        rows: one for each weight, trainable or not, in the order of the
            layers, and one for the products of each attention layer.
        uncounted: layers whose multiply-accumulates could not be counted;
            if there are any, MACs and FLOPs are lower bounds.
    """

    name: str
    rows: tuple[WeightProfile, ...]
    uncounted: tuple[Uncounted, ...] = ()

    parameters = RowSum("parameters", "Elements of all weights.")
    nonzeros = RowSum("nonzeros", "Elements of all weights that no mask hides.")

    @property
    def sparsity(self) -> float:
        """Fraction of all elements that are masked, in [0, 1]."""
        return _missing(self.nonzeros, self.parameters)

    macs = RowSum("macs", "Multiply-accumulates of one example.")
    dense_macs = RowSum("dense_macs", "The same if all weights were dense.")
    flops = RowSum("flops", "Operations on floats of one example, 2 a MAC.")
    dense_flops = RowSum("dense_flops", "The same if all weights were dense.")
    bytes = RowSum("bytes", "32-bit values, and a bit an element if sparse.")
    dense_bytes = RowSum("dense_bytes", "The same if all weights were dense.")

    def __str__(self) -> str:
        # Biases, scales, moving averages and the like share one line.
        shown = [row for row in self.rows if not _is_minor(row)]
        minor = tuple(row for row in self.rows if _is_minor(row))
        body = [_cells(row.path, row.shape, row) for row in shown]
        if minor:
            plural = "s" if len(minor) > 1 else ""
            others = ModelProfile(f"{len(minor)} other{plural}", minor)
            body.append(_cells(others.name, (), others))
        total = _cells("total", (), self)

        flops = f"FLOPs (2 for each MAC): {self.dense_flops:,} dense"
        if self.flops != self.dense_flops:
            share = cells.share(self.flops, self.dense_flops)
            flops += f", {self.flops:,} sparse ({share} of dense)"

        lines = [
            f"Model {self.name!r}, one example",
            "",
            *text_table.aligned(_HEADER, body, total, text_columns=2),
            "",
            flops,
            *_uncounted(self.uncounted),
        ]
        return "\n".join(lines)


def _missing(nonzeros: int, parameters: int) -> float:
    return 1 - nonzeros / parameters if parameters else 0.0


def _is_minor(row: WeightProfile) -> bool:
    """Tells rows that say nothing alone: a bias, a moving average."""
    is_vector = len(row.shape) <= 1 or row.path.endswith("/bias")
    multiplies = row.dense_macs > 0 or not row.counted
    return is_vector and not row.masked and not multiplies


def _cells(
    name: str, shape: Sequence[int], costs: WeightProfile | ModelProfile
) -> text_table.Cells:
    """Writes the row of a weight, or of several added up."""
    counted = not isinstance(costs, WeightProfile) or costs.counted
    # Products of activations have no parameters.
    has_parameters = costs.parameters > 0

    return (
        name,
        cells.shape(shape),
        *_counts(has_parameters, "", costs.parameters, costs.nonzeros),
        cells.share(costs.parameters - costs.nonzeros, costs.parameters),
        *_counts(counted, "?", costs.dense_macs, costs.macs),
        *_counts(has_parameters, "", costs.dense_bytes, costs.bytes),
    )


def _counts(known: bool, unknown: str, *numbers: int) -> text_table.Cells:
    return cells.counts(*numbers) if known else (unknown,) * len(numbers)


def _uncounted(layers: Sequence[Uncounted]) -> list[str]:
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
        hidden = len(names) - _PATHS_SHOWN
        more = f", and {hidden} more" if hidden > 0 else ""
        lines.append(f"- {', '.join(names[:_PATHS_SHOWN])}{more}: {reason}")
    return lines
