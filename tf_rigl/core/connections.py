"""Mask updates on lists of active connections, without dense tensors.

A weight of K inputs and N outputs lists its nnz active connections in any
order. Their flat positions, input · N + output, are those of the dense [K, N]
weight. All results equal those of `drop_and_grow` and `random_masks` on dense
tensors, with ties by the lowest flat position.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_rigl.core import random_masks
from tf_rigl.core import selection

# Positions that fit below the magnitude in one integer.
LARGEST_SIZE = 2**32
# Elements of a random tensor that are drawn at once; a multiple of four, the
# numbers of one step of the generator's counter.
BLOCK = 2**22


class Move(NamedTuple):
    """The result of one mask update on lists of connections."""

    stay: tf.Tensor  # bool [nnz]: connections that remain active
    grows: tf.Tensor  # bool [k]: candidates that become active
    happened: tf.Tensor  # bool scalar: false if a score was not finite


def drop_and_grow(
    values: tf.Tensor,
    positions: tf.Tensor,
    scores: tf.Tensor,
    candidates: tf.Tensor,
    candidate_scores: tf.Tensor,
    count: tf.Tensor,
) -> Move:
    """Does as `drop_and_grow.drop_and_grow` on lists of static size.

    The best of all positions outside the kept set are either connections that
    were just dropped or among the best inactive ones, so these are enough.

    Args:
        values: float [nnz], whose smallest magnitudes are dropped.
        positions: int64 [nnz], flat positions of the active connections.
        scores: float32 [nnz], their scores, in case that they are dropped.
        candidates: int64 [k], the inactive positions of largest score, at least
            `count` of them or all; -1 where there are fewer.
        candidate_scores: float32 [k], the scores of the candidates.
        count: integer scalar K, the number of connections to drop.
    """
    number = values.shape[0]
    count = tf.clip_by_value(tf.cast(count, tf.int64), 0, number)

    kept = selection.largest_integers_mask(
        ranks(values, positions), number - count
    )

    own = tf.where(kept, tf.constant(-1, tf.int64), ranks(scores, positions))
    others = tf.where(
        candidates < 0,
        tf.constant(-1, tf.int64),
        ranks(candidate_scores, candidates),
    )
    chosen = selection.largest_integers_mask(tf.concat([own, others], 0), count)
    stay, grows = kept | chosen[:number], chosen[number:]

    finite = tf.reduce_all(tf.math.is_finite(scores)) & tf.reduce_all(
        tf.math.is_finite(candidate_scores)
    )
    return Move(stay | ~finite, grows & finite, finite)


def ranks(scores: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
    """Returns distinct int64 numbers that order connections for selection.

    Larger magnitudes come first, and of equal ones the lower position.

    Args:
        scores: float tensor of at most 32 bits an element.
        positions: int64 tensor of the same shape, each below `LARGEST_SIZE`.
    """
    keys = tf.cast(selection.magnitude_keys(scores), tf.int64)
    return _ranked(keys, positions)


def _ranked(keys: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
    above = tf.bitwise.left_shift(keys, tf.constant(32, tf.int64))
    return above + (LARGEST_SIZE - 1 - positions)


def _position(rank: tf.Tensor) -> tf.Tensor:
    low = tf.bitwise.bitwise_and(rank, tf.constant(2**32 - 1, tf.int64))
    return LARGEST_SIZE - 1 - low


def random_positions(size: int, number: int, seed: int, path: str) -> tf.Tensor:
    """Draws the active positions of `random_masks.random_mask`, ascending.

    Needs memory for some `number` integers and one block, whatever the size.

    Args:
        size: number of elements of the weight, below `LARGEST_SIZE`.
        number: number of connections.
        seed: as for `random_masks.random_mask`.
        path: likewise.

    Returns:
        int64 [number], flat positions.
    """
    best = tf.zeros([0], tf.int64)
    # All keys are equally likely, so few below this one can be among the best.
    share = number / size
    bound = int((1 - min(1.0, share + 8 * (share / size) ** 0.5)) * 2**31)

    state = random_masks.stateless_seed(seed, path)
    for start in range(0, size, BLOCK):
        length = min(BLOCK, size - start)
        bits = random_masks.bits_from(state, start, length, None)
        keys = tf.bitwise.bitwise_and(bits, tf.int32.max)
        found = tf.where(keys >= bound)[:, 0]
        ranked = _ranked(
            tf.cast(tf.gather(keys, found), tf.int64), found + start
        )
        best = tf.concat([best, ranked], 0)

    if best.shape[0] < number:  # as good as impossible
        raise RuntimeError(f"Drew {best.shape[0]} of {number} connections.")
    best = tf.boolean_mask(best, selection.largest_integers_mask(best, number))
    return tf.sort(_position(best))


def random_candidates(
    size: int, positions: tf.Tensor, seed: tf.Tensor, number: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Draws the scores of `random_masks.random_scores` where they are needed.

    Args:
        size: number of elements of the weight, below `LARGEST_SIZE`.
        positions: int64 [nnz], flat positions of the active connections.
        seed: int64 [2], a result of `random_masks.stateless_seed`.
        number: number of candidates.

    Returns:
        The scores of the active connections, float32 [nnz], and the inactive
        positions of largest score, int64 [number] in ascending order, with
        their scores, float32 [number]. Where fewer are inactive, the last are
        -1 and -1.
    """
    none = tf.constant(-1, tf.int64)

    def draw_block(
        start: tf.Tensor, own: tf.Tensor, best: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        length = tf.minimum(np.int64(BLOCK), size - start)
        bits = random_masks.bits_from(
            seed, start, length, random_masks.BELOW_ONE
        )

        within = (positions >= start) & (positions < start + length)
        there = tf.where(within, positions - start, 0)
        own = tf.where(within, tf.gather(bits, there), own)

        # Active positions are no candidates.
        active = tf.boolean_mask(there, within)[:, None]
        ranked = _ranked(
            tf.cast(bits, tf.int64), tf.range(start, start + length)
        )
        ranked = tf.tensor_scatter_nd_update(
            ranked, active, tf.fill(tf.shape(active)[:1], none)
        )
        best = tf.math.top_k(
            tf.concat([best, ranked], 0), number, sorted=False
        ).values
        return start + length, own, tf.ensure_shape(best, [number])

    # A loop of the graph: of a loop in Python, all blocks would be in memory
    # as soon as their numbers are drawn.
    _, own, best = tf.while_loop(
        lambda start, *_: start < size,
        draw_block,
        (
            tf.constant(0, tf.int64),
            tf.zeros(positions.shape, tf.int32),
            tf.fill([number], none),
        ),
        parallel_iterations=1,
    )

    keys = tf.bitwise.right_shift(best, tf.constant(32, tf.int64))
    scores = tf.bitcast(tf.cast(keys, tf.int32), tf.float32)
    return tf.bitcast(own, tf.float32), *ascending(best, scores)


def ascending(
    ranked: tf.Tensor, scores: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the positions of `ranks`, ascending, and their scores.

    Those of negative ranks come last, as -1 with the score -1.
    """
    is_none = ranked < 0
    positions = tf.where(is_none, LARGEST_SIZE, _position(ranked))
    order = tf.argsort(positions)
    return (
        tf.gather(tf.where(is_none, np.int64(-1), positions), order),
        tf.gather(tf.where(is_none, -1.0, scores), order),
    )
