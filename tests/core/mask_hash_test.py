import numpy as np
import pytest
import tensorflow as tf

from tf_rigl.core import mask_hash as mask_hashes

MODULUS = 2**64


def oracle(mask):
    """The same with Python's integers, word by word."""

    def mix(z):
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % MODULUS
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % MODULUS
        return z ^ (z >> 31)

    bits = np.zeros(-(-mask.size // 64) * 64, bool)
    bits[: mask.size] = mask.ravel()
    words = np.packbits(bits, bitorder="little").view("<u8").tolist()
    total = sum(
        mix(word ^ mix(position * 0x9E3779B97F4A7C15 % MODULUS))
        for position, word in enumerate(words, start=1)
    )
    total %= MODULUS
    return total - MODULUS if total >= MODULUS // 2 else total


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize(
    "shape", [(), (1,), (64,), (65,), (3, 3, 8, 16), (300, 100)], ids=str
)
def test_is_the_oracle_s(shape, jit_compile):
    mask = np.random.default_rng(0).random(shape) < 0.3
    compiled = tf.function(mask_hashes.mask_hash, jit_compile=jit_compile)
    found = compiled(tf.constant(mask))
    assert found.dtype == tf.int64
    assert found.shape == ()
    assert int(found) == oracle(np.asarray(mask))
