import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.core import strategies
from tests.core.packing import support
from tf_rigl.core import structures
from tf_rigl.core.kernel_layout import axes_layout
from tf_rigl.core.packing import ENCODINGS
from tf_rigl.core.packing import CorruptDataError


@pytest.mark.parametrize("name", ENCODINGS)
@strategies.examples(60)
@given(data=st.data())
def test_round_trip(name, data):
    mask = data.draw(support.masks())
    layout = data.draw(support.layouts(mask.shape))
    encoding = ENCODINGS[name]
    packed = encoding.encode(mask, layout)
    if name in support.GENERAL or (name == "dense" and mask.all()):
        assert packed is not None
    if packed is None:
        return
    decoded = encoding.decode(packed, mask.shape)

    assert decoded.dtype == bool
    np.testing.assert_array_equal(decoded, mask)
    # The graph puts other numbers at other places.
    values = np.arange(1, mask.sum() + 1, dtype=np.float32)
    placed = support.graph_place(name, packed, values, mask.size + 5)
    expected = np.zeros(mask.size + 5, np.float32)
    expected[: mask.size][mask.ravel()] = values
    np.testing.assert_array_equal(placed, expected)


@pytest.mark.parametrize(
    "name", [name for name, one in ENCODINGS.items() if one.join_limit]
)
@strategies.examples(40)
@given(data=st.data())
def test_several_masks_at_once(name, data):
    encoding = ENCODINGS[name]
    masks = data.draw(st.lists(support.masks(), min_size=1, max_size=4))
    masks.sort(key=lambda mask: encoding.order(encoding.encode(mask)))
    packed = [encoding.encode(mask) for mask in masks]
    parts = []
    for one in packed:
        sizes = encoding.parts(one)
        assert sum(sizes) == len(one)
        parts.append(tf.split(np.frombuffer(one, np.uint8), sizes))
    padded = [np.pad(mask.ravel(), (0, -mask.size % 16)) for mask in masks]
    positions = encoding.graph_join(packed, parts, [one.size for one in padded])
    np.testing.assert_array_equal(
        positions, np.flatnonzero(np.concatenate(padded))
    )


def test_golden_bytes():
    """Files that were written must be read by later versions."""
    mask = np.zeros((4, 4), bool)
    mask[1:3] = True
    integers = np.array
    layout = integers([2, 0, 1, 4, 4, 1, 4, 4], "<i8").tobytes()
    rows = integers([1, 1, 4], "<i8").tobytes()
    assert ENCODINGS["dense"].encode(mask | True) == b""
    assert ENCODINGS["bit_mask"].encode(mask) == bytes([0xF0, 0x0F])
    gaps = integers([0, 8], "<i8").tobytes() + bytes([0xF0, 0x0F])

    assert ENCODINGS["gaps"].encode(mask) == gaps
    # Rows 1 and 2 of 4 blocks: one zero, two ones.
    assert ENCODINGS["block_mask"].encode(mask) == (
        layout + rows + integers([0, 2], "<i8").tobytes() + bytes([0b110])
    )
    # 1:2, the second and the first: four times rank 1, four times rank 0.
    assert ENCODINGS["n_by_m"].encode(mask) == (
        layout + integers([1, 2], "<i8").tobytes() + bytes([0b1111])
    )
    # 2:4, the last two, of rank 5 among six: binary 101, four times.
    assert ENCODINGS["n_by_m"].encode(np.roll(mask, 1, axis=0)) == (
        layout + integers([2, 4], "<i8").tobytes() + bytes([15, 0, 15])
    )
    # Gaps of 90, 0 and 200 at 4 bits: low 10, 0, 8; escapes 5, 0, 12.
    far = np.zeros(400, bool)
    far[[90, 91, 292]] = True
    assert ENCODINGS["gaps"].encode(far) == (
        integers([4, 3], "<i8").tobytes()
        + bytes([0b000, 0b001, 0b000, 0b101, 0b01100000, 0, 0b1000])
    )


@pytest.mark.parametrize("sparsity", [0.8, 0.9, 0.95, 0.98, 0.99])
@pytest.mark.parametrize("shape", [(3, 3, 256, 256), (64, 512)])
def test_gaps_come_near_the_entropy(shape, sparsity):
    mask = np.random.default_rng(0).random(shape) < 1 - sparsity
    size = len(ENCODINGS["gaps"].encode(mask))
    assert size <= 1.025 * support.entropy_bytes(mask) + 20
    assert size < len(ENCODINGS["bit_mask"].encode(mask))


