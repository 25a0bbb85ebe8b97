"""A table of the ranks of a factorized model."""

import dataclasses
import math
from typing import Any

from tf_rigl.backend import flavor as flavors
from tf_rigl.core import cells
from tf_rigl.core import low_rank
from tf_rigl.core import text_table
from tf_rigl.core.text_table import RowSum
from tf_rigl.factors import attention
from tf_rigl.factors import layouts
from tf_rigl.factors.attention import Pair
from tf_rigl.masking import tree
from tf_rigl.masking.layer_rules import FACTORS
from tf_rigl.masking.layer_rules import HEADS

# The attribute of a model with the reasons why weights have no factors.
LEFT = "_tf_rigl_without_factors"
_HEADER = ("kernel", "class", "form", "shape", "rank", "full", "dense", "left")


@dataclasses.dataclass(frozen=True)
class KernelRank:
    """The factors of one kernel, or of a pair of projections."""

    path: str  # that of the kernel, or of the attention layer and the pair
    layer_class: str
    form: str
    shape: tuple[int, ...]  # of the kernel
    rank: int
    full_rank: int
    weights: int  # the number of elements without factors
    weights_left: int  # that of all factors
    # Whether calls multiply the factors and then call the kernel, because the
    # factors are no smaller.
    is_product: bool
    # Whether the kernel is so small that factors may be no faster than it.
    may_be_slower: bool


@dataclasses.dataclass(frozen=True)
class FactorReport:
    """The ranks of a model's factors; `str()` makes a table.

    Attributes:
        name: the model's name.
        rows: a row for each kernel with factors, in the model's order.
        left: reasons why other weights have none, by path; those that
            `factorize` gave, so empty for a loaded model.
    """

    name: str
    rows: tuple[KernelRank, ...]
    left: dict[str, str]

    weights = RowSum("weights", "Elements of the kernels.")
    weights_left = RowSum("weights_left", "Elements of all factors.")

    def __str__(self) -> str:
        body = [
            (
                row.path,
                row.layer_class,
                row.form,
                cells.shape(row.shape),
                *cells.counts(
                    row.rank, row.full_rank, row.weights, row.weights_left
                ),
            )
            for row in self.rows
        ]
        sums = cells.counts(self.weights, self.weights_left)
        total = ("total", "", "", "", "", "", *sums)
        table = text_table.aligned(_HEADER, body, total, text_columns=3)

        notes = []
        slower = [row.path for row in self.rows if row.may_be_slower]
        if slower:
            notes += [
                "",
                text_table.paragraph(
                    "So small that factors may be no faster than the kernel, "
                    f"or slower: {', '.join(slower)}."
                ),
            ]
        products = [row.path for row in self.rows if row.is_product]
        if products:
            notes += [
                "",
                text_table.paragraph(
                    "No smaller than the kernel, which calls multiply out: "
                    f"{', '.join(products)}."
                ),
            ]
        if self.left:
            lines = [f"- {path}: {why}" for path, why in self.left.items()]
            notes += ["", "Without factors:", *lines]
        return "\n".join([f"Model {self.name!r}", "", *table, *notes])


def ranks(model: Any) -> FactorReport:
    """Lists the factors of a model that `factorize` has made.

    Args:
        model: a model of either Keras; one without factors has no rows.

    Returns:
        The ranks and sizes, kernel by kernel; `str()` makes a table.

    Raises:
        TypeError: if `model` is a model of neither Keras.

    Example:
        >>> print(tf_rigl.ranks(model))
    """
    flavor = flavors.model_flavor(model)
    rows = []
    for node in tree.walk(flavor, model):
        path = "/".join(node.path)
        for name, factored in node.layer.__dict__.get(FACTORS, {}).items():
            rows.append(_kernel(f"{path}/{name}", node.layer, factored))
        if HEADS in node.layer.__dict__:
            before = node.layer.__dict__[HEADS]
            pairs = attention.QUERY_KEY, attention.VALUE_OUTPUT
            for name, full in zip(pairs, before, strict=True):
                rows.append(_pair(path, Pair(node.layer, name), full))
    left = dict(model.__dict__.get(LEFT, {}))
    return FactorReport(model.name, tuple(rows), left)


def _kernel(path: str, layer: Any, factored: Any) -> KernelRank:
    config = factored.config
    size = math.prod(config.shape)
    sizes = factored.layout.sizes(config.shape)
    return KernelRank(
        path,
        flavors.plain_class(layer).__name__,
        config.form,
        config.shape,
        config.rank,
        layouts.full_rank(factored.layout, config.shape),
        size,
        config.num_weights(sizes),
        not factored.is_thin,
        factored.is_thin and size <= low_rank.SMALL,
    )


def _pair(path: str, pair: Pair, full: int) -> KernelRank:
    shape = tuple(pair.parts[0].kernel.shape)
    return KernelRank(
        f"{path}/{pair.name}",
        flavors.plain_class(pair.layer).__name__,
        "heads",
        shape,
        pair.full,
        full,
        pair.num_weights(full),
        pair.num_weights(pair.full),
        False,
        False,
    )
