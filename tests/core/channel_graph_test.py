"""Reachability on small graphs, against a search that is plainly right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core import strategies
from tf_rigl.core.channel_graph import ChannelGraph


def channels_of(count):
    return st.lists(st.integers(0, count - 1), max_size=4)


@st.composite
def graphs(draw):
    """Channels, ties, kept channels, groups and reads: plain lists.

    A read without a matrix is one by one.
    """
    count = draw(st.integers(1, 10))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    ties = draw(st.lists(pairs, max_size=3))
    kept = draw(channels_of(count))
    groups = draw(st.lists(channels_of(count), max_size=3))
    reads = []

    for _ in range(draw(st.integers(0, 4))):
        inputs, outputs = draw(channels_of(count)), draw(channels_of(count))
        edges = draw(
            st.lists(
                st.booleans(),
                min_size=len(inputs) * len(outputs),
                max_size=len(inputs) * len(outputs),
            )
        )
        connected = np.array(edges, bool).reshape(len(inputs), len(outputs))
        reads.append((inputs, outputs, connected))
    for inputs in draw(st.lists(channels_of(count), max_size=2)):
        outputs = draw(st.permutations(range(count)))[: len(inputs)]
        reads.append((inputs[: len(outputs)], outputs, None))
    return count, ties, kept, groups, reads


def channel_graph(count, ties, kept, groups, reads):
    graph = ChannelGraph()
    graph.add(count)
    for first, second in ties:
        graph.tie(np.array([first]), np.array([second]))
    graph.keep(np.array(kept, np.int64))
    for group in groups:
        graph.keep_one_of(np.array(group, np.int64))
    for inputs, outputs, connected in reads:
        channels = [np.array(one, np.int64) for one in (inputs, outputs)]
        if connected is None:
            graph.read_each(*channels)
        else:
            graph.read(*channels, connected)
    return graph


def search(ties, kept, groups, reads):
    """Walks from what is kept along every edge, one at a time."""
    edges = [*ties, *((second, first) for first, second in ties)]
    for inputs, outputs, connected in reads:
        if connected is None:
            connected = np.eye(len(inputs))
        edges += [
            (outputs[column], inputs[row])
            for row, column in zip(*np.nonzero(connected), strict=True)
        ]

    def reached(starts):
        found, todo = set(), list(starts)
        while todo:
            here = todo.pop()
            if here not in found:
                found.add(here)
                todo += [there for start, there in edges if start == here]
        return found

    found = reached(kept)
    for group in groups:
        if group and not found & set(group):
            found |= reached([group[0]])
    return found


def grouped(count, ties):
    """The lowest of each channel's group, by replacing one label a time."""
    labels = list(range(count))
    for first, second in ties:
        old, new = sorted((labels[first], labels[second]), reverse=True)
        labels = [new if label == old else label for label in labels]
    return labels


@strategies.examples(150)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30))))
def test_roots_are_the_lowest_of_each_group(ties):
    graph = ChannelGraph()
    graph.add(31)
    if ties:
        graph.tie(*np.array(ties).T)
    assert graph.roots().tolist() == grouped(31, ties)


def test_one_is_kept_near_what_is_needed():
    graph = ChannelGraph()
    inputs, outputs = graph.add(3), graph.add(3)
    graph.keep(inputs[2:])
    graph.read_each(inputs, outputs)
    graph.keep_one_of(outputs, near=inputs)
    assert np.flatnonzero(graph.needed()).tolist() == [2, 5]


@strategies.examples(150)
@given(graphs())
def test_needed_is_what_a_search_reaches(drawn):
    needed = channel_graph(*drawn).needed()
    assert set(np.flatnonzero(needed)) == search(*drawn[1:])


def test_errors():
    graph = ChannelGraph()
    channels = graph.add(3)
    with pytest.raises(ValueError, match=r"tied to as many.*2 and 1"):
        graph.tie(channels[:2], channels[2:])
    with pytest.raises(ValueError, match=r"row an input.*\(1, 1\) for 2"):
        graph.read(channels[:2], channels[2:], np.ones((1, 1), bool))
    with pytest.raises(ValueError, match=r"one by one.*2 inputs and 1"):
        graph.read_each(channels[:2], channels[2:])
