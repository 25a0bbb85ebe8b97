"""What has to be computed of a genome."""

import dataclasses

import numpy as np

from tf_rigl.wann import genome as genomes
from tf_rigl.wann import graphs
from tf_rigl.wann.genome import Genome


@dataclasses.dataclass(frozen=True)
class LiveNodes:
    """The nodes and connections of a genome that reach an output.

    Attributes:
        nodes: int [nodes], places in the genome, without bias and inputs.
        levels: int [nodes], 0 for those that need nothing but inputs.
        functions: uint8 [nodes], their activations.
        sources: int [connections], places in the genome, only of connections
            that are enabled.
        destinations: int [connections], likewise.
        weights: float64 [connections], the weights of their own.
    """

    nodes: np.ndarray
    levels: np.ndarray
    functions: np.ndarray
    sources: np.ndarray
    destinations: np.ndarray
    weights: np.ndarray


def find(genome: Genome) -> LiveNodes:
    """Finds what has to be computed of a genome; all outputs are."""
    sources, destinations = genome.edges[:, genome.enabled]
    outputs = genome.kinds == genomes.OUTPUT
    live = graphs.reaching(outputs, sources, destinations)
    kept = live[destinations]
    sources, destinations = sources[kept], destinations[kept]

    # Inputs are there from the beginning, so that the first level is that of
    # nodes which need nothing else.
    deep = genome.kinds[sources] >= genomes.OUTPUT
    level = graphs.levels(len(live), sources[deep], destinations[deep])
    if level is None:
        raise ValueError("A genome has no circle.")
    computed = np.flatnonzero(live & (genome.kinds >= genomes.OUTPUT))
    return LiveNodes(
        computed,
        level[computed],
        genome.functions[computed],
        sources,
        destinations,
        genome.weights[genome.enabled][kept],
    )
