import functools

import numpy as np
import pytest
import tensorflow as tf

from tf_rigl.core import diagnostics


def random_mask(shape, density=0.4, seed=0):
    return np.random.default_rng(seed).random(shape) < density


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize(
    "shape", [(), (1,), (7,), (8,), (9,), (3, 5, 7), (300, 100)], ids=str
)
def test_bits_are_packed_as_numpy_does(shape, jit_compile):
    mask = random_mask(shape)
    pack = tf.function(diagnostics.pack_mask, jit_compile=jit_compile)
    packed = pack(tf.constant(mask)).numpy()
    expected = np.packbits(mask, bitorder="little")
    bytes_, beyond = np.split(packed.view(np.uint8), [expected.size])
    np.testing.assert_array_equal(bytes_, expected)
    assert not np.any(beyond)
    assert packed.nbytes == 8 * diagnostics.packed_size(mask.size)
    np.testing.assert_array_equal(diagnostics.unpack_mask(packed, shape), mask)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("shape", [(1,), (64,), (13, 11)], ids=str)
def test_a_change_counts_what_stays_and_what_is_new(shape, jit_compile):
    before, after = random_mask(shape, seed=1), random_mask(shape, 0.7, seed=2)

    @functools.partial(tf.function, jit_compile=jit_compile)
    def change():
        change = diagnostics.MaskChange.between(
            tf.constant(before), tf.constant(after)
        )
        return change.kept, change.connections, change.ever_active

    kept, connections, ever_active = change()
    assert kept.dtype == connections.dtype == tf.int64
    assert kept == np.count_nonzero(before & after)
    assert connections == np.count_nonzero(after)
    np.testing.assert_array_equal(
        diagnostics.unpack_mask(ever_active.numpy(), shape), before | after
    )


@pytest.mark.parametrize(
    "dtype", [tf.float32, tf.float16, tf.bfloat16], ids=str
)
@pytest.mark.parametrize("jit_compile", [False, True])
def test_norm_of_what_is_within(dtype, jit_compile):
    values = np.random.default_rng(1).normal(size=(40, 30))
    values, mask = tf.cast(values, dtype), random_mask((40, 30))
    norm = tf.function(diagnostics.norm_within, jit_compile=jit_compile)
    expected = np.linalg.norm(tf.cast(values, tf.float64).numpy()[mask])
    np.testing.assert_allclose(norm(values, mask), expected, rtol=1e-5)


def test_norm_leaves_out_what_is_not_finite():
    values = tf.constant([3.0, np.inf, 4.0, np.nan])
    mask = tf.constant([True, False, True, False])
    assert diagnostics.norm_within(values, mask) == 5
    assert diagnostics.norm_within(values, tf.zeros(4, tf.bool)) == 0


def test_dead_inputs_and_units():
    """Two positions of 4 inputs and 3 units.

    position 0   position 1   either
    x . .        . . .        x . .
    . . .        . . .        . . .    <- unused
    . . .        x . .        x . .
    . . x        . . .        . . x
                                ^ dead
    """
    mask = np.zeros((2, 4, 3), bool)
    mask[0, 0, 0] = mask[1, 2, 0] = mask[0, 3, 2] = True
    assert diagnostics.count_dead(mask) == (1, 1)
    assert diagnostics.count_dead(np.ones((2, 4, 3), bool)) == (0, 0)
    assert diagnostics.count_dead(np.zeros((2, 4, 3), bool)) == (4, 3)


def test_a_small_mask_is_its_image():
    mask = random_mask((1, 5, 7))
    image = diagnostics.density_image(mask, 7)
    np.testing.assert_array_equal(image, mask[0])
    assert image.dtype == np.float32


def test_positions_and_blocks_are_averaged():
    mask = random_mask((9, 10, 7))
    mean = mask.mean(axis=0)
    np.testing.assert_allclose(
        diagnostics.density_image(mask, 10), mean, rtol=1e-6
    )
    image = diagnostics.density_image(mask, 4)  # blocks of 3 x 2
    expected = [
        [mean[i : i + 3, j : j + 2].mean() for j in range(0, 7, 2)]
        for i in range(0, 10, 3)
    ]
    np.testing.assert_allclose(image, expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1000, 33), (1, 1, 513), (2, 257, 256)])
def test_images_are_bounded(shape):
    image = diagnostics.density_image(random_mask(shape), 256)
    assert max(image.shape) <= 256
    assert 0 <= image.min() <= image.max() <= 1
