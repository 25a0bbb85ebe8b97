"""Maps the operators of a LiteRT graph to the layers of its Keras model.

Keras names operations by the layers' names, but not by them alone: in Keras 3
the operations of `conv2d` may be in the scope `conv2d_1` while there is a layer
`conv2d_1`. Here each layer is called in a name scope of its own, which numbers
it; the converter keeps scopes in the names of tensors.
"""

import contextlib
import re
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_rigl.backend import flavor
from tf_rigl.masking import model_weights

_SCOPE = re.compile(r"tf_rigl\.layer(\d+)\.(?:_\d+)?/")


@contextlib.contextmanager
def numbered(model: Any) -> Iterator[list[str]]:
    """Makes layers be called in scopes that `layer_name` reads.

    Yields:
        The names of the layers in the order of their numbers, each with those
        of the models and layers around it, but for `model` itself.
    """
    nodes = model_weights.walk_model(model).nodes
    numbers = {id(node.layer): number for number, node in enumerate(nodes)}
    classes: dict[type, type] = {}

    with contextlib.ExitStack() as stack:
        for node in nodes:
            cls = type(node.layer)
            if cls not in classes:
                classes[cls] = _numbered_class(cls, numbers)
            stack.enter_context(flavor.of_class(node.layer, classes[cls]))
        yield ["/".join(node.path) or node.layer.name for node in nodes]


def layer_name(operations: Sequence[str], layers: Sequence[str]) -> str:
    """Returns the layer of the first of these operations that tells it.

    Args:
        operations: names of operations in a LiteRT graph.
        layers: the names that `numbered` yielded; empty for a graph that was
            traced without it, where the name is what the converter left of it.

    Returns:
        The layer's name; "" if none of them tells, as of an output of the graph
        or of an operation that was traced in a function of its own.
    """
    for name in operations:
        numbers = _SCOPE.findall(name)
        if numbers and layers:
            return layers[int(numbers[-1])]

    paths = [
        name.removeprefix("StatefulPartitionedCall/") for name in operations
    ]
    path = next((path for path in paths if "/" in path), "")
    scopes = path.split("/")
    # Without the model and the kind of the operation.
    return "/".join(scopes[1:-1] or scopes[:1])


def _numbered_class(cls: Any, numbers: Mapping[int, int]) -> type:
    """Makes a subclass whose instances are called in their scopes."""

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        with tf.name_scope(f"tf_rigl.layer{numbers[id(layer)]}."):
            return cls.__call__(layer, *args, **kwargs)

    return type(
        cls.__name__, (cls,), {"__call__": call, "__module__": cls.__module__}
    )
