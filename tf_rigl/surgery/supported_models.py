"""Checks that a model says how its layers are connected."""

from typing import Any

from tf_rigl.backend import flavor as flavors
from tf_rigl.factors import plain_layers
from tf_rigl.masking import tree
from tf_rigl.masking.deferred import is_deferred
from tf_rigl.surgery import analysis


def check(model: Any, factors: bool = False) -> None:
    """Raises a ValueError unless the model has a graph of built layers.

    `factors` tells whether its layers may have factors.
    """
    if is_deferred(model) or not model.built:
        raise ValueError(
            "The model must be built. Received: "
            f"model={model.name!r}, which has no weights yet. Call it on a "
            "batch first."
        )

    if not flavors.is_container(model):
        raise ValueError(
            "Only functional and sequential models can shrink: the code of "
            "a subclassed model does not say which layer reads which. "
            f"Received: model={model.name!r} of "
            f"{flavors.plain_class(model)}. Make the same network of its "
            "layers as a functional model, `keras.Model(inputs, outputs)`, or "
            "shrink the functional models that it consists of."
        )

    if not factors and plain_layers.has_factors(model):
        raise ValueError(
            "Channels are those of plain layers. Received: "
            f"model={model.name!r}, which has factors. Call "
            "`tf_rigl.strip(model)` first, which makes layers of them."
        )

    quantized = [
        layer.name
        for layer in model.layers
        if type(layer).__name__.startswith("Quantize")
    ]
    if quantized:
        raise ValueError(
            "Channels are those of plain layers. Received: "
            f"model={model.name!r}, in which TFMOT rounds the weights of "
            f"{quantized[:3]}. Cut the model first, then quantize what is left."
        )

    if not hasattr(analysis.network_of(model), "_nodes_by_depth"):
        raise ValueError(
            "A sequential model must know the shape of its input. "
            f"Received: model={model.name!r}. Begin it with `keras.Input`."
        )


def check_sizes(flavor: flavors.Flavor, model: Any) -> None:
    """Raises a ValueError if a configuration does not say a layer's sizes.

    In tf_keras, frequencies and boundaries that `adapt` has found are not
    among it.
    """
    for node in tree.walk(flavor, model):
        own = flavor.own_weights(node.layer)
        if all(flavor.raw(one).shape.is_fully_defined() for one in own):
            continue
        raise ValueError(
            "A model is rebuilt by its configuration, in which tf_keras "
            "leaves out frequencies and boundaries that layers were adapted "
            f"to. Received: {node.layer.name!r} of {model.name!r}. Make that "
            "layer with `idf_weights=` or `bin_boundaries=` from the adapted "
            "one, or shrink the part of the model behind it."
        )
