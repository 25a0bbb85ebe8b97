"""Values of a seed: against NumPy, and the same bits in every mode."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tf_rigl.core import dice
from tf_rigl.core import random_masks
from tf_rigl.core.dice import Dice

SEED = (3, 77 << 31)
KINDS = pytest.mark.parametrize("kind", dice.KINDS, ids=["signs", "normal"])


def philox(seed, words):
    """Random words of TensorFlow's Philox for a seed, by NumPy.

    Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011, with
    key and counter mixed from the seed by Philox itself.
    """
    mask = (1 << 32) - 1

    def block(counter, key):
        counter, key = list(counter), list(key)
        for _ in range(10):
            first, second = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
            counter = [
                (second >> 32) ^ counter[1] ^ key[0],
                second & mask,
                (first >> 32) ^ counter[3] ^ key[1],
                first & mask,
            ]
            key = [(key[0] + 0x9E3779B9) & mask, (key[1] + 0xBB67AE85) & mask]
        return counter

    def halves(word):
        return [word & mask, (word >> 32) & mask]

    mixed = block(
        [*halves(seed[0]), *halves(seed[1])], [0x3EC8F720, 0x02461E29]
    )
    return np.array(
        [
            word
            for number in range(-(-words // 4))
            for word in block([number, 0, *mixed[2:]], mixed[:2])
        ][:words],
        np.uint32,
    )


@KINDS
@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 3, 1, 4), ()], ids=str)
def test_values_are_philox_alone(kind, shape):
    """No more of TensorFlow is in them than the numbers of a paper."""
    number, sides = kind
    scale = float(np.float32(0.3))
    words = philox(SEED, number * int(np.prod(shape)))
    thrown = words.astype(np.int64).reshape(number, *shape) % sides
    sums = 2 * thrown.sum(axis=0) - number * (sides - 1)
    expected = sums.astype(np.float32) * np.float32(scale)
    found = dice.roll(Dice(SEED, *kind, scale), shape)
    np.testing.assert_array_equal(found, expected)


@KINDS
def test_the_same_bits_in_every_mode(kind):
    rolled = Dice(SEED, *kind, 0.25)
    eager = dice.roll(rolled, (40, 25)).numpy()
    for jit_compile in (False, True):
        compiled = tf.function(
            lambda: dice.roll(rolled, (40, 25)), jit_compile=jit_compile
        )
        assert compiled().numpy().tobytes() == eager.tobytes()
    assert abs(eager.mean()) < 0.1 * eager.std()


def test_normal_values():
    deviation = dice.NORMAL_DEVIATION
    one = dice.roll(Dice(SEED, *dice.NORMAL, 1 / deviation), (60,))
    other = random_masks.random_normal((60,), tf.constant(SEED, tf.int64))
    np.testing.assert_array_equal(one, other)


@KINDS
def test_json_and_back(kind):
    rolled = Dice((-5, (1 << 63) - 1), *kind, 0.125)
    assert dice.from_json(json.loads(json.dumps(rolled.to_json()))) == rolled
