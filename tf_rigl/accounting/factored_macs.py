"""How often a call of a factorized layer uses each element of its factors."""

import math
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from tf_rigl.accounting.call_recorder import LayerCall
from tf_rigl.core import low_rank
from tf_rigl.masking import tree
from tf_rigl.masking.layer_rules import FACTORS


def factors_of(layer: Any) -> Mapping[str, Any]:
    """Returns the factors of a layer by the names of its kernels."""
    found: Mapping[str, Any] = vars(layer).get(FACTORS, {})
    return found


def small_factors(nodes: Iterable[tree.Node]) -> list[str]:
    """Returns the paths of kernels whose factors may be no faster."""
    return [
        "/".join((*node.path, name))
        for node in nodes
        for name, factored in factors_of(node.layer).items()
        if factored.is_thin
        and math.prod(factored.config.shape) <= low_rank.SMALL
    ]


class FactoredMacs:
    """The factors of some layers, by the variables."""

    def __init__(self, layers: Iterable[Any]) -> None:
        # By the id of a variable, the factors of its kernel and its place.
        self._places = {
            id(variable): (factored, place)
            for layer in layers
            for factored in factors_of(layer).values()
            for place, variable in enumerate(factored.variables)
        }

    def uses(
        self, call: LayerCall, weights: Sequence[Any], times: int
    ) -> tuple[dict[int, int], int]:
        """Returns the uses of weights, and those of kernels that are products.

        A call that multiplies factors out multiplies activations by a kernel
        that is no weight. The product of factors itself, once a batch, does not
        count.

        Args:
            call: a call of a layer.
            weights: the Keras variables that its rule lists.
            times: how often it would use each element of a kernel.

        Returns:
            How often it uses each element by the id of a weight, and the number
            of its multiplications by kernels that are no weights.
        """
        uses: dict[int, int] = {}
        of_kernels = 0
        for weight in weights:
            factored, place = self._places.get(id(weight), (None, 0))
            uses[id(weight)] = times
            if factored is None:
                continue
            if not factored.is_thin:
                uses[id(weight)] = 0
                if place == 0:
                    of_kernels += times * math.prod(factored.config.shape)
            elif place < len(factored.variables) - 1:
                uses[id(weight)] = _inner(call, factored, times)
        return uses, of_kernels


def _inner(call: LayerCall, factored: Any, times: int) -> int:
    """Returns the uses of a factor before the last one.

    That of a spatial convolution has not strided yet along the axes which only
    the last one has.
    """
    shape, output = call.input(), call.output
    if factored.config.form != "spatial" or shape is None or output is None:
        return times
    first = 2 if call.layer.data_format == "channels_first" else 1
    space = range(len(factored.config.shape) - 2)
    kept = [axis for axis in space if axis not in factored.layout.row_axes]
    for axis in kept:
        before, after = shape[first + axis], output[first + axis]
        if before is None or not after:
            return times
        times = times // after * before
    return times
