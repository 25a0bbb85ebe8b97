"""The scales γ of a model that is trained."""

from typing import Any

import tensorflow as tf

from tf_rigl.algorithms import scales
from tf_rigl.backend import flavor as flavors
from tf_rigl.masking import tree


def find_scales(model: Any) -> dict[str, tf.Variable]:
    """Finds the scales of a model of either Keras, by their paths.

    The variable [channels] of each layer has a path as `"block_1/norm/gamma"`;
    they are in the order of the layers.

    A normalization without a scale is named in a warning.

    Raises:
        TypeError: if `model` is not a model.
        ValueError: if a layer is not built, or none has a scale.
    """
    flavor = flavors.model_flavor(model)
    layers = {
        "/".join(node.path): node.layer for node in tree.walk(flavor, model)
    }

    normalized = filter(scales.is_normalization, layers.values())
    if not model.built or not all(layer.built for layer in normalized):
        raise ValueError(
            "A model must be built for its scales to be read. Received: "
            f"model={model.name!r}, which is not. Build it, or call it on a "
            "batch, before `fit`."
        )

    found = scales.scales(layers)
    return {f"{path}/gamma": flavor.raw(one) for path, one in found.items()}
