import collections

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from tests.wann import evolved
from tf_rigl.wann import activations
from tf_rigl.wann import genome as genomes
from tf_rigl.wann import mutation

ARRAYS = (*genomes.NODE_ARRAYS, *genomes.CONNECTION_ARRAYS)
# What each mutation may change, and by how many connections it grows.
CHANGES = {
    mutation.add_connection: (set(genomes.CONNECTION_ARRAYS), 1),
    mutation.insert_node: (set(ARRAYS), 2),
    mutation.enable_connection: ({"enabled"}, 0),
    mutation.change_activation: ({"functions"}, 0),
}


def is_acyclic(genome):
    """Takes nodes away that nothing leads into, until none is left."""
    edges = set(zip(genome.sources, genome.destinations, strict=True))
    nodes = set(genome.nodes)
    while free := nodes - {end for _, end in edges}:
        nodes -= free
        edges = {edge for edge in edges if edge[0] not in free}
    return not nodes


@hypothesis.given(
    strategies.integers(0, 30),
    strategies.integers(0, 2**31),
    strategies.sampled_from(list(CHANGES)),
)
@hypothesis.settings(max_examples=60, deadline=None)
def test_one_change(steps, seed, change):
    parent = evolved.evolve(steps=steps, seed=seed)
    before = {name: array.copy() for name, array in parent.arrays().items()}
    generator = np.random.default_rng(seed)
    innovations = mutation.Innovations.after(parent)
    child = change(parent, generator, innovations, activations.ALL)
    for name, array in before.items():
        np.testing.assert_array_equal(array, getattr(parent, name))
    if child is None:
        return

    allowed, grown = CHANGES[change]
    old, new = len(parent.nodes), len(parent.sources)
    assert len(child.sources) == new + grown
    assert is_acyclic(child)
    changed = {n for n in ARRAYS if not same(parent, child, n)}
    assert changed and changed <= allowed
    # Nothing that was there is another, but what the mutation is about.
    for name in ARRAYS:
        size = old if name in genomes.NODE_ARRAYS else new
        after = getattr(child, name)[:size]
        differ = int(np.sum(after != before[name]))
        switches = {"enabled", "functions"} & (allowed - {"sources"})
        if change is mutation.insert_node:
            switches = {"enabled"}
        elif change is mutation.add_connection:
            switches = set()
        assert differ == (1 if name in switches else 0), name
    # Bias, inputs and outputs stay linear and as many.
    ends = parent.kinds < genomes.HIDDEN
    assert np.all(child.functions[: ends.sum()] == activations.LINEAR)
    assert (child.inputs, child.outputs) == (parent.inputs, parent.outputs)
    assert child.hidden == parent.hidden + (change is mutation.insert_node)


def same(first, second, name):
    return np.array_equal(getattr(first, name), getattr(second, name))


def test_an_inserted_node_takes_the_place_of_a_connection():
    generator = np.random.default_rng(0)
    parent = genomes.start(1, 1, generator, connect=1.0)
    parent = parent.replace(weights=[3.0, 5.0])
    innovations = mutation.Innovations.after(parent)
    child = mutation.insert_node(parent, generator, innovations)
    (split,) = np.flatnonzero(~child.enabled)
    (node,) = child.nodes[child.kinds == genomes.HIDDEN]
    source, end = parent.sources[split], parent.destinations[split]
    assert list(child.sources[2:]) == [source, node]
    assert list(child.destinations[2:]) == [node, end]
    assert list(child.weights[2:]) == [1.0, parent.weights[split]]
    assert list(child.innovations[2:]) == [2, 3]
    assert innovations == mutation.Innovations(node + 1, 4)


def test_a_connection_is_added_only_where_there_is_none():
    full = genomes.start(2, 2, np.random.default_rng(0), connect=0.0)
    arguments = np.random.default_rng(0), mutation.Innovations.after(full)
    # Disabled ones are there, too.
    assert mutation.add_connection(full, *arguments) is None
    assert mutation.insert_node(full, *arguments) is None
    assert mutation.change_activation(full, *arguments) is None
    child = mutation.enable_connection(full, *arguments)
    assert child.connections == 1


def test_the_roulette_wheel():
    parent = evolved.evolve(steps=15, seed=4)
    counts = collections.Counter()
    for seed in range(600):
        child = mutation.mutate(
            parent,
            np.random.default_rng(seed),
            mutation.Innovations.after(parent),
        )
        grown = len(child.sources) - len(parent.sources)
        enabled = child.connections > parent.connections
        counts[grown, bool(enabled)] += 1
    found = {key: count / 600 for key, count in counts.items()}
    expected = {(1, True): 0.2, (2, True): 0.25, (0, True): 0.05}
    expected[0, False] = 0.5
    assert set(found) == set(expected)
    for key, share in expected.items():
        # Four standard deviations.
        assert abs(found[key] - share) < 4 * (share * (1 - share) / 600) ** 0.5


def test_activations_are_those_that_are_allowed():
    generator = np.random.default_rng(0)
    one = genomes.start(2, 1, generator)
    innovations = mutation.Innovations.after(one)
    seen = set()
    for _ in range(200):
        one = mutation.mutate(one, generator, innovations, (5, 9))
        seen |= set(one.functions[one.kinds == genomes.HIDDEN].tolist())
    assert seen == {5, 9}


def test_the_start():
    one = genomes.start(3, 2, np.random.default_rng(1), connect=1.0)
    assert list(one.kinds) == [0, 1, 1, 1, 2, 2]
    assert (one.connections, len(one.sources), one.hidden) == (8, 8, 0)
    assert str(one) == "3 inputs, 0 hidden nodes, 2 outputs, 8 connections"
    draws = [
        genomes.start(9, 1, np.random.default_rng(seed), 0.25).connections
        for seed in range(400)
    ]
    assert abs(np.mean(draws) - 2.5) < 0.3
    with pytest.raises(ValueError, match="read-only"):
        one.enabled[0] = False


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"enabled": [True]}, "differ in length"),
        ({"kinds": [0, 1, 2, 1, 2, 2]}, "not bias, inputs"),
        ({"kinds": [0, 1, 1, 1, 1, 1]}, "no output"),
        ({"functions": [1, 1, 1, 1, 1, 77]}, "unknown activation"),
        ({"nodes": [0, 1, 2, 3, 4, 4]}, "node is there twice"),
        ({"innovations": [0] * 8}, "innovation is there twice"),
        ({"sources": [9] * 8}, "unknown node"),
        ({"destinations": [1] * 8}, "into an input"),
        ({"sources": [0] * 8}, "connection is there twice"),
    ],
)
def test_arrays_that_are_no_network(changes, message):
    one = genomes.start(3, 2, np.random.default_rng(1))
    with pytest.raises(ValueError, match=message):
        one.replace(**changes)


def test_a_circle_is_an_error():
    with pytest.raises(ValueError, match="circle"):
        genomes.Genome(
            nodes=[0, 1, 2, 3, 4],
            kinds=[0, 1, 2, 3, 3],
            functions=[1] * 5,
            innovations=[0, 1],
            sources=[3, 4],
            destinations=[4, 3],
            weights=[1.0, 1.0],
            enabled=[False, True],
        )
