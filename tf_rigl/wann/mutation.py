"""Mutations: each changes one thing of a genome's topology.

Weights are never mutated, and genomes are never crossed: without weights of
their own, a crossing would change nothing but the topology, too.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from tf_rigl.wann import activations
from tf_rigl.wann import genome as genomes
from tf_rigl.wann import graphs
from tf_rigl.wann.genome import Genome

Change = Callable[
    [Genome, np.random.Generator, "Innovations", tuple[int, ...]], Genome | None
]


@dataclasses.dataclass
class Innovations:
    """The numbers that the next new node and connection get.

    Attributes:
        node: that of the next node.
        connection: that of the next connection.
    """

    node: int
    connection: int

    @classmethod
    def after(cls, genome: Genome) -> "Innovations":
        """Returns the first numbers that a genome does not use."""
        most = genome.innovations.max(initial=-1)
        return cls(int(genome.nodes.max()) + 1, int(most) + 1)

    def take_node(self) -> int:
        """Returns the number of a new node."""
        self.node += 1
        return self.node - 1

    def take_connection(self) -> int:
        """Returns the number of a new connection."""
        self.connection += 1
        return self.connection - 1


def add_connection(
    genome: Genome,
    generator: np.random.Generator,
    innovations: Innovations,
    functions: tuple[int, ...] = activations.ALL,
) -> Genome | None:
    """Connects two nodes, from a lower to a higher level of the order.

    Disabled connections count for the order, as they may be enabled again.

    Returns:
        The child; None if all such nodes are connected already.
    """
    del functions
    level = graphs.levels(len(genome.nodes), *genome.edges)
    if level is None:
        raise ValueError("A genome has no circle.")
    # Outputs are behind all others.
    level[genome.kinds == genomes.OUTPUT] = level.max() + 1

    sources, destinations = genome.edges
    for source in generator.permutation(len(genome.nodes)):
        free = level > level[source]
        free[destinations[sources == source]] = False
        if not free.any():
            continue
        destination = generator.choice(np.flatnonzero(free))
        return genome.replace(
            innovations=np.append(
                genome.innovations, innovations.take_connection()
            ),
            sources=np.append(genome.sources, genome.nodes[source]),
            destinations=np.append(
                genome.destinations, genome.nodes[destination]
            ),
            weights=np.append(genome.weights, 1.0),
            enabled=np.append(genome.enabled, True),
        )
    return None


def insert_node(
    genome: Genome,
    generator: np.random.Generator,
    innovations: Innovations,
    functions: tuple[int, ...] = activations.ALL,
) -> Genome | None:
    """Splits an enabled connection, which is disabled, by a new hidden node.

    The connection into the node has the weight 1, the one out of it that of
    the one that is split.

    Returns:
        The child; None if no connection is enabled.
    """
    enabled = np.flatnonzero(genome.enabled)
    if not len(enabled):
        return None
    split = generator.choice(enabled)
    node = innovations.take_node()
    without = genome.enabled.copy()
    without[split] = False
    return genome.replace(
        nodes=np.append(genome.nodes, node),
        kinds=np.append(genome.kinds, genomes.HIDDEN),
        functions=np.append(genome.functions, generator.choice(functions)),
        innovations=np.append(
            genome.innovations,
            [innovations.take_connection(), innovations.take_connection()],
        ),
        sources=np.append(genome.sources, [genome.sources[split], node]),
        destinations=np.append(
            genome.destinations, [node, genome.destinations[split]]
        ),
        weights=np.append(genome.weights, [1.0, genome.weights[split]]),
        enabled=np.append(without, [True, True]),
    )


def enable_connection(
    genome: Genome,
    generator: np.random.Generator,
    innovations: Innovations,
    functions: tuple[int, ...] = activations.ALL,
) -> Genome | None:
    """Enables a disabled connection; returns None if there is none."""
    del innovations, functions
    disabled = np.flatnonzero(~genome.enabled)
    if not len(disabled):
        return None
    enabled = genome.enabled.copy()
    enabled[generator.choice(disabled)] = True
    return genome.replace(enabled=enabled)


def change_activation(
    genome: Genome,
    generator: np.random.Generator,
    innovations: Innovations,
    functions: tuple[int, ...] = activations.ALL,
) -> Genome | None:
    """Gives a hidden node another activation.

    Returns:
        The child; None if there is no hidden node or no other activation.
    """
    del innovations
    hidden = np.flatnonzero(genome.kinds == genomes.HIDDEN)
    if not len(hidden):
        return None
    place = generator.choice(hidden)
    others = [one for one in functions if one != genome.functions[place]]
    if not others:
        return None
    changed = genome.functions.copy()
    changed[place] = generator.choice(others)
    return genome.replace(functions=changed)


# The sectors of the roulette wheel, of the article and its code.
ROULETTE: dict[Change, float] = {
    add_connection: 0.20,
    insert_node: 0.25,
    enable_connection: 0.05,
    change_activation: 0.50,
}


def mutate(
    genome: Genome,
    generator: np.random.Generator,
    innovations: Innovations,
    functions: tuple[int, ...] = activations.ALL,
) -> Genome:
    """Returns a child with one change, chosen by the roulette wheel.

    The wheel is spun again without a change that is not possible, such as that
    of an activation before there is a hidden node. The published code returns
    a copy of the parent then.

    Args:
        genome: the parent.
        generator: draws the change.
        innovations: the numbers of new nodes and connections, which move on.
        functions: the activations that hidden nodes may have.
    """
    wheel = dict(ROULETTE)
    while wheel:
        shares = np.array(list(wheel.values()))
        sector = generator.choice(len(wheel), p=shares / shares.sum())
        change = list(wheel)[sector]
        child = change(genome, generator, innovations, functions)
        if child is not None:
            return child
        del wheel[change]
    return genome
