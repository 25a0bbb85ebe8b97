"""The masks that a weight begins with."""

import math
from typing import Any

import tensorflow as tf

from tf_rigl.masking.layer_config import LayerConfig

STARTS = ("random", "dense", "magnitude")


def initial_mask(config: LayerConfig, name: str, values: Any) -> tf.Tensor:
    """Returns the mask that a weight, by its key within the layer, begins with.

    `values` is None if the weight does not exist yet.
    """
    weight = config.weights[name]
    layout = weight.layout
    if (
        config.start == "dense"
        or weight.target == math.prod(weight.shape)
        # About to be loaded.
        or (config.start == "magnitude" and values is None)
    ):
        return tf.ones(weight.shape, tf.bool)

    if config.start == "random":
        view = weight.shape if layout is None else layout.shape
        mask = config.structure.random_mask(
            view, weight.target, config.seed, config.weight_key(name)
        )
    else:
        values = tf.convert_to_tensor(values)
        mask = config.structure.largest(
            values if layout is None else layout.view(values), weight.target
        )

    return mask if layout is None else layout.unview(mask)
