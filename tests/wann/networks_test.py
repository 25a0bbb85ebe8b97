import numpy as np
import pytest

from tests.wann import evolved
from tf_rigl.wann import activations
from tf_rigl.wann import genome as genomes
from tf_rigl.wann import networks


def check(group, weights, inputs):
    """Compares the program with the oracle at every column."""
    found = networks.Networks(group, weights)(inputs)
    count = 1 if weights is None else len(weights)
    shape = (len(group), count, inputs.shape[-1])
    full = np.broadcast_to(inputs, (len(inputs), *shape))
    assert found.shape == (group[0].outputs, *shape)
    for place in np.ndindex(shape):
        weight = None if weights is None else weights[place[1]]
        expected = evolved.oracle(
            group[place[0]], full[(slice(None), *place)], weight
        )
        np.testing.assert_allclose(
            found[(slice(None), *place)], expected, rtol=1e-9, atol=1e-9
        )


@pytest.mark.parametrize("seed", range(6))
def test_equals_an_oracle_node_by_node(seed):
    random = np.random.default_rng(seed)
    group = [
        evolved.evolve(steps=int(random.integers(0, 60)), seed=seed + 10 * n)
        for n in range(4)
    ]
    check(group, [-2.0, 0.5], random.normal(size=(3, 4, 2, 2)))
    # The same inputs for all genomes and weights.
    check(group, [-2.0, 0.5], random.normal(size=(3, 1, 1, 3)))
    own = [
        one.replace(weights=random.normal(size=len(one.weights)))
        for one in group
    ]
    check(own, None, random.normal(size=(3, 4, 1, 3)))


def test_order_and_batch_do_not_matter():
    random = np.random.default_rng(0)
    group = [evolved.evolve(steps=5 * n, seed=n) for n in range(8)]
    inputs = random.normal(size=(3, 8, 6, 5))
    weights = (-2, -1, -0.5, 0.5, 1, 2)
    together = networks.Networks(group, weights)
    expected = together(inputs)
    order = random.permutation(8)
    for found in (
        networks.Networks([group[n] for n in order], weights),
        together.take(order),
    ):
        np.testing.assert_allclose(
            found(inputs[:, order]), expected[:, order], rtol=1e-12
        )
    for place, one in enumerate(group):
        alone = networks.Networks([one], weights)
        for episode in range(5):
            columns = inputs[:, place : place + 1, :, episode : episode + 1]
            np.testing.assert_allclose(
                alone(columns)[..., 0],
                expected[:, place : place + 1, :, episode],
                rtol=1e-12,
            )


def test_order_of_nodes_and_connections_does_not_matter():
    one = evolved.evolve(steps=50, seed=3)
    random = np.random.default_rng(0)
    connections = random.permutation(len(one.sources))
    hidden = np.flatnonzero(one.kinds == genomes.HIDDEN)
    nodes = np.arange(len(one.nodes))
    nodes[hidden] = random.permutation(hidden)
    other = genomes.Genome(
        **{name: getattr(one, name)[nodes] for name in genomes.NODE_ARRAYS},
        **{
            name: getattr(one, name)[connections]
            for name in genomes.CONNECTION_ARRAYS
        },
    )
    assert other != one
    inputs = random.normal(size=(3, 1, 1, 7))
    np.testing.assert_allclose(
        networks.Networks([other], [1.5])(inputs),
        networks.Networks([one], [1.5])(inputs),
        rtol=1e-9,
    )


@pytest.mark.parametrize("number", activations.ALL)
def test_activations(number):
    values = np.array([-3.0, -0.25, 0.0, 0.25, 1.0, 700.0])
    found = activations.ACTIVATIONS[number].apply(values)
    if number == 6:
        values = values[:-1].tolist()  # the oracle overflows
    expected = [evolved.FUNCTIONS[number](float(one)) for one in values]
    np.testing.assert_allclose(
        found[: len(expected)], expected, rtol=1e-12, atol=1e-12
    )


def test_a_network_without_connections_is_silent():
    one = genomes.start(2, 3, np.random.default_rng(0), connect=0.0)
    outputs = networks.Networks([one], [2.0])(np.ones((2, 1, 1, 4)))
    np.testing.assert_array_equal(outputs, np.zeros((3, 1, 1, 4)))


def test_a_node_that_nothing_leads_into():
    """The cosine of nothing is one."""
    one = genomes.Genome(
        nodes=[0, 1, 2, 3],
        kinds=[0, 1, 2, 3],
        functions=[1, 1, 1, 10],
        innovations=[0, 1],
        sources=[1, 3],
        destinations=[3, 2],
        weights=[1.0, 1.0],
        enabled=[False, True],
    )
    outputs = networks.Networks([one], [2.0])(np.full((1, 1, 1, 1), 7.0))
    assert outputs.item() == 2.0
