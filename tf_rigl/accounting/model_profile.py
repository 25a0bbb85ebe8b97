"""The costs of a model's weights, and their table."""

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
_PATHS_SHOWN = 8  # the most uncounted layers that are named for a reason


@dataclasses.dataclass(frozen=True)
class WeightProfile:
    """Costs of one weight, or of the products of activations in one layer.

    Attributes:
        path: the weight's path, as in `masks(model)`.
        layer_class: the name of the class of the layer that owns the weight.
        shape: the weight's shape; empty for products of activations.
        parameters: the number of elements.
        nonzeros: the number of active connections, whatever their values; all
            elements of a weight without a mask.
        macs: multiply-accumulates of one example.
        dense_macs: the same if the weight were dense.
        masked: whether the weight has a mask.
        counted: whether `macs` has all of its multiply-accumulates; if not,
            the profile's `uncounted` has the reason.
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
        """Floating point operations if the weight were dense."""
        return FLOPS_PER_MAC * self.dense_macs

    @property
    def bytes(self) -> int:
        """Bytes of 32-bit values and, if sparse, of one bit per element."""
        bits = self.parameters if self.nonzeros < self.parameters else 0
        return BYTES_PER_VALUE * self.nonzeros + -(-bits // 8)

    @property
    def dense_bytes(self) -> int:
        """Bytes of all values if the weight were dense."""
        return BYTES_PER_VALUE * self.parameters


class Uncounted(NamedTuple):
    """A layer whose multiply-accumulates are not or only partly counted."""

    path: str
    layer_class: str
    reason: str


@dataclasses.dataclass(frozen=True)
class ModelProfile:
    """Costs of a model, by weight and in total; `str()` makes a table.

    Attributes:
        name: the model's name.
        rows: a row for each weight, trainable or not, in the order of the
            layers, and one for the products of each attention layer.
        uncounted: layers whose multiply-accumulates could not be counted;
            if there are any, MACs and FLOPs are lower bounds.
    """

    name: str
    rows: tuple[WeightProfile, ...]
    uncounted: tuple[Uncounted, ...] = ()

    parameters = RowSum("parameters", "Elements of all weights.")
    nonzeros = RowSum("nonzeros", "Elements of all weights, masked ones aside.")

    @property
    def sparsity(self) -> float:
        """Fraction of all elements that are masked, in [0, 1]."""
        return _missing(self.nonzeros, self.parameters)

    macs = RowSum("macs", "Multiply-accumulates of one example.")
    dense_macs = RowSum("dense_macs", "`macs` if all weights were dense.")
    flops = RowSum("flops", "Floating point operations of one example.")
    dense_flops = RowSum("dense_flops", "`flops` if all weights were dense.")
    bytes = RowSum("bytes", "Bytes of all weights; see `WeightProfile.bytes`.")
    dense_bytes = RowSum("dense_bytes", "`bytes` if all weights were dense.")

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
    """Returns whether a row is a bias, a moving average or the like."""
    is_vector = len(row.shape) <= 1 or row.path.endswith("/bias")
    multiplies = row.dense_macs > 0 or not row.counted
    return is_vector and not row.masked and not multiplies


def _cells(
    name: str, shape: Sequence[int], costs: WeightProfile | ModelProfile
) -> text_table.Cells:
    """Formats the table row of a weight or of a sum over several."""
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
    """Formats the list of uncounted layers, grouped by the reason."""
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
