"""Names for all weights of a layer, sparse or not."""

import collections
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

from tf_rigl.backend.flavor import Flavor
from tf_rigl.masking.layer_rules import sparsifiable_weights


class NamedWeight(NamedTuple):
    """A weight of a layer."""

    name: str  # unique within the layer
    variable: Any  # the Keras variable
    may_be_sparse: bool


def named_weights(flavor: Flavor, layer: Any) -> Iterator[NamedWeight]:
    """Yields a layer's own weights, each under a name of its own.

    Args:
        flavor: the layer's.
        layer: a layer; weights of layers within it are not its own.
    """
    attributes = {
        id(variable): name
        for name, variable in sparsifiable_weights(layer).items()
    }

    counts: collections.Counter[str] = collections.Counter()
    for variable in flavor.own_weights(layer):
        last = variable.name.rpartition("/")[2].partition(":")[0]
        name = attributes.get(id(variable), last)
        number = counts[name]
        counts[name] += 1
        yield NamedWeight(
            f"{name}_{number}" if number else name,
            variable,
            id(variable) in attributes,
        )
