"""The interface between methods and weights stored by their connections."""

from typing import NamedTuple

import tensorflow as tf

from tf_rigl.core import connections


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
    # The inactive positions at which the gradient is largest: int64 [k] and
    # its magnitudes, float32 [k], with k = `Algorithm.num_candidates(nnz)`.
    candidates: tf.Tensor
    candidate_scores: tf.Tensor


class ConnectionsUpdate(NamedTuple):
    """Result of a mask update on the connections of one weight."""

    move: connections.Move
    candidates: tf.Tensor  # int64 [k], the positions of which `move.grows` tells
