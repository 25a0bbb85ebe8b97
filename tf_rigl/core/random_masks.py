"""Random masks and scores that are the same on every machine.

All randomness is stateless: a function of the user's seed, a stable hash of the
weight's path (Python's `hash` is salted per process) and the step. Scores are
derived from random integers, because floating-point generators may differ in
the last bit between devices, which would change the selection.
"""

import math
import zlib
from collections.abc import Sequence

import tensorflow as tf

from tf_rigl.core import dice
from tf_rigl.core import selection

# The bits of 1.0; non-negative integers below are the bits of floats in [0, 1).
BELOW_ONE = 0x3F800000
_PHILOX = 1  # the generator's number in operations
_FINE = 2**23  # integers up to it are float32 numbers
_ROUNDS = 30  # of a shuffle, each with a bit of a number below 2^31


def stateless_seed(
    seed: int, path: str, step: int | tf.Tensor = 0
) -> tf.Tensor:
    """Returns the random seed of one weight at one step, int64 [2].

    Args:
        seed: the user's seed, any 32-bit integer.
        path: the weight's path. It is hashed with CRC-32, which does not depend
            on the process.
        step: number of optimizer steps, 0 <= step < 2**31.
    """
    path_bits = zlib.crc32(path.encode()) << 31
    return tf.stack(
        [
            tf.constant(seed, tf.int64),
            tf.constant(path_bits, tf.int64) + tf.cast(step, tf.int64),
        ]
    )


def random_mask(
    shape: Sequence[int], nonzeros: int, seed: int, path: str
) -> tf.Tensor:
    """Draws a uniformly random mask with exactly `nonzeros` true entries."""
    # The default generator differs between devices, so Philox is requested.
    bits = tf.random.stateless_uniform(
        shape,
        stateless_seed(seed, path),
        minval=None,
        maxval=None,
        dtype=tf.int32,
        alg="philox",
    )
    keys = tf.bitwise.bitwise_and(bits, tf.int32.max)
    return selection.largest_integers_mask(keys, nonzeros)


def shuffle(values: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns the elements of a tensor in a random order.

    It is the swap-or-not shuffle (Hoang, Morris and Rogaway, CRYPTO 2012): in
    each round, pairs of positions exchange their elements or not. Unlike a sort
    of random keys it has static shapes and is elementwise, as a TPU needs it.

    Args:
        values: tensor of static shape, of fewer than 2^30 elements.
        seed: int64 [2], a result of `stateless_seed`.
    """
    flat = tf.reshape(values, [-1])
    size = flat.shape[0]
    drawn = random_bits([size + _ROUNDS + 1], seed)
    coins, sums = drawn[:size], drawn[size:] % max(size, 1)

    # A rotated range, in two parts: a plain one would be a literal of all its
    # numbers in the program.
    side = math.isqrt(size) + 1
    rows = side * tf.range(side)[:, None]
    order = tf.reshape(rows + (tf.range(side) + sums[-1]), [side * side])
    order = order[:size] % size
    for number in range(_ROUNDS):
        partner = (sums[number] - order) % size
        # Both of a pair look at the same coin: a bit of the later one's number.
        coin = tf.gather(coins, tf.maximum(order, partner))
        swaps = tf.bitwise.bitwise_and(coin, 1 << number) != 0
        order = tf.where(swaps, partner, order)
    return tf.reshape(tf.gather(flat, order), values.shape)


def random_scores(shape: Sequence[int], seed: tf.Tensor) -> tf.Tensor:
    """Draws float32 scores in [0, 1) whose order is uniformly random.

    The scores are not uniformly distributed: each of the 1.07e9 floats below 1
    is equally likely, so ties are rare even in a large weight. `seed` is a
    result of `stateless_seed`.
    """
    bits = tf.random.stateless_uniform(
        shape, seed, 0, BELOW_ONE, tf.int32, alg="philox"
    )
    return tf.bitcast(bits, tf.float32)


def bits_from(
    seed: tf.Tensor,
    start: int | tf.Tensor,
    length: int | tf.Tensor,
    bound: int | None,
) -> tf.Tensor:
    """Draws a piece of a flat random int32 tensor without the rest of it.

    Args:
        seed: int64 [2], a result of `stateless_seed`.
        start: index of the piece's first element, a multiple of 4: that many
            numbers come of one step of the generator's counter.
        length: number of elements.
        bound: numbers are in [0, bound) as in `random_scores`; None for all
            bits, as in `random_mask`.
    """
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    arguments = {
        "shape": tf.reshape(length, [1]),
        "key": key,
        "counter": counter
        + tf.stack([tf.cast(start // 4, tf.uint64), tf.zeros([], tf.uint64)]),
        "alg": _PHILOX,
    }
    if bound is None:
        return tf.raw_ops.StatelessRandomUniformFullIntV2(
            **arguments, dtype=tf.int32
        )
    return tf.raw_ops.StatelessRandomUniformIntV2(
        **arguments, minval=0, maxval=bound
    )


def random_bits(shape: Sequence[int], seed: tf.Tensor) -> tf.Tensor:
    """Draws uniform int32 numbers in [0, 2^31 - 1).

    The arguments are those of `random_scores`.
    """
    return tf.random.stateless_uniform(
        shape, seed, 0, tf.int32.max, tf.int32, alg="philox"
    )


def random_uniform(shape: Sequence[int], seed: tf.Tensor) -> tf.Tensor:
    """Draws uniform float32 numbers in [-1, 1), multiples of 2^-23.

    The arguments are those of `random_scores`.
    """
    drawn = tf.random.stateless_uniform(
        shape, seed, -_FINE, _FINE, tf.int32, alg="philox"
    )
    return tf.cast(drawn, tf.float32) / _FINE


def random_normal(shape: Sequence[int], seed: tf.Tensor) -> tf.Tensor:
    """Draws approximately normal float32 numbers of mean 0 and variance 1.

    Each is the scaled sum of twelve uniform integers, hence within ±6. The
    arguments are those of `random_scores`.
    """
    return dice.sums(shape, seed, *dice.NORMAL) / dice.NORMAL_DEVIATION
