"""Selection among all weights of a model at once."""

from collections.abc import Sequence

import tensorflow as tf

from tf_rigl.core import selection


def largest_of_all(
    scores: Sequence[tf.Tensor],
    candidates: Sequence[tf.Tensor],
    count: tf.Tensor,
) -> list[tf.Tensor]:
    """Marks the `count` candidates of largest magnitude over several weights.

    Ties go to the first weight and there to the lowest flat index.

    Args:
        scores: float tensors of static shapes; compared as float32.
        candidates: a bool tensor of the same shape for each.
        count: integer scalar, at most the number of candidates.

    Returns:
        A bool tensor of its shape for each, with `count` true entries in all.
    """
    flat_scores = [tf.reshape(tf.cast(s, tf.float32), [-1]) for s in scores]
    flat_candidates = [tf.reshape(c, [-1]) for c in candidates]
    marked = selection.largest_mask(
        tf.concat(flat_scores, 0), tf.concat(flat_candidates, 0), count
    )
    sizes = [flat.shape[0] for flat in flat_scores]
    return [
        tf.reshape(part, one.shape)
        for part, one in zip(tf.split(marked, sizes), scores, strict=True)
    ]
