"""Genomes that mutations have made, and what networks are by definition."""

import math

import numpy as np

from tf_rigl.wann import genome as genomes
from tf_rigl.wann import mutation

FUNCTIONS = {
    1: lambda x: x,
    2: lambda x: 1.0 if x > 0 else 0.0,
    3: lambda x: math.sin(math.pi * x),
    4: lambda x: math.exp(-x * x / 2),
    5: math.tanh,
    6: lambda x: 1 / (1 + math.exp(-x)),
    7: lambda x: -x,
    8: abs,
    9: lambda x: max(x, 0.0),
    10: lambda x: math.cos(math.pi * x),
}


def evolve(inputs=3, outputs=2, steps=20, seed=0):
    """A genome after some mutations, whatever they are good for."""
    generator = np.random.default_rng(seed)
    one = genomes.start(inputs, outputs, generator)
    innovations = mutation.Innovations.after(one)
    for _ in range(steps):
        one = mutation.mutate(one, generator, innovations)
    return one


def oracle(genome, inputs, weight):
    """The outputs for one vector of inputs, node by node."""
    kinds = dict(zip(genome.nodes, genome.kinds, strict=True))
    functions = dict(zip(genome.nodes, genome.functions, strict=True))
    values = dict(zip(genome.nodes[1:], inputs, strict=False))
    values[genome.nodes[0]] = 1.0

    def value(node):
        if node not in values:
            total = sum(
                (own if weight is None else weight) * value(source)
                for source, destination, own, enabled in zip(
                    genome.sources,
                    genome.destinations,
                    genome.weights,
                    genome.enabled,
                    strict=True,
                )
                if enabled and destination == node
            )
            values[node] = FUNCTIONS[int(functions[node])](float(total))
        return values[node]

    values = {k: v for k, v in values.items() if kinds[k] < genomes.OUTPUT}
    return [value(n) for n in genome.nodes if kinds[n] == genomes.OUTPUT]
