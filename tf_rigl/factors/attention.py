"""Attention heads as pairs of factors.

Of each head, kernels of queries and keys occur only in Q Kᵀ, those of values
and outputs only in V O: they are factors already, of rank `key_dim` and
`value_dim`. Here they are replaced by balanced ones of a smaller rank, so that
the layer stays a plain `MultiHeadAttention`. Biases of queries, keys and values
are rows of the same matrices, which read the constant 1.
"""

import math
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_rigl.algorithms import frobenius_decay
from tf_rigl.algorithms.frobenius_decay import FactorGroup
from tf_rigl.algorithms.frobenius_decay import FrobeniusDecay
from tf_rigl.backend import flavor as flavors
from tf_rigl.backend.distribution import strategy_of
from tf_rigl.core import low_rank
from tf_rigl.masking import layer_rules

QUERY_KEY, VALUE_OUTPUT = "query_key", "value_output"
_PARTS = {
    QUERY_KEY: ("_query_dense", "_key_dense"),
    VALUE_OUTPUT: ("_value_dense", "_output_dense"),
}


class Pair(NamedTuple):
    """A pair of projections of a layer, of all heads."""

    layer: Any  # a `MultiHeadAttention`
    name: str  # `QUERY_KEY` or `VALUE_OUTPUT`

    @property
    def parts(self) -> list[Any]:
        """The two projections."""
        return [getattr(self.layer, name) for name in _PARTS[self.name]]

    @property
    def full(self) -> int:
        """The rank that each head has now."""
        is_key = self.name == QUERY_KEY
        return int(self.layer._key_dim if is_key else self.layer._value_dim)

    def num_weights(self, rank: int) -> int:
        """Returns the elements of kernels, without biases, for a rank."""
        sizes = [math.prod(part.kernel.shape) for part in self.parts]
        return sum(sizes) // self.full * rank

    def heads(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Returns the factors [inputs, rank] and [rank, outputs] of heads.

        A bias of the first is its last row, one of keys the last column of the
        second.
        """
        first, second = self.parts
        left = _with_bias(first)
        right = _array(second.kernel)  # [heads, rank, features]
        if self.name == QUERY_KEY:
            right = np.moveaxis(_with_bias(second), 0, -1)
        return list(zip(np.moveaxis(left, 1, 0), right, strict=True))


def is_supported(layer: Any) -> bool:
    """Returns whether the heads of a layer can be pairs of factors."""
    name = layer_rules.known_class(layer, ("MultiHeadAttention",))
    own = getattr(type(layer), "_compute_attention", None)
    return name is not None and flavors.is_of_keras(own)


def has_kernels(layer: Any) -> bool:
    """Returns whether all projections of a layer are built."""
    names = [name for pair in _PARTS.values() for name in pair]
    parts = [getattr(layer, name, None) for name in names]
    return all(getattr(part, "kernel", None) is not None for part in parts)


def groups(layer: Any, decay: FrobeniusDecay) -> list[FactorGroup]:
    """Returns the pairs of a layer for Frobenius decay."""
    kinds = {
        QUERY_KEY: frobenius_decay.QUERY_KEY,
        VALUE_OUTPUT: frobenius_decay.VALUE_OUTPUT,
    }
    return [
        FactorGroup(
            kind, decay, tuple(part.kernel for part in Pair(layer, name).parts)
        )
        for name, kind in kinds.items()
    ]


def rank_of_energy(pair: Pair, energy: float) -> int:
    """Returns the least rank that keeps a share of each head's product."""
    ranks = [
        low_rank.rank_of_energy(left @ right, energy)
        for left, right in pair.heads()
    ]
    return min(pair.full, max(ranks))


def shrink(pair: Pair, rank: int) -> None:
    """Replaces a pair of projections by balanced ones of a smaller rank.

    Scores are divided by the root of the new `key_dim`; kernels make up for
    that, so that they are the same for the full rank.
    """
    layer = pair.layer
    flavor = flavors.flavor_of(layer)
    found = [
        low_rank.balanced_factors(left @ right, rank)
        for left, right in pair.heads()
    ]
    left = np.stack([one for one, _ in found], 1)  # [inputs, heads, rank]
    right = np.stack([one for _, one in found])  # [heads, rank, outputs]

    first, second = pair.parts
    if pair.name == QUERY_KEY:
        scale = (rank / pair.full) ** 0.25
        _set(flavor, first, left * scale, rank)
        _set(flavor, second, np.moveaxis(right, -1, 0) * scale, rank)
        layer._key_dim = rank
        if hasattr(layer, "_inverse_sqrt_key_dim"):
            layer._inverse_sqrt_key_dim = 1 / math.sqrt(rank)
    else:
        _set(flavor, first, left, rank)
        _swap(flavor, second, "kernel", right)
        layer._value_dim = rank


def _set(
    flavor: flavors.Flavor, part: Any, matrix: np.ndarray, rank: int
) -> None:
    """Sets kernel and bias of a projection to heads, and its new sizes."""
    if part.bias is not None:
        _swap(flavor, part, "bias", matrix[-1])
        matrix = matrix[:-1]
    _swap(flavor, part, "kernel", matrix)
    for name in ("partial_output_shape", "full_output_shape"):
        shape = getattr(part, name, None)
        if shape is not None:  # tf_keras alone has the second
            setattr(part, name, type(shape)([*shape[:-1], rank]))


def _swap(
    flavor: flavors.Flavor, part: Any, name: str, values: np.ndarray
) -> None:
    old = getattr(part, name)
    regularizer = getattr(part, f"{name}_regularizer", None)
    with strategy_of([flavor.raw(old)]).scope(), tf.init_scope():
        flavor.swap_weights(part, {name: old}, {name: values}, regularizer)


def _with_bias(part: Any) -> np.ndarray:
    """Returns the kernel [inputs, heads, rank] with the bias as a row."""
    kernel = _array(part.kernel)
    if part.bias is None:
        return kernel
    return np.concatenate([kernel, _array(part.bias)[None]])


def _array(variable: Any) -> np.ndarray:
    return np.asarray(tf.convert_to_tensor(variable), np.float64)
