"""Which weights of which layers may be sparse."""

from collections.abc import Collection
from typing import Any
from typing import NamedTuple

# Layer classes of either Keras, by name, with the attributes of the weights
# that are sparsifiable. A user's subclass counts as its base.
KERNELS: dict[str, tuple[str, ...]] = {
    "Dense": ("kernel",),
    "EinsumDense": ("kernel",),
    "Conv1D": ("kernel",),
    "Conv2D": ("kernel",),
    "Conv3D": ("kernel",),
    "Conv1DTranspose": ("kernel",),
    "Conv2DTranspose": ("kernel",),
    "Conv3DTranspose": ("kernel",),
    "SeparableConv1D": ("pointwise_kernel",),
    "SeparableConv2D": ("pointwise_kernel",),
    "SimpleRNNCell": ("kernel", "recurrent_kernel"),
    "GRUCell": ("kernel", "recurrent_kernel"),
    "LSTMCell": ("kernel", "recurrent_kernel"),
}

# Weights that are sparse only where the user asks: few elements for their
# work (depthwise) or rows that a batch rarely touches (embeddings).
ON_REQUEST: dict[str, tuple[str, ...]] = {
    # Keras 3 names the weight `kernel`, Keras 2 `depthwise_kernel`.
    "DepthwiseConv1D": ("depthwise_kernel", "kernel"),
    "DepthwiseConv2D": ("depthwise_kernel", "kernel"),
    "Embedding": ("embeddings",),
}


class OwnWeight(NamedTuple):
    """A weight of a layer that may be sparse."""

    name: str
    variable: Any
    on_request: bool  # sparse only where the user asks


def own_sparsifiable_weights(layer: Any) -> list[OwnWeight]:
    """The layer's own weights that may be sparse, its children's not counted.

    A custom layer names its weights by TFMOT's `PrunableLayer` protocol, the
    method `get_prunable_weights`.

    Args:
        layer: a layer of either Keras.

    Returns:
        The weights in a fixed order; none for a layer that is not built.
    """
    protocol = getattr(layer, "get_prunable_weights", None)
    if callable(protocol):
        # The user's method may read weights that `build` makes.
        return _named(protocol()) if layer.built else []
    for table in (KERNELS, ON_REQUEST):
        known = known_class(layer, table)
        if known is not None:
            return [
                OwnWeight(attribute, variable, table is ON_REQUEST)
                for attribute in table[known]
                if (variable := getattr(layer, attribute, None)) is not None
            ]
    return []


def known_class(layer: Any, table: Collection[str]) -> str | None:
    """The layer's class, or its nearest base, that stands in a table."""
    for cls in type(layer).__mro__:
        package = cls.__module__.partition(".")[0]
        if package in ("keras", "tf_keras") and cls.__name__ in table:
            return cls.__name__
    return None


def _named(variables: list[Any]) -> list[OwnWeight]:
    """Names weights by the last part of the variable's name, each once."""
    names: list[str] = []
    for variable in variables:
        name = variable.name.rpartition("/")[2].partition(":")[0]
        names.append(name if name not in names else f"{name}_{len(names)}")
    return [
        OwnWeight(name, variable, False)
        for name, variable in zip(names, variables, strict=True)
    ]
