"""The costs of a model's weights, and their table."""

import collections
import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from tf_rigl.core import cells
from tf_rigl.core import text_table
from tf_rigl.core.text_table import RowSum
from tf_rigl.masking import storage_choice

BYTES_PER_VALUE = 4
FLOPS_PER_MAC = 2
_HEADER = ("weight", "shape", "non-zeros", "sparsity", "MACs", "bytes")
_KINDS_SHOWN = 6  # the most kinds of unmasked weights that are named
_CONVENTION = (
    "Counted: the multiply-accumulates (MACs) of weights and of attention's "
    "products, two FLOPs for each. Not counted: biases, normalization, "
    "activations, pooling, embedding look-ups. Bytes: 4 for each non-zero "
    "weight and, where a mask has zeros, 1 bit for each position."
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
        storage: the storage of a masked weight and why it was chosen, if
            `sparsify` was not left at its default.
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
    storage: str | None = None

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
        small_factors: paths of kernels so small that their factors, though
            they multiply less, may be no faster, or slower.
    """

    name: str
    rows: tuple[WeightProfile, ...]
    uncounted: tuple[Uncounted, ...] = ()
    small_factors: tuple[str, ...] = ()

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

    @property
    def masked_parameters(self) -> int:
        """Elements of the weights that have a mask."""
        return sum(row.parameters for row in self.rows if row.masked)

    @property
    def masked_sparsity(self) -> float:
        """Sparsity of the weights that have a mask, a fraction in [0, 1].

        It is what `sparsify` was asked for. `sparsity` is smaller, since
        weights without a mask are dense.
        """
        active = sum(row.nonzeros for row in self.rows if row.masked)
        return _missing(active, self.masked_parameters)

    def __str__(self) -> str:
        # Biases, scales, moving averages and the like share one line.
        shown = [row for row in self.rows if not _is_minor(row)]
        minor = tuple(row for row in self.rows if _is_minor(row))
        unmasked = "dense" if self.masked_parameters else ""
        body = [_cells(row.path, row.shape, row, unmasked) for row in shown]
        if minor:
            plural = "s" if len(minor) > 1 else ""
            others = ModelProfile(f"{len(minor)} other{plural}", minor)
            body.append(_cells(others.name, (), others, unmasked))

        lines = [
            f"Model {self.name!r}, one example",
            "",
            *text_table.aligned(_HEADER, body, text_columns=2),
            "",
            *_totals(self),
            "",
            *_scope(self),
            *storage_choice.lines({row.path: row.storage for row in self.rows}),
            *_small(self.small_factors),
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
    name: str,
    shape: Sequence[int],
    costs: WeightProfile | ModelProfile,
    unmasked: str,
) -> text_table.Cells:
    """Formats the table row of a weight or of a sum over several.

    `unmasked` is the sparsity of weights without a mask.
    """
    is_masked = isinstance(costs, WeightProfile) and costs.masked
    counted = not isinstance(costs, WeightProfile) or costs.counted
    macs = cells.si_number(costs.macs) if counted else "?"
    if not costs.parameters:  # products of activations
        return name, "", "", "", macs, ""

    return (
        name,
        cells.shape(shape),
        cells.count(costs.nonzeros),
        cells.percent(costs.sparsity) if is_masked else unmasked,
        macs,
        cells.si_number(costs.bytes),
    )


def _totals(profile: ModelProfile) -> list[str]:
    """Formats the sums over all weights, to the last digit."""
    header = ("total", "dense", "sparse", "share")
    body = [
        (name, *cells.counts(dense, now), cells.share(now, dense))
        for name, dense, now in (
            ("weights", profile.parameters, profile.nonzeros),
            ("MACs", profile.dense_macs, profile.macs),
            ("FLOPs", profile.dense_flops, profile.flops),
            ("bytes", profile.dense_bytes, profile.bytes),
        )
    ]
    # Of a dense model the columns would be the same.
    shown = 4 if profile.masked_parameters else 2
    return text_table.aligned(header[:shown], [row[:shown] for row in body])


def _scope(profile: ModelProfile) -> list[str]:
    """Tells what the sparsity is a fraction of, and what is counted."""
    convention = text_table.paragraph(_CONVENTION)
    masked = profile.masked_parameters
    if not masked:
        return [convention]

    sparsity = cells.percent(profile.sparsity)
    told = (
        f"Sparsity: {cells.percent(profile.masked_sparsity)} of the {masked:,} "
        f"weights with a mask, {sparsity} of all {profile.parameters:,}. "
        f"{_unmasked(profile.rows)}"
    )
    return [text_table.paragraph(told), convention]


def _unmasked(rows: Sequence[WeightProfile]) -> str:
    """Names the weights without a mask by their kinds, the largest first."""
    sizes: collections.Counter[str] = collections.Counter()
    for row in rows:
        if not row.masked:
            is_bias = row.path.endswith("/bias")
            kind = "biases" if is_bias else row.layer_class
            sizes[kind] += row.parameters
    kinds = [(kind, size) for kind, size in sizes.most_common() if size]
    if not kinds:
        return "All have one."

    named = [f"{size:,} in {kind}" for kind, size in kinds[:_KINDS_SHOWN]]
    hidden = sum(size for _, size in kinds[_KINDS_SHOWN:])
    if hidden:
        named.append(f"{hidden:,} in others")
    return f"Dense, without a mask: {', '.join(named)}."


def _small(paths: Sequence[str]) -> list[str]:
    """Names kernels whose factors may not be worth it."""
    if not paths:
        return []
    hidden = len(paths) - _PATHS_SHOWN
    more = f", and {hidden} more" if hidden > 0 else ""
    text = (
        "Fewer MACs may be no faster, or slower, for factors of kernels as "
        f"small as {', '.join(paths[:_PATHS_SHOWN])}{more}."
    )
    return ["", text_table.paragraph(text)]


def _uncounted(layers: Sequence[Uncounted]) -> list[str]:
    """Formats the list of uncounted layers, grouped by the reason."""
    if not layers:
        return []
    paths: dict[str, list[str]] = {}
    for layer in layers:
        paths.setdefault(layer.reason, []).append(
            f"{layer.path} ({layer.layer_class})"
        )

    lines = ["", "MACs and FLOPs are lower bounds. Not counted either:"]
    for reason, names in paths.items():
        hidden = len(names) - _PATHS_SHOWN
        more = f", and {hidden} more" if hidden > 0 else ""
        line = f"- {', '.join(names[:_PATHS_SHOWN])}{more}: {reason}"
        lines.append(text_table.paragraph(line, indent="  "))
    return lines
