"""Hypothesis strategies for tensors that make selection difficult."""

import functools
import math

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

# Bits of the exponent and of the fraction; the sign comes on top.
FORMATS = {
    tf.float16: (5, 10),
    tf.bfloat16: (8, 7),
    tf.float32: (8, 23),
    tf.float64: (11, 52),
}
DTYPES = tuple(FORMATS)
MODES = ("eager", "graph", "xla")


# Of the cases of a property test, one in so many runs unless they are asked
# for by `--hypothesis-profile=nightly`.
_THINNED = 4


def examples(count):
    """Settings of a property test: `count` cases in the nightly profile."""
    nightly = hypothesis.settings.get_current_profile_name() == "nightly"
    return hypothesis.settings(
        max_examples=count if nightly else max(count // _THINNED, 8),
        derandomize=True,
        deadline=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )


@functools.cache
def compiled(function, mode, *signature):
    """One compiled function for each signature: none is traced twice."""
    del signature
    if mode == "eager":
        return function
    return tf.function(
        lambda *arguments: function(*arguments),
        jit_compile=mode == "xla",
        autograph=False,
    )


def run(function, mode, *arguments):
    """Calls a function of tensors, compiled once for each signature."""
    tensors = [tf.convert_to_tensor(one) for one in arguments]
    signature = [(*one.shape, one.dtype) for one in tensors]
    return compiled(function, mode, *signature)(*tensors)


def in_two_types():
    """All dtypes for a test that compiles, two of them in `-m slow` only."""
    slow = (tf.float16, tf.float64)
    return [
        pytest.param(dtype, marks=[pytest.mark.slow] if dtype in slow else [])
        for dtype in DTYPES
    ]


def from_bits(bits, dtype):
    width = 1 + sum(FORMATS[dtype])
    unsigned = np.asarray(bits, f"uint{width}")
    return unsigned.view(dtype.as_numpy_dtype)


def landmarks(dtype):
    """Bit patterns, without sign, where something changes, by name."""
    exponent, fraction = FORMATS[dtype]
    infinity = (2**exponent - 1) << fraction
    return {
        "zero": 0,
        "smallest denormal": 1,
        "largest denormal": 2**fraction - 1,
        "smallest normal": 2**fraction,
        "one": (2 ** (exponent - 1) - 1) << fraction,
        "largest": infinity - 1,
        "infinity": infinity,
        "signalling nan": infinity + 1,
        "quiet nan": infinity + 2 ** (fraction - 1),
        "nan of all bits": infinity + 2**fraction - 1,
    }


@functools.cache
def patterns(dtype, finite):
    """Bit patterns of floats: landmarks, their neighbors and any others."""
    exponent, fraction = FORMATS[dtype]
    sign = 1 << (exponent + fraction)
    end = landmarks(dtype)["infinity"] - 1 if finite else sign - 1
    marks = [bits for bits in landmarks(dtype).values() if bits <= end]
    neighbors = [
        bits + step
        for bits in marks
        for step in (-1, 0, 1)
        if 0 <= bits + step <= end
    ]
    magnitudes = st.sampled_from(neighbors) | st.integers(0, end)

    return st.lists(
        magnitudes | magnitudes.map(lambda bits: bits | sign),
        min_size=1,
        max_size=8,
    )


def octets(shape):
    """Arrays of 8-bit integers, drawn as a whole, which is fast."""
    size = math.prod(shape)
    return st.binary(min_size=size, max_size=size).map(
        lambda data: np.frombuffer(data, np.uint8).reshape(shape)
    )


@st.composite
def floats(draw, shape, dtype, finite=False):
    """Arrays of few different floats, so that ties abound."""
    pool = np.array(draw(patterns(dtype, finite)), np.uint64)
    return from_bits(pool[draw(octets(shape)) % len(pool)], dtype)


@st.composite
def masks(draw, shape):
    """Masks with any number of connections, empty and full ones included."""
    bound = draw(st.sampled_from([0, 30, 128, 230, 256]))
    return draw(octets(shape)) < bound


@st.composite
def updates(draw, shape, weight_dtype, score_dtype):
    """Weights, mask, finite scores and a count from 0 to beyond the mask's."""
    weights = draw(floats(shape, weight_dtype))
    mask = draw(masks(shape))
    scores = draw(floats(shape, score_dtype, finite=True))
    nonzeros = int(mask.sum())
    special = st.sampled_from([0, nonzeros, nonzeros + 1, 2**40])
    count = draw(st.integers(0, nonzeros) | special)
    return weights, mask, scores, count
