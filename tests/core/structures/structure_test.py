import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests import support
from tests.core import oracle
from tests.core import strategies
from tests.core.structures import reference
from tf_rigl.core import structures
from tf_rigl.core.structures import Block
from tf_rigl.core.structures import Channel
from tf_rigl.core.structures import ConstantFanIn
from tf_rigl.core.structures import NByM
from tf_rigl.core.structures import Unstructured

every_case = pytest.mark.parametrize(
    ("structure", "shape"), reference.CASES, ids=reference.IDS
)
# Compiling takes its time: one shape each is enough.
one_case_each = pytest.mark.parametrize(
    ("structure", "shape"),
    [
        (Unstructured(), (2, 4, 5)),
        (Block(2, 2), (2, 5, 3)),
        (Block(3, 2, "max"), (1, 4, 5)),
        (NByM(2, 4), (2, 4, 3)),
        (ConstantFanIn(), (2, 3, 4)),
        (Channel("units"), (2, 3, 4)),
        (Channel("inputs", "max"), (2, 3, 4)),
    ],
    ids=str,
)


def largest(structure, scores, nonzeros, *candidates, mode="graph"):
    arguments = scores, np.int64(nonzeros), *candidates
    return strategies.run(structure.largest, mode, *arguments).numpy()


def update(structure, weights, mask, scores, count, mode="graph"):
    arguments = weights, mask, scores, np.int64(count)
    result = strategies.run(structure.drop_and_grow, mode, *arguments)
    return tuple(tensor.numpy() for tensor in result)


def assert_allowed(structure, mask, nonzeros):
    shape = mask.shape
    if isinstance(structure, Unstructured):
        assert mask.sum() == nonzeros
        return
    counts = [
        np.count_nonzero(mask.flat[group])
        for group in reference.groups(structure, shape)
    ]
    if reference.is_rowwise(structure):
        assert len(set(counts)) == 1
        assert sum(counts) == structure.connections(shape, nonzeros)
        return
    sizes = [group.size for group in reference.groups(structure, shape)]

    assert all(n in (0, size) for n, size in zip(counts, sizes, strict=True))
    assert sum(map(bool, counts)) == structure.active_units(shape, nonzeros)
    if len(set(sizes)) == 1:
        assert sum(counts) == structure.connections(shape, nonzeros)


@every_case
def test_connections_of_every_number(structure, shape):
    """They rise with what is asked for and are themselves a number to ask."""
    size = math.prod(shape)
    found = [structure.connections(shape, n) for n in range(size + 1)]
    assert found == sorted(found)
    assert found[-1] == size
    assert [structure.connections(shape, n) for n in found] == found
    units = [structure.active_units(shape, n) for n in range(size + 1)]
    assert units[-1] == structure.units(shape)
    assert min(found[1:]) >= 1
    assert all(isinstance(n, int) for n in found + units)


