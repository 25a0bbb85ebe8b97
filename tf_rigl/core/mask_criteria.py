"""Mask criteria: scores of a weight's initial and final values.

Reference: Zhou et al., "Deconstructing Lottery Tickets: Zeros, Signs, and the
Supermask", NeurIPS 2019, arXiv:1905.01067, section 2. The positions with the
highest scores are kept. Signs are compared as by `sign`, so zero agrees with
zero only.

All functions take float32 tensors of one shape: the initial values, the final
values and, as bool, the candidates. Those that rank positions need to know the
candidates, because positions that are masked already do not compete.
"""

from collections.abc import Callable
from collections.abc import Mapping
from types import MappingProxyType

import tensorflow as tf

from tf_rigl.core.selection import magnitude_keys

MaskCriterion = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


def large_final(
    initial: tf.Tensor, final: tf.Tensor, candidates: tf.Tensor
) -> tf.Tensor:
    """Returns |w_f|, which is the magnitude."""
    del initial, candidates
    return tf.abs(final)


def small_final(
    initial: tf.Tensor, final: tf.Tensor, candidates: tf.Tensor
) -> tf.Tensor:
    """Returns -|w_f|."""
    del initial, candidates
    return -tf.abs(final)


def large_init(
    initial: tf.Tensor, final: tf.Tensor, candidates: tf.Tensor
) -> tf.Tensor:
    """Returns |w_i|."""
    del final, candidates
    return tf.abs(initial)


def small_init(
    initial: tf.Tensor, final: tf.Tensor, candidates: tf.Tensor
) -> tf.Tensor:
    """Returns -|w_i|."""
    del final, candidates
    return -tf.abs(initial)


def magnitude_increase(
    initial: tf.Tensor, final: tf.Tensor, candidates: tf.Tensor
) -> tf.Tensor:
    """Returns |w_f| - |w_i|."""
    del candidates
    return tf.abs(final) - tf.abs(initial)


def movement(
    initial: tf.Tensor, final: tf.Tensor, candidates: tf.Tensor
) -> tf.Tensor:
    """Returns |w_f - w_i|."""
    del candidates
    return tf.abs(final - initial)


def large_init_large_final(
    initial: tf.Tensor, final: tf.Tensor, candidates: tf.Tensor
) -> tf.Tensor:
    """Returns min(rank of |w_i|, rank of |w_f|) among the candidates.

    The paper's score is min(α |w_f|, |w_i|), with an α for each layer at which
    both thresholds cut the same share. Ranks have that property for any number
    of connections to keep, exactly.
    """
    return tf.minimum(
        _ranks(magnitude_keys(initial), candidates),
        _ranks(magnitude_keys(final), candidates),
    )


def small_init_small_final(
    initial: tf.Tensor, final: tf.Tensor, candidates: tf.Tensor
) -> tf.Tensor:
    """Returns min(rank of -|w_i|, rank of -|w_f|) among the candidates.

    The paper's score is -max(α |w_f|, |w_i|); see `large_init_large_final`.
    """
    return tf.minimum(
        _ranks(-magnitude_keys(initial), candidates),
        _ranks(-magnitude_keys(final), candidates),
    )


def large_final_same_sign(
    initial: tf.Tensor, final: tf.Tensor, candidates: tf.Tensor
) -> tf.Tensor:
    """Returns |w_f| where the sign has stayed, else 0."""
    del candidates
    return _where_sign(tf.equal, initial, final, tf.abs(final))


def large_final_diff_sign(
    initial: tf.Tensor, final: tf.Tensor, candidates: tf.Tensor
) -> tf.Tensor:
    """Returns |w_f| where the sign has changed, else 0."""
    del candidates
    return _where_sign(tf.not_equal, initial, final, tf.abs(final))


def magnitude_increase_same_sign(
    initial: tf.Tensor, final: tf.Tensor, candidates: tf.Tensor
) -> tf.Tensor:
    """Returns |w_f| - |w_i| where the sign has stayed, else 0."""
    increase = magnitude_increase(initial, final, candidates)
    return _where_sign(tf.equal, initial, final, increase)


def magnitude_increase_diff_sign(
    initial: tf.Tensor, final: tf.Tensor, candidates: tf.Tensor
) -> tf.Tensor:
    """Returns |w_f| - |w_i| where the sign has changed, else 0."""
    increase = magnitude_increase(initial, final, candidates)
    return _where_sign(tf.not_equal, initial, final, increase)


# The paper's names. Its ninth criterion is `random`.
MASK_CRITERIA: Mapping[str, MaskCriterion] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            large_final,
            small_final,
            large_init,
            small_init,
            large_init_large_final,
            small_init_small_final,
            magnitude_increase,
            movement,
            large_final_same_sign,
            large_final_diff_sign,
            magnitude_increase_same_sign,
            magnitude_increase_diff_sign,
        )
    }
)
# Criteria that do not look at the initial values.
OF_FINAL_VALUES = frozenset({"large_final", "small_final"})
# Criteria whose scores are ranks, which only compare within one call.
RANKED = frozenset({"large_init_large_final", "small_init_small_final"})


def _where_sign(
    compare: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    initial: tf.Tensor,
    final: tf.Tensor,
    scores: tf.Tensor,
) -> tf.Tensor:
    agrees = compare(tf.sign(initial), tf.sign(final))
    return tf.where(agrees, scores, tf.zeros_like(scores))


def _ranks(keys: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
    """Returns each candidate's place in ascending order of the keys.

    Of equal keys, the one with the lowest flat index has the highest rank, as
    selection breaks ties.

    Returns:
        float64 tensor of the same shape, which holds all ranks exactly; the
        ranks of positions that are no candidates mean nothing.
    """
    # Positions that do not compete come first, so they shift all ranks alike.
    keys = tf.where(candidates, tf.cast(keys, tf.int64), tf.int64.min)
    flat = tf.reverse(tf.reshape(keys, [-1]), [0])
    order = tf.argsort(flat, stable=True)
    ranks = tf.reverse(tf.math.invert_permutation(order), [0])
    return tf.cast(tf.reshape(ranks, keys.shape), tf.float64)
