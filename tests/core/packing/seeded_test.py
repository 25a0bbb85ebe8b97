"""Values that are stored as a seed: the same bits, or an error."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.core.packing import support
from tf_rigl.core import dice
from tf_rigl.core.dice import Dice
from tf_rigl.core.packing import CorruptDataError
from tf_rigl.core.packing import seeded

# Graphs as users' programs rewrite them.
pytestmark = pytest.mark.usefixtures("grappler")

DTYPES = ["float32", "float16", "bfloat16", "float64"]
KINDS = pytest.mark.parametrize("kind", dice.KINDS, ids=["signs", "normal"])


def numpy_dtype(name):
    return np.dtype(tf.as_dtype(name).as_numpy_dtype)


def drawn(kind, factor=1.0, elements=301, dtype="float32", seed=8):
    """Positions, values of the connections, and how they come about."""
    dtype = numpy_dtype(dtype)
    scale = 0.05 if kind == dice.SIGNS else 0.05 / dice.NORMAL_DEVIATION
    factor = dtype.type(factor)
    rolls = Dice((seed, 3 << 40), *kind, np.float32(scale).item())
    draw = seeded.Draw(rolls, float(factor))
    mask = np.random.default_rng(0).random(elements) < 0.5
    rolled = dice.roll(draw.dice, (elements,)).numpy().astype(dtype)
    return np.flatnonzero(mask), rolled[mask] * factor, draw


@tf.function
def unpack_in_graph(data, positions):
    return seeded.graph_unpack(data, positions, tf.float32)


@KINDS
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("factor", [1.0, 1.9287109375, -0.3])
def test_the_bits_come_back(kind, dtype, factor):
    positions, values, draw = drawn(kind, factor, dtype=dtype)
    data = seeded.pack(values, draw, 301)
    assert len(data) == seeded.BYTES
    found = seeded.unpack(data, positions, 301, values.dtype)
    assert found.dtype == values.dtype
    assert found.tobytes() == values.tobytes()

    octets = np.frombuffer(data, np.uint8)
    eager = seeded.graph_unpack(octets, positions, tf.as_dtype(dtype))
    assert eager.numpy().tobytes() == values.tobytes()
    if dtype == "float32":
        graph = unpack_in_graph(octets, positions)
        assert graph.numpy().tobytes() == values.tobytes()


def test_a_factor_is_a_product_of_its_own():
    """The product of both, with one rounding, has other bits."""
    positions, values, draw = drawn(dice.NORMAL, 1.9287)
    at_once = draw.dice.scale * draw.factor
    other = dice.roll(Dice(draw.dice.seed, *dice.NORMAL, at_once), (301,))
    assert np.any(other.numpy()[positions] != values)


@KINDS
def test_nothing_and_everything_is_kept(kind):
    _, _, draw = drawn(kind)
    everything = dice.roll(draw.dice, (10,)).numpy()
    for positions in (np.arange(10), np.arange(0)):
        data = seeded.pack(everything[positions], draw, 10)
        found = seeded.unpack(data, positions, 10, np.dtype(np.float32))
        np.testing.assert_array_equal(found, everything[positions])


@KINDS
@pytest.mark.parametrize("change", ["seed", "scale", "factor", "mask"])
def test_other_values_fail(kind, change):
    positions, values, draw = drawn(kind)
    if change == "mask":
        data = seeded.pack(values, draw, 301)
        positions = np.sort((positions + 1) % 301)
    elif change == "seed":
        other = seeded.Draw(drawn(kind, seed=9)[2].dice, 1.0)
        data = seeded.pack(values, other, 301)
    elif change == "scale":
        scale = np.nextafter(np.float32(draw.dice.scale), np.float32(1))
        other = dataclasses.replace(draw.dice, scale=scale.item())
        data = seeded.pack(values, seeded.Draw(other, 1.0), 301)
    else:
        data = seeded.pack(values, seeded.Draw(draw.dice, 1.0000001), 301)

    with pytest.raises(CorruptDataError, match="fingerprint of those packed"):
        seeded.unpack(data, positions, 301, values.dtype)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="another seed or generator"
    ):
        unpack_in_graph(np.frombuffer(data, np.uint8), positions)


def test_damage_is_found():
    """Each flipped bit, and headers that ask for too much."""
    positions, values, draw = drawn(dice.NORMAL, 0.7)
    data = seeded.pack(values, draw, 301)
    random = np.random.default_rng(0)
    for _ in range(60):
        damaged = support.damage(data, random)
        try:
            found = seeded.unpack(damaged, positions, 301, values.dtype)
        except CorruptDataError as error:
            assert "Received: " in str(error)
        else:
            assert found.tobytes() == values.tobytes()
    for elements, dtype in ((302, "float32"), (301, "int64"), (301, "bool")):
        with pytest.raises(CorruptDataError, match="must draw"):
            seeded.unpack(data, positions, elements, np.dtype(dtype))
