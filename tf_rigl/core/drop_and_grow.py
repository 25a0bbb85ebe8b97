"""The mask update of one weight that RigL and SET share."""

from typing import NamedTuple

import tensorflow as tf

from tf_rigl.core import selection


class MaskUpdate(NamedTuple):
    """The result of one mask update of one weight.

    A connection that was dropped and grew back within the update is neither
    in `dropped` nor in `grown`: it never left.
    """

    mask: tf.Tensor  # the weight's shape, bool: the new mask
    dropped: tf.Tensor  # the weight's shape, bool: active before, not after
    grown: tf.Tensor  # the weight's shape, bool: active after, not before


def changed(old: tf.Tensor, new: tf.Tensor) -> MaskUpdate:
    """Returns the `MaskUpdate` that leads from mask `old` to mask `new`."""
    return MaskUpdate(new, old & ~new, new & ~old)


def changed_if_finite(
    old: tf.Tensor, new: tf.Tensor, scores: tf.Tensor
) -> MaskUpdate:
    """Returns the update to a new mask, or none if a score is not finite."""
    finite = tf.reduce_all(tf.math.is_finite(scores))
    return changed(old, tf.where(finite, new, old))


def drop_and_grow(
    weights: tf.Tensor,
    mask: tf.Tensor,
    grow_scores: tf.Tensor,
    count: int | tf.Tensor,
) -> MaskUpdate:
    """Drops the `count` weakest connections and grows as many elsewhere.

    Of the nnz active connections, the nnz - count with the largest |weight| are
    kept. Among all other positions, including the ones just dropped, the
    `count` with the largest |score| become active. Inactive positions never
    compete for being kept, kept ones never compete for growth, ties go to the
    lowest flat index, and the number of connections never changes. The result
    is bit for bit the same in eager mode, in a graph and under XLA.

    If any score is NaN or infinite, the scores do not tell where to grow, and
    the mask stays as it is. A NaN weight counts as larger than infinity.

    Args:
        weights: float16, bfloat16, float32 or float64 tensor of static shape.
        mask: bool tensor of the same shape, the active connections.
        grow_scores: float tensor of the same shape, the dense gradient for
            RigL. Only its magnitude counts.
        count: integer scalar K >= 0; a value above nnz counts as nnz.

    Returns:
        A `MaskUpdate` of bool tensors of the weight's shape.

    Raises:
        ValueError: if the three tensors differ in shape, or a dimension
            is unknown.
        TypeError: if weights or scores are not floating point, the mask
            is not bool or the count is no integer.

    Reference: Evci et al., "Rigging the Lottery: Making All Tickets Winners",
    ICML 2020 (arXiv:1911.11134), Algorithm 1.
    """
    weights, mask, grow_scores = (
        tf.convert_to_tensor(weights),
        tf.convert_to_tensor(mask),
        tf.convert_to_tensor(grow_scores),
    )
    count = tf.convert_to_tensor(count)
    _check(weights, mask, grow_scores, count)

    nonzeros = selection.count_true(mask)
    count = tf.minimum(tf.cast(count, tf.int64), nonzeros)
    count = tf.maximum(count, 0)
    kept = selection.largest_mask(weights, mask, nonzeros - count)
    grown = selection.largest_mask(grow_scores, ~kept, count)
    return changed_if_finite(mask, kept | grown, grow_scores)


def grow(
    mask: tf.Tensor, scores: tf.Tensor, count: int | tf.Tensor
) -> MaskUpdate:
    """Grows up to `count` connections and drops none.

    Follows the rules of `drop_and_grow`.

    Args:
        mask: bool tensor of static shape, the active connections.
        scores: float tensor of the same shape. Only its magnitude counts.
        count: integer scalar; a value above the number of inactive positions
            counts as that number.
    """
    free = ~mask
    count = tf.minimum(tf.cast(count, tf.int64), selection.count_true(free))
    grown = selection.largest_mask(scores, free, count)
    return changed_if_finite(mask, mask | grown, scores)


def drop(
    weights: tf.Tensor, mask: tf.Tensor, count: int | tf.Tensor
) -> MaskUpdate:
    """Drops the `count` weakest connections and grows none.

    Args:
        weights: float tensor of static shape.
        mask: bool tensor of the same shape, the active connections.
        count: integer scalar, at most the number of connections.
    """
    kept = selection.count_true(mask) - tf.cast(count, tf.int64)
    return changed(mask, selection.largest_mask(weights, mask, kept))


def _check(
    weights: tf.Tensor,
    mask: tf.Tensor,
    grow_scores: tf.Tensor,
    count: tf.Tensor,
) -> None:
    if mask.dtype != tf.bool:
        raise TypeError(
            "`mask` must be a bool tensor. "
            f"Received: mask.dtype={mask.dtype.name}. "
            "Pass `tf.cast(mask, tf.bool)`."
        )
    for name, tensor in (("weights", weights), ("grow_scores", grow_scores)):
        if not tensor.dtype.is_floating:
            raise TypeError(
                f"`{name}` must be floating point. "
                f"Received: {name}.dtype={tensor.dtype.name}."
            )

    if not count.dtype.is_integer:
        raise TypeError(
            "`count` must be an integer, a number of connections. "
            f"Received: count.dtype={count.dtype.name}. For a fraction f of "
            "the connections pass the integer part of f times their number."
        )

    if not weights.shape == mask.shape == grow_scores.shape:
        raise ValueError(
            "`weights`, `mask` and `grow_scores` must have the same shape. "
            f"Received: {weights.shape}, {mask.shape} and {grow_scores.shape}."
        )
    if not weights.shape.is_fully_defined():
        raise ValueError(
            "The shape must be known when the graph is built. "
            f"Received: weights.shape={weights.shape}. Call "
            "`weights.set_shape` first, or give the function a signature "
            "without None."
        )
