import collections

import numpy as np
import pytest

from tests.wann import evolved
from tf_rigl.wann import breeding
from tf_rigl.wann import mutation
from tf_rigl.wann.breeding import SearchOptions
from tf_rigl.wann.tasks import swing_up

TASK = swing_up.SwingUp()


def breed(group, means, options=None, seed=0, generation=0):
    options = options or SearchOptions(by_connections=0.0)
    last = max(group, key=lambda one: one.innovations.max())
    innovations = mutation.Innovations.after(last)
    innovations.node = 1000
    return breeding.next_generation(
        group, means, means, innovations, TASK, seed, generation, options
    )


def make_group(count=50):
    return [evolved.evolve(5, 1, steps=6, seed=n) for n in range(count)]


def test_the_elite_is_copied_and_the_worst_have_no_children():
    group = make_group()
    means = np.random.default_rng(0).permutation(50).astype(float)
    children = breed(group, means)
    assert len(children) == 50
    # 50 - floor(.2 · 50) = 40 are left, floor(.2 · 40) = 8 are copied.
    best = np.argsort(-means)
    for place in range(8):
        assert children[place] == group[best[place]]
    parents = [parent_of(child, group) for child in children[8:]]
    assert not set(parents) & set(best[40:].tolist())


def parent_of(child, group):
    """The genome that shares the most with a child."""
    shared = []
    for one in group:
        size = len(one.sources)
        differ = (
            np.sum(child.innovations[:size] != one.innovations)
            + np.sum(child.sources[:size] != one.sources)
            + np.sum(child.enabled[:size] != one.enabled)
            if len(child.sources) >= size
            else np.inf
        )
        nodes = len(one.nodes)
        differ += (
            np.sum(child.functions[:nodes] != one.functions)
            if len(child.nodes) >= nodes
            else np.inf
        )
        shared.append(differ + len(child.sources) - size)
    return int(np.argmin(shared))


def test_tournaments_take_the_best_of_those_drawn():
    """The best of k of n: rank r wins with ((n−r)^k − (n−r−1)^k) / n^k."""
    group = make_group(5)
    means = np.array([5.0, 4.0, 3.0, 2.0, 1.0])
    options = SearchOptions(
        tournament=3, cull=0.0, elite=0.0, by_connections=0.0
    )
    counts = collections.Counter()
    for generation in range(120):
        children = breed(group, means, options, generation=generation)
        counts.update(parent_of(child, group) for child in children)
    for rank in range(5):
        share = ((5 - rank) ** 3 - (4 - rank) ** 3) / 125
        deviation = (share * (1 - share) / 600) ** 0.5
        assert abs(counts[rank] / 600 - share) < 4 * deviation, rank


def test_children_depend_on_seed_generation_and_their_number():
    group, means = make_group(12), np.arange(12.0)
    first = breed(group, means)
    assert first == breed(group, means)
    for other in (
        breed(group, means, seed=1),
        breed(group, means, generation=1),
    ):
        assert first[2:] != other[2:]
    assert len({one.innovations.tobytes() for one in first}) > 4


def test_new_numbers_are_used_once():
    group = make_group(30)
    children = breed(group, np.arange(30.0))
    known = {number for one in group for number in one.innovations}
    new = [
        number
        for child in children
        for number in child.innovations
        if number not in known
    ]
    # Of children with a new connection or node.
    assert len(new) == len(set(new)) > 5


def make_unequal_pair():
    """A genome with all its connections, and one with some of them."""
    small = evolved.evolve(5, 1, steps=0, seed=1)
    return small.replace(enabled=np.ones(len(small.enabled), bool)), small


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_second_objective(share):
    """By connections the smaller of two equals has more children."""
    large, small = make_unequal_pair()
    means = np.array([1.0, 1.0])
    # Without it, a draw, and the first of equals is first.
    children = breed(
        [large, small],
        means,
        SearchOptions(elite=0.5, cull=0.0, by_connections=share),
    )
    assert children[0] == (small if share else large)


def test_four_of_five_generations_are_ranked_by_connections():
    large, small = make_unequal_pair()
    options = SearchOptions(elite=0.5, cull=0.0)
    assert options.by_connections == 0.8
    first = [
        breed([large, small], np.ones(2), options, generation=number)[0]
        for number in range(500)
    ]
    share = np.mean([one == small for one in first])
    assert abs(share - 0.8) < 4 * (0.8 * 0.2 / 500) ** 0.5


def test_the_first_generation():
    group = breeding.first_generation(TASK, 200, 0, SearchOptions())
    assert abs(np.mean([one.connections for one in group]) - 3) < 0.4
    sparse = breeding.first_generation(TASK, 200, 0, SearchOptions(connect=0.0))
    assert not any(one.connections for one in sparse)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tournament": 0}, "`tournament` must be at least 1"),
        ({"elite": 1.5}, "`elite` is the share"),
        ({"cull": -0.1}, "`cull` is the share"),
        ({"crowding": "box"}, "`crowding` must be one of"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        SearchOptions(**options)
