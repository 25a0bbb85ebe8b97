"""Initial values block by block against those of the whole weight."""

import numpy as np
import pytest
import tensorflow as tf

from tests import support
from tf_rigl.core import block_values

SHAPE = (37, 29)
INITIALIZERS = {
    "GlorotUniform": {},
    "GlorotNormal": {},
    "HeNormal": {},
    "LecunUniform": {},
    "VarianceScaling": {"distribution": "untruncated_normal"},
    "RandomNormal": {"mean": 0.5, "stddev": 2.0},
    "RandomUniform": {"minval": -3.0, "maxval": 1.0},
    "TruncatedNormal": {},
    "Zeros": {},
    "Ones": {},
}


@support.keras_in_turn("name", INITIALIZERS)
def test_values_are_those_of_the_whole(keras, name, monkeypatch):
    # Many blocks, the last one of a length that is no multiple of four.
    monkeypatch.setattr(block_values, "BLOCK", 128)
    make = getattr(keras.initializers, name)
    whole = np.asarray(make(**INITIALIZERS[name], **seed(name))(SHAPE)).ravel()

    found = block_values.find(
        make(**INITIALIZERS[name], **seed(name)), SHAPE, tf.float32
    )
    positions = np.random.default_rng(0).permutation(whole.size)[:300]
    np.testing.assert_array_equal(found.at(positions), whole[positions])
    np.testing.assert_array_equal(np.ravel(found.all()), whole)


def seed(name):
    return {} if name in ("Zeros", "Ones") else {"seed": 7}


@pytest.mark.parametrize(
    "initializer",
    [
        lambda shape, dtype: tf.random.normal(shape, dtype=dtype),
        lambda shape, dtype: tf.eye(*shape, dtype=dtype),
        lambda shape, dtype: tf.ones((1, 1), dtype),
        lambda shape, dtype: 1 / 0,
    ],
)
def test_others_have_no_blocks(initializer):
    assert block_values.find(initializer, SHAPE, tf.float32) is None


def test_no_memory_is_taken_for_the_whole():
    found = block_values.find(
        lambda shape, dtype: tf.random.stateless_uniform(
            shape, [1, 2], dtype=dtype
        ),
        (2**31, 2**20),
        tf.float32,
    )
    np.testing.assert_array_equal(
        found.at(np.arange(3)),
        tf.random.stateless_uniform([4], [1, 2])[:3],
    )
