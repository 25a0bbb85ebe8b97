"""Blocks and channels: the numbers of the rule, and how scores are pooled."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.core import oracle
from tests.core import strategies
from tests.core.structures import reference
from tf_rigl.core.structures import Block
from tf_rigl.core.structures import Channel
from tf_rigl.core.structures import tiles

DTYPES = [tf.float16, tf.bfloat16, tf.float32, tf.float64]


def view(rows):
    """A dense kernel as [1, inputs, units]."""
    return np.array([rows], np.float32)


# Four blocks of 2 by 2, with average and maximum of magnitudes:
#
#    1  1 |  4  0
#    1 -1 |  0  0      1, 1      1, 4
#   ------+------
#    0 -3 |  2  2
#    0  0 |  2  2      0.75, 3   2, 2
BLOCKS = view([[1, 1, 4, 0], [1, -1, 0, 0], [0, -3, 2, 2], [0, 0, 2, 2]])


@pytest.mark.parametrize(
    ("pooling", "nonzeros", "expected"),
    [
        ("average", 4, "00 01"),
        # Of the two blocks with average 1 the first wins.
        ("average", 8, "10 01"),
        ("average", 12, "11 01"),
        ("max", 4, "01 00"),
        ("max", 8, "01 10"),
        ("max", 12, "01 11"),
        # 16 - 5 = 11 zeros are floor(11 / 4) = 2 blocks.
        ("max", 5, "01 10"),
    ],
)
def test_golden_blocks(pooling, nonzeros, expected):
    mask = Block(2, 2, pooling).largest(tf.constant(BLOCKS), nonzeros)
    blocks = [[int(c) for c in row] for row in expected.split()]
    np.testing.assert_array_equal(
        mask[0], np.kron(blocks, np.ones((2, 2))).astype(bool)
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
def test_golden_block_update(dtype):
    """Weak block out, strong gradient in; the kept one does not compete."""
    mask = view(np.kron([[1, 0], [1, 0]], np.ones((2, 2)))).astype(bool)
    scores = view([[9, 9, 0, 0], [9, 9, 0, 5], [0, 0, 2, 2], [0, 0, 2, 2]])
    # In a graph: eager mode lets integers of different sizes meet.
    drop_and_grow = tf.function(Block(2, 2).drop_and_grow, autograph=False)
    update = drop_and_grow(
        tf.constant(BLOCKS, dtype), tf.constant(mask), tf.cast(scores, dtype), 7
    )
    # 7 connections are one block. By average 1 stays and 0.75 goes; of the
    # others the average of 8 / 4 wins over 5 / 4.
    expected = view(np.kron([[1, 0], [0, 1]], np.ones((2, 2)))).astype(bool)
    oracle.assert_update(update, mask, expected)


def test_blocks_at_the_end_hold_what_is_left():
    """Averages are over real elements: 3, 4, 2 and 5."""
    values = view([[3, 3, 4], [3, 3, 4], [2, 2, 5]])
    order = []
    for nonzeros in range(1, 10):
        mask = Block(2, 2).largest(tf.constant(values), nonzeros).numpy()[0]
        order.append("".join(str(int(one)) for one in mask[::2, ::2].flat))
    assert Block(2, 2).units((1, 3, 3)) == 4
    # ceil(4 · nonzeros / 9) blocks.
    blocks = "0001 0001 0101 0101 1101 1101 1111 1111 1111"
    assert order == blocks.split()


def test_connections_where_blocks_are_cut_off():
    block = Block(2, 2)
    counts = [block.active_units((1, 3, 3), n) for n in range(10)]
    assert counts == [0, 1, 1, 2, 2, 3, 3, 4, 4, 4]
    # Two of the four blocks hold 4.5 of 9 elements on average.
    assert block.connections((1, 3, 3), 3) == 4
    assert block.connections((1, 3, 3), 9) == 9


@pytest.mark.parametrize(
    ("axis", "pooling", "nonzeros", "active"),
    [
        ("units", "average", 1, [1, 0, 0]),
        ("units", "average", 5, [1, 1, 0]),
        ("units", "max", 1, [0, 1, 0]),
        # Maxima 1 and 1: the lower index.
        ("units", "max", 5, [1, 1, 0]),
        # Sums 1 + 0 + 1 + 1 + 0 + 0 = 3 and 1 + 3 + 0 + 1 + 0 + 1 = 6.
        ("inputs", "average", 5, [0, 1]),
        ("inputs", "max", 1, [0, 1]),
    ],
)
def test_golden_channels(axis, pooling, nonzeros, active):
    values = np.zeros((2, 2, 3), np.float32)
    values[:, :, 0] = [[1, 1], [1, 1]]  # sum 4, maximum 1
    values[:, :, 1] = [[0, -3], [0, 0]]  # sum 3, maximum 3
    values[:, :, 2] = [[1, 0], [0, 1]]  # sum 2, maximum 1
    mask = Channel(axis, pooling).largest(tf.constant(values), nonzeros).numpy()
    axes = (0, 1) if axis == "units" else (0, 2)
    np.testing.assert_array_equal(mask.any(axes), mask.all(axes))
    assert mask.any(axes).astype(int).tolist() == active


@pytest.mark.parametrize(
    ("structure", "nonzeros", "connections"),
    [
        (Channel("units"), 1, 36),
        (Channel("units"), 36, 36),
        (Channel("units"), 37, 72),
        (Channel("inputs"), 1, 45),
        (Channel("inputs"), 46, 90),
        (Block(2, 5), 11, 20),
    ],
    ids=str,
)
def test_numbers_are_rounded_up_to_whole_units(
    structure, nonzeros, connections
):
    assert structure.connections((9, 4, 5), nonzeros) == connections


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("pooling", ["average", "max"])
@strategies.examples(15)
@given(data=st.data())
def test_keys_order_as_the_oracle_pools(dtype, pooling, data):
    values = data.draw(strategies.floats((2, 5, 3), dtype))
    structure = Block(2, 2, pooling)
    keys = tiles.tile_keys(tf.constant(values), (1, 2, 2), pooling)
    scores = reference.pooled(structure, values)
    assert keys.shape == (2, 3, 2)
    np.testing.assert_array_equal(
        np.argsort(-keys.numpy().ravel(), kind="stable"), oracle_order(scores)
    )


def oracle_order(scores):
    """Tiles from the largest score to the smallest."""
    ranks = [
        oracle.largest(scores, np.ones(scores.shape, bool), count)
        for count in range(scores.size + 1)
    ]
    return [
        int(np.flatnonzero(after & ~before)[0])
        for before, after in itertools.pairwise(ranks)
    ]


@pytest.mark.parametrize("tile", [(9, 512, 1), (1, 7, 3)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_long_sums_have_the_same_bits_everywhere(tile, dtype):
    """Thousands of terms, where another order shows in the last bits."""
    values = np.random.default_rng(1).normal(size=(9, 512, 10)).astype(dtype)
    tile = tuple(np.minimum(tile, values.shape).tolist())

    def keys(values):
        return tiles.tile_keys(values, tile, "average")

    expected = keys(tf.constant(values)).numpy()
    for jit_compile in (False, True):
        function = tf.function(keys, jit_compile=jit_compile, autograph=False)
        np.testing.assert_array_equal(function(tf.constant(values)), expected)
    averages = {
        index: np.abs(values[_box(index, tile)].astype("float64")).mean()
        for index in np.ndindex(*expected.shape)
    }
    bits = "float64" if dtype == "float64" else "float32"
    sums = expected.view(bits) / np.prod(tile)
    for index, average in averages.items():
        assert sums[index] == pytest.approx(average, rel=1e-5)


def _box(index, tile):
    return tuple(
        slice(i * along, (i + 1) * along)
        for i, along in zip(index, tile, strict=True)
    )


def test_denormals_are_zero_in_averages_only():
    tiny = view([[1e-40, 0], [0, 0]])
    for pooling, winner in (("average", 0), ("max", 1)):
        values = np.concatenate([0 * tiny, tiny], axis=2)
        mask = Block(2, 2, pooling).largest(tf.constant(values), 1)
        assert mask.numpy()[0, 0, 2 * winner]


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_a_nan_makes_its_block_the_largest(pooling):
    values = np.concatenate(
        [view([[np.inf]]), view([[1.0]]), view([[np.nan]])], axis=2
    )
    mask = Block(1, 1, pooling).largest(tf.constant(values), 1)
    assert mask.numpy().ravel().tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Block(0, 2), r"`height` must be at least 1\. .*height=0\."),
        (lambda: Block(2, -1), r"`width` must be at least 1\. .*width=-1\."),
        (
            lambda: Block(2, 2, "median"),
            r"`pooling` must be one of \('average', 'max'\)\. "
            r"Received: pooling='median'\.",
        ),
        (
            lambda: Channel("positions"),
            r"`axis` must be one of \('units', 'inputs'\)\. "
            r"Received: axis='positions'\.",
        ),
        (
            lambda: Channel(pooling="sum"),
            r"`pooling` must be one of .*Received: pooling='sum'\.",
        ),
    ],
)
def test_values_out_of_range(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("height", [2.0, "2", True, None])
def test_sizes_must_be_integers(height):
    with pytest.raises(
        TypeError, match=r"`height` must be an integer\. Received: height="
    ):
        Block(height, 2)
