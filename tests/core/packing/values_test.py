import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.core import strategies
from tf_rigl.core.packing import CorruptDataError
from tf_rigl.core.packing import values as formats
from tf_rigl.core.packing.values import axis_channels

SHAPE = (3, 4, 5)
# A seed is packed in another way; see `seeded_test`.
STORED = [stored for stored in formats.FORMATS if stored != "seed"]


def pack(values, stored, shape=SHAPE, axis=-1, positions=None):
    positions = np.arange(values.size) if positions is None else positions
    channels = axis_channels(shape, axis)
    data = formats.pack(values, positions, channels, stored)

    assert len(data) == formats.packed_bytes(
        values.size, channels, stored, values.dtype
    )
    unpacked = formats.unpack(
        data, positions, channels, stored, values.dtype, math.prod(shape)
    )
    graph = formats.graph_unpack(
        tf.constant(np.frombuffer(data, np.uint8)),
        tf.constant(positions, tf.int64),
        stored,
        tf.as_dtype(values.dtype),
    ).numpy()
    assert unpacked.dtype == graph.dtype == values.dtype
    assert unpacked.tobytes() == graph.tobytes()
    return unpacked


@pytest.mark.parametrize("dtype", strategies.DTYPES, ids=lambda one: one.name)
@strategies.examples(25)
@given(data=st.data())
def test_exact_bit_for_bit(dtype, data):
    """NaN with their payloads, -0.0 and denormals among them."""
    values = data.draw(strategies.floats((12,), dtype))
    assert pack(values, "float32").tobytes() == values.tobytes()


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint16", "bool"])
def test_exact_of_other_dtypes(dtype):
    values = np.array([0, 1, 100, 0, 7]).astype(dtype)
    np.testing.assert_array_equal(pack(values, "float32"), values)


@pytest.mark.parametrize(("stored", "bits"), [("float16", 11), ("bfloat16", 8)])
def test_rounded_to_the_nearest(stored, bits):
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    error = np.abs(pack(values, stored) - values)
    assert (error <= np.abs(values) * 2.0**-bits).all()
    assert error.max() > 0


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_int8_has_a_scale_for_each_channel(axis):
    random = np.random.default_rng(0)
    sizes = np.array([1e-6, 1.0, 1e6, 30.0, 0.0], np.float32)[: SHAPE[axis]]
    scale = np.moveaxis(
        np.broadcast_to(sizes, (*np.delete(SHAPE, axis), SHAPE[axis])), -1, axis
    )
    weight = random.uniform(-1, 1, SHAPE).astype(np.float32) * scale
    kept = np.flatnonzero(random.random(SHAPE) < 0.6)
    values = weight.ravel()[kept]
    unpacked = pack(values, "int8", axis=axis, positions=kept)
    # Half a step of the channel's own scale.
    channel = np.unravel_index(kept, SHAPE)[axis]

    for one in range(SHAPE[axis]):
        mine = values[channel == one]
        step = np.abs(mine).max(initial=0) / 127
        error = np.abs(unpacked[channel == one] - mine)
        assert (error <= 0.5001 * step).all()


def test_one_channel_of_a_scalar():
    assert pack(np.array([3.5], np.float32), "int8", shape=()) == 3.5


def test_nothing_is_kept():
    for stored in STORED:
        assert pack(np.zeros(0, np.float32), stored).size == 0


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        ("float16", 1e6),
        ("int8", np.nan),
        ("int8", np.inf),
        ("bfloat16", 3.4e38),
    ],
)
def test_values_that_do_not_fit(stored, value):
    with pytest.raises(ValueError, match=f"Received: {stored}"):
        pack(np.array([1, value], np.float32), stored)


@pytest.mark.parametrize("stored", STORED)
def test_damaged_values(stored):
    values = np.linspace(-1, 1, 60, dtype=np.float32)
    channels = axis_channels(SHAPE, -1)
    positions = np.arange(60)
    data = formats.pack(values, positions, channels, stored)
    for damaged in (data[:-1], data + b"\0", b""):
        with pytest.raises(CorruptDataError, match="must have"):
            formats.unpack(
                damaged, positions, channels, stored, values.dtype, 60
            )
    if stored == "int8":
        with pytest.raises(CorruptDataError, match="scales"):
            formats.unpack(
                b"\xff" + data[1:],
                positions,
                channels,
                stored,
                values.dtype,
                60,
            )