def test_widths_are_the_best():
    """Against trying all of them."""
    random = np.random.default_rng(0)
    for sparsity in (0, 0.3, 0.9, 0.999):
        mask = random.random(20_000) >= sparsity
        packed = ENCODINGS["gaps"].encode(mask)
        gaps = np.diff(np.flatnonzero(mask), prepend=-1) - 1
        sizes = [
            16
            + width * -(-gaps.size // 8)
            + -(-int((gaps >> width).sum() + gaps.size) // 8)
            for width in range(20)
        ]
        assert len(packed) == min(sizes)


@pytest.mark.parametrize(
    ("structure", "layout", "bits"),
    [
        # Bits for each element, headers and rounding aside.
        (structures.NByM(2, 4), ((64, 48), [0], [1]), 3 / 4),
        (structures.NByM(1, 4), ((3, 3, 16, 8), [2], [3]), 2 / 4),
        (structures.NByM(4, 8), ((8, 6, 32), [0, 2], [1]), 7 / 8),
        (structures.NByM(8, 16), ((64, 48), [1], [0]), 14 / 16),
        (structures.NByM(2, 3), ((63, 48), [0], [1]), 2 / 3),
        (structures.Block(4, 4), ((64, 48), [0], [1]), 1 / 16),
        (structures.Block(5, 3), ((64, 47), [0], [1]), 1 / 13),
        (structures.Channel(), ((3, 3, 8, 64), [2], [3]), 1 / 72),
        (structures.Channel("inputs"), ((3, 3, 64, 8), [3], [2]), 1 / 72),
    ],
    ids=str,
)
def test_structures_take_few_bits(structure, layout, bits):
    is_n_by_m = isinstance(structure, structures.NByM)
    name = "n_by_m" if is_n_by_m else "block_mask"
    layout = axes_layout(*layout)
    size = np.prod(layout.shape)
    nonzeros = structure.connections(layout.shape, size // 2)
    mask = layout.unview(
        structure.random_mask(layout.shape, nonzeros, 0, "weight")
    ).numpy()
    packed = ENCODINGS[name].encode(mask, layout)
    header = 8 * (1 + 2 * mask.ndim + 3 + 5)

    assert len(packed) - header <= bits * size / 8 + 16
    np.testing.assert_array_equal(
        ENCODINGS[name].decode(packed, mask.shape), mask
    )
    placed = support.graph_place(
        name, packed, np.ones(mask.sum(), np.float32), mask.size
    )
    np.testing.assert_array_equal(placed.reshape(mask.shape), mask)


def test_one_element_breaks_a_structure():
    blocks = support.block_mask((64, 64), 4, 4, 0.5)
    groups = support.n_by_m_mask((64, 64), 2, 4)
    for name, mask in (("block_mask", blocks), ("n_by_m", groups)):
        assert ENCODINGS[name].encode(mask) is not None
        mask[50, 50] ^= True
        assert ENCODINGS[name].encode(mask) is None


def examples(name):
    """Masks that an encoding can express."""
    return {
        "bit_mask": [np.arange(35).reshape(5, 7) % 3 == 0],
        "gaps": [
            np.random.default_rng(0).random((40, 50)) < 0.1,
            np.random.default_rng(0).random((40, 50)) < 0.7,
            np.zeros(7, bool),
        ],
        "block_mask": [support.block_mask((21, 34), 4, 5, 0.3)],
        "n_by_m": [
            support.n_by_m_mask((24, 7), 2, 4),
            support.n_by_m_mask((3, 3, 32, 5), 3, 16),
        ],
        "dense": [np.ones((3, 4), bool)],
    }[name]


@pytest.mark.parametrize(
    "cases", [60, pytest.param(2_000, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("name", ENCODINGS)
def test_damaged_masks(name, cases):
    random = np.random.default_rng(7)
    errors = 0
    masks = examples(name)

    for case in range(cases):
        mask = masks[case % len(masks)]
        data = support.damage(ENCODINGS[name].encode(mask), random)
        try:
            decoded = ENCODINGS[name].decode(data, mask.shape)
        except CorruptDataError as error:
            assert "Received: " in str(error)
            errors += 1
        else:
            assert decoded.shape == mask.shape
            assert decoded.dtype == bool
    assert errors > cases / 6
