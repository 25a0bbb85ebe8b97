"""Shapes of weights for tests of distributions, and what they count."""

import math
from fractions import Fraction

from hypothesis import strategies as st

LENET = {"fc1": (784, 300), "fc2": (300, 100), "out": (100, 10)}
SPARSITIES = st.integers(0, 9999).map(lambda x: x / 10_000)


def sizes_of(shapes):
    return {name: math.prod(shape) for name, shape in shapes.items()}


def zeros_at(sparsity, size):
    """floor(s · n) of the decimal that s is written as."""
    return math.floor(Fraction(str(sparsity)) * size)


@st.composite
def shape_maps(draw):
    """Shapes of a few weights of rank 0 to 4, by name in random order."""
    names = draw(st.permutations("abcdef"))[: draw(st.integers(1, 6))]
    dims = st.lists(st.integers(1, 40), max_size=4).map(tuple)
    return {name: draw(dims) for name in names}


def subsets(shapes):
    return st.sets(st.sampled_from(sorted(shapes)))