@every_case
def test_random_masks(structure, shape):
    size = math.prod(shape)
    for nonzeros in sorted({0, 1, size // 3, size // 2, size - 1, size}):
        mask = structure.random_mask(shape, nonzeros, 3, "a/kernel")
        assert mask.dtype == tf.bool
        assert mask.shape == shape
        assert_allowed(structure, mask.numpy(), nonzeros)


@pytest.mark.parametrize(
    "structure",
    [
        Unstructured(),
        Block(2, 2),
        NByM(2, 4),
        ConstantFanIn(),
        Channel("units"),
        Channel("inputs"),
    ],
    ids=str,
)
def test_random_masks_differ_by_seed_and_path_only(structure):
    shape, nonzeros = (2, 12, 20), 240
    mask = structure.random_mask(shape, nonzeros, 0, "w").numpy()
    again = structure.random_mask(shape, nonzeros, 0, "w").numpy()
    np.testing.assert_array_equal(mask, again)
    compiled_mask = tf.function(
        lambda: structure.random_mask(shape, nonzeros, 0, "w"),
        jit_compile=True,
        autograph=False,
    )()
    np.testing.assert_array_equal(mask, compiled_mask)
    for seed, path in ((1, "w"), (0, "v")):
        other = structure.random_mask(shape, nonzeros, seed, path).numpy()
        assert (mask != other).any()


@every_case
@strategies.examples(10)
@given(data=st.data())
def test_largest_equals_the_oracle(structure, shape, data):
    scores = data.draw(strategies.floats(shape, tf.float32))
    nonzeros = data.draw(st.integers(0, scores.size))
    mask = largest(structure, scores, nonzeros)
    assert_allowed(structure, mask, nonzeros)
    expected = reference.largest(structure, scores, nonzeros)
    np.testing.assert_array_equal(mask, expected)


@one_case_each
@strategies.examples(10)
@given(data=st.data())
def test_largest_of_candidates(structure, shape, data):
    """Pruning: each mask is a part of the one before."""
    before = data.draw(st.integers(0, math.prod(shape)))
    after = data.draw(st.integers(0, before))
    candidates = structure.random_mask(shape, before, 0, "w").numpy()
    scores = data.draw(strategies.floats(shape, tf.float32))
    mask = largest(structure, scores, after, candidates)
    assert not (mask & ~candidates).any()
    assert_allowed(structure, mask, after)
    expected = reference.largest(structure, scores, after, candidates)
    np.testing.assert_array_equal(mask, expected)


@every_case
@strategies.examples(10)
@given(data=st.data())
def test_drop_and_grow_equals_the_oracle(structure, shape, data):
    case = data.draw(updates(structure, shape))
    expected = reference.drop_and_grow(structure, *case)
    oracle.assert_update(update(structure, *case), case[1], expected)
    assert_same_counts(structure, case[1], expected)


@st.composite
def updates(draw, structure, shape):
    """Weights, a mask of the structure, finite scores and a count."""
    weights, _, scores, count = draw(
        strategies.updates(shape, tf.float32, tf.float32)
    )
    nonzeros = draw(st.integers(0, weights.size))
    mask = structure.random_mask(shape, nonzeros, draw(st.integers(0, 9)), "w")
    return weights, mask.numpy(), scores, count


def assert_same_counts(structure, mask, new):
    """Compares connections, those in each row, or tiles."""
    if isinstance(structure, Unstructured):
        assert new.sum() == mask.sum()
        return
    groups = reference.groups(structure, mask.shape)
    before = [np.count_nonzero(mask.flat[group]) for group in groups]
    after = [np.count_nonzero(new.flat[group]) for group in groups]
    if reference.is_rowwise(structure):
        assert before == after
    else:
        assert np.count_nonzero(before) == np.count_nonzero(after)


@one_case_each
@strategies.examples(3)
@given(data=st.data())
def test_eager_and_xla_agree(structure, shape, data):
    """Sums of many magnitudes included, whose last bits matter.

    Graphs are compared with the reference, eager mode would be as slow.
    """
    seed = data.draw(st.integers(0, 2**20))
    normal = np.random.default_rng(seed).normal(size=(2, *shape))
    weights, scores = normal.astype(np.float32)
    mask = structure.random_mask(shape, weights.size // 2, seed, "w").numpy()
    count = data.draw(st.integers(0, weights.size))
    nonzeros = data.draw(st.integers(0, weights.size))
    support.assert_all_equal(
        update(structure, weights, mask, scores, count, "xla"),
        update(structure, weights, mask, scores, count, "eager"),
    )
    np.testing.assert_array_equal(
        largest(structure, weights, nonzeros, mode="xla"),
        largest(structure, weights, nonzeros, mode="eager"),
    )


@one_case_each
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_changes_nothing(structure, shape, bad):
    weights = np.ones(shape, np.float32)
    mask = structure.random_mask(shape, weights.size // 2, 0, "w").numpy()
    scores = np.arange(weights.size, dtype=np.float32).reshape(shape)
    scores.flat[-1] = bad
    found = update(structure, weights, mask, scores, 10**6)
    oracle.assert_update(found, mask, mask)


def test_unstructured_takes_any_shape():
    structure = structures.Unstructured()
    for shape in ((), (5,), (2, 3, 2, 4)):
        structure.check(shape, "w")
        mask = structure.random_mask(shape, 1, 0, "w")
        assert mask.shape == shape
        assert np.count_nonzero(mask) == 1


@one_case_each
def test_number_of_connections_out_of_range(structure, shape):
    size = math.prod(shape)
    for nonzeros in (-1, size + 1):
        with pytest.raises(
            ValueError,
            match=rf"between 0 and the number of elements, {size}\. "
            rf"Received: nonzeros={nonzeros} for shape=",
        ):
            structure.connections(shape, nonzeros)


@one_case_each
def test_other_ranks_are_refused(structure, shape):
    del shape
    if isinstance(structure, Unstructured):
        return
    for shape in ((3, 4), (3, 3, 16, 32), (1, 0, 4)):
        with pytest.raises(
            ValueError,
            match=r"sees a weight as \[positions, inputs, units\]\. "
            r"Received: shape=\(.*\) for 'a/kernel'\. Pass the weight "
            r"through `KernelLayout\.view`\.$",
        ):
            structure.check(shape, "a/kernel")
