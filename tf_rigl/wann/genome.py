"""Genomes: networks as lists of nodes and connections that never change."""

import dataclasses
import functools
from typing import Any

import numpy as np

from tf_rigl.wann import activations
from tf_rigl.wann import graphs

BIAS, INPUT, OUTPUT, HIDDEN = range(4)  # the types of nodes
KINDS = ("bias", "input", "output", "hidden")

# The arrays of a genome, with their types. Nodes first, then connections.
NODE_ARRAYS = {"nodes": np.int32, "kinds": np.uint8, "functions": np.uint8}
CONNECTION_ARRAYS = {
    "innovations": np.int32,
    "sources": np.int32,
    "destinations": np.int32,
    "weights": np.float64,
    "enabled": np.bool_,
}
_ARRAYS = {**NODE_ARRAYS, **CONNECTION_ARRAYS}


@dataclasses.dataclass(frozen=True, eq=False)
class Genome:
    """A network of nodes and directed connections without a circle.

    The bias comes first, which is a node of the value 1, then inputs, outputs
    and hidden nodes. Bias and inputs have no connections into them, outputs
    none out of them. The arrays are read-only copies.

    Attributes:
        nodes: int32 [nodes], the number of each node.
        kinds: uint8 [nodes], 0 bias, 1 input, 2 output, 3 hidden.
        functions: uint8 [nodes], keys of `activations.ACTIVATIONS`.
        innovations: int32 [connections], numbers that tell when in a search a
            connection was made, each used once.
        sources: int32 [connections], the node that each comes from.
        destinations: int32 [connections], the node that each leads to.
        weights: float64 [connections], weights of its own, which a search does
            not look at: it gives all connections one shared weight.
        enabled: bool [connections].

    Raises:
        ValueError: if the arrays are not such a network.
    """

    nodes: np.ndarray
    kinds: np.ndarray
    functions: np.ndarray
    innovations: np.ndarray
    sources: np.ndarray
    destinations: np.ndarray
    weights: np.ndarray
    enabled: np.ndarray

    def __post_init__(self) -> None:
        for name, dtype in _ARRAYS.items():
            array: np.ndarray = np.array(getattr(self, name), dtype)
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        _check(self)

    def __eq__(self, other: object) -> bool:
        """Compares all arrays."""
        if not isinstance(other, Genome):
            return NotImplemented
        return all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in _ARRAYS
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def inputs(self) -> int:
        """The number of inputs, without the bias."""
        return int(np.count_nonzero(self.kinds == INPUT))

    @property
    def outputs(self) -> int:
        """The number of outputs."""
        return int(np.count_nonzero(self.kinds == OUTPUT))

    @property
    def hidden(self) -> int:
        """The number of hidden nodes."""
        return int(np.count_nonzero(self.kinds == HIDDEN))

    @property
    def connections(self) -> int:
        """The number of enabled connections."""
        return int(np.count_nonzero(self.enabled))

    @functools.cached_property
    def edges(self) -> np.ndarray:
        """Int64 [2, connections], the places of source and destination."""
        order = np.argsort(self.nodes)
        ends = np.stack([self.sources, self.destinations])
        found = order[np.searchsorted(self.nodes, ends, sorter=order)]
        found.flags.writeable = False
        return found

    def replace(self, **changes: Any) -> "Genome":
        """Returns a genome of which some arrays are others."""
        return dataclasses.replace(self, **changes)

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns the arrays by name, of which `Genome(**arrays)` is equal."""
        return {name: getattr(self, name) for name in _ARRAYS}

    def __str__(self) -> str:
        """Describes the size."""
        return (
            f"{self.inputs} inputs, {self.hidden} hidden nodes, "
            f"{self.outputs} outputs, {self.connections} connections"
        )


def start(
    inputs: int,
    outputs: int,
    generator: np.random.Generator,
    connect: float = 0.5,
) -> Genome:
    """Makes a genome of the first generation: no hidden node, all linear.

    There is a connection from the bias and from each input to each output; the
    same ones have the same innovation numbers in all genomes.

    Args:
        inputs: the number of inputs.
        outputs: the number of outputs.
        generator: draws which connections are enabled.
        connect: the probability of that, the article's `prob_initEnable`.
    """
    before = 1 + inputs
    nodes = np.arange(before + outputs)
    kinds = np.repeat([BIAS, INPUT, OUTPUT], [1, inputs, outputs])
    count = before * outputs
    return Genome(
        nodes,
        kinds,
        np.full(len(nodes), activations.LINEAR),
        np.arange(count),
        np.repeat(np.arange(before), outputs),
        np.tile(np.arange(before, before + outputs), before),
        np.ones(count),
        generator.random(count) < connect,
    )


def _check(genome: Genome) -> None:
    """Raises a ValueError unless the arrays make a network."""
    for names in (NODE_ARRAYS, CONNECTION_ARRAYS):
        shapes = {getattr(genome, name).shape for name in names}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise _error(f"the arrays {', '.join(names)} differ in length")

    kinds = genome.kinds.astype(int)
    if np.any(np.diff(kinds) < 0) or list(kinds[:2]) != [BIAS, INPUT]:
        raise _error("nodes are not bias, inputs, outputs and hidden ones")
    if OUTPUT not in kinds or kinds[-1] > HIDDEN:
        raise _error("there is no output, or a node of an unknown kind")
    if not set(genome.functions.tolist()) <= set(activations.ACTIVATIONS):
        raise _error("there is an unknown activation")
    for what, numbers in (
        ("node", genome.nodes),
        ("innovation", genome.innovations),
    ):
        if _has_repeats(numbers):
            raise _error(f"the number of a {what} is there twice")

    ends = np.stack([genome.sources, genome.destinations])
    if not np.isin(ends, genome.nodes).all():
        raise _error("a connection leads from or to an unknown node")
    sources, destinations = genome.edges
    if np.any(kinds[sources] == OUTPUT) or np.any(kinds[destinations] < OUTPUT):
        raise _error("a connection leads out of an output or into an input")
    if _has_repeats(sources * len(kinds) + destinations):
        raise _error("a connection is there twice")
    if graphs.levels(len(kinds), *genome.edges) is None:
        raise _error("connections make a circle")


def _has_repeats(numbers: np.ndarray) -> bool:
    # Six times as fast as `numpy.unique`, which made up half of breeding.
    ordered = np.sort(numbers)
    return bool(np.any(ordered[1:] == ordered[:-1]))


def _error(what: str) -> ValueError:
    return ValueError(
        f"The arrays must be those of a network. Received: {what}. Pass those "
        "of `Genome.arrays()`."
    )
