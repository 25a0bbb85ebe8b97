"""The interface between methods and weights stored by their connections."""

from typing import NamedTuple

import tensorflow as tf


class ConnectionsView(NamedTuple):
    """A weight as a method sees it whose storage has no dense tensors.

    Connections are listed in any order; positions are flat positions in the
    dense weight.
    """

    key: str  # stable across runs; seeds random numbers
    size: int  # number of elements of the dense weight
    values: tf.Tensor  # float [nnz]
    positions: tf.Tensor  # int64 [nnz]
    gradient: tf.Tensor  # float [nnz]
    # The inactive positions at which the gradient is largest: int64 [k] in
    # ascending order, -1 after the last, and its magnitudes, float32 [k], with
    # k = `Algorithm.num_candidates(nnz)`.
    candidates: tf.Tensor
    candidate_scores: tf.Tensor


class ConnectionsUpdate(NamedTuple):
    """What a mask update of one weight decides by.

    `core.connections.drop_and_grow` does the rest: the `count` smallest values
    are dropped, and the best of these and of the candidates become active.
    """

    scores: tf.Tensor  # float32 [nnz], of the active connections
    # Inactive positions in ascending order, -1 after the last: int64 [k].
    candidates: tf.Tensor
    candidate_scores: tf.Tensor  # float32 [k], -1 after the last
    count: tf.Tensor  # int64 scalar, number of connections to drop
