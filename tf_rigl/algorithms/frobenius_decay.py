"""Frobenius decay: weight decay of the product that factors stand for."""

import dataclasses
import functools
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.algorithms.penalty import Penalty
from tf_rigl.core import checks

# The kinds of factors: matrices [rows, rank], perhaps [rank, rank], and [rank,
# columns]; and of each head, kernels of queries and keys [features, heads,
# rank], of values [features, heads, rank] and outputs [heads, rank, features].
MATRICES, QUERY_KEY, VALUE_OUTPUT = "matrices", "query_key", "value_output"


@dataclasses.dataclass(frozen=True)
class FrobeniusDecay:
    """The term λ/2 · ‖W‖² of each product W = V M U of factors.

    Weight decay of a kernel is that of its Frobenius norm. On factors it would
    be another regularizer, that of the nuclear norm. So this takes its place:
    the exact gradients λ·W·Uᵀ·Mᵀ, λ·Vᵀ·W·Uᵀ and λ·Mᵀ·Vᵀ·W, computed by small
    matrices, are added before the optimizer's step, and a weight decay of the
    optimizer leaves these factors out.

    Pass it to `tf_rigl.factorize(..., frobenius_decay=...)`.

    Attributes:
        strength: λ, that of the weight decay it replaces; at least 0.
        decoupled: whether the learning rate times the gradient is subtracted
            from the factors themselves, as AdamW does with its weight decay,
            instead of passing through momentum and adaptive rates.

    Raises:
        ValueError: if `strength` is negative.

    Reference: Khodak et al., "Initialization and Regularization of Factorized
    Neural Layers", ICLR 2021, arXiv:2105.01029, section 3.2. The decoupled form
    is that of Loshchilov and Hutter, arXiv:1711.05101.

    Example:
        >>> decay = tf_rigl.FrobeniusDecay(1e-2, decoupled=True)
        >>> model = tf_rigl.factorize(model, ratio=0.1, frobenius_decay=decay)
    """

    strength: float = 0.0
    decoupled: bool = False

    def __post_init__(self) -> None:
        checks.check_at_least("strength", self.strength, 0)


class FactorGroup(NamedTuple):
    """The factors of one product, as a factorized layer tells of them."""

    kind: str  # one of the kinds above
    decay: FrobeniusDecay
    variables: tuple[Any, ...]  # Keras variables


def groups_of(layers: Iterable[Any]) -> list[FactorGroup]:
    """Returns the factors of all products in some layers that decay."""
    return [
        group
        for layer in layers
        for group in getattr(layer, "factor_groups", list)()
        if group.decay.strength
    ]


def penalties(groups: Iterable[FactorGroup]) -> list[Penalty]:
    """Returns the penalties of the decays that groups have."""
    kinds = dict.fromkeys((group.decay, group.kind) for group in groups)
    return [ProductDecay(*one) for one in kinds]


@dataclasses.dataclass(frozen=True)
class ProductDecay(Penalty):
    """The penalty on the factors of one kind that have one decay."""

    decay: FrobeniusDecay
    kind: str

    replaces_weight_decay = True

    @property
    def decoupled(self) -> bool:  # type: ignore[override]
        """Whether the gradient does not go through the optimizer."""
        return self.decay.decoupled

    def groups(self, layers: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Returns the factors of each product."""
        return [
            group.variables
            for group in groups_of(layers.values())
            if (group.decay, group.kind) == (self.decay, self.kind)
        ]

    def gradients(self, values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Computes the gradients of λ/2 · ‖W‖² by small matrices."""
        rule = {
            MATRICES: _of_matrices,
            QUERY_KEY: _of_query_key,
            VALUE_OUTPUT: _of_value_output,
        }[self.kind]
        return [self.decay.strength * one for one in rule(values)]


def _of_matrices(values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    first, *middle, last = values
    rows = tf.matmul(first, first, transpose_a=True)  # VᵀV, [rank, rank]
    columns = tf.matmul(last, last, transpose_b=True)  # UUᵀ
    if not middle:
        return [tf.matmul(first, columns), tf.matmul(rows, last)]

    (inner,) = middle
    inside = functools.reduce(tf.matmul, (rows, inner, columns))
    return [
        tf.matmul(
            first, tf.matmul(tf.matmul(inner, columns), inner, transpose_b=True)
        ),
        inside,
        tf.matmul(
            tf.matmul(tf.matmul(inner, rows, transpose_a=True), inner), last
        ),
    ]


def _of_query_key(values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    query, key = values
    gram = "dhr,dhs->hrs"
    return [
        tf.einsum("dhr,hrs->dhs", query, tf.einsum(gram, key, key)),
        tf.einsum("dhr,hrs->dhs", key, tf.einsum(gram, query, query)),
    ]


def _of_value_output(values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    value, output = values
    outputs = tf.einsum("hro,hso->hrs", output, output)
    read = tf.einsum("dhr,dhs->hrs", value, value)
    return [
        tf.einsum("dhr,hrs->dhs", value, outputs),
        tf.einsum("hrs,hso->hro", read, output),
    ]
