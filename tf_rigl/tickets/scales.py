"""Scales γ of the BatchNormalization layers of a model."""

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.masking import layer_rules
from tf_rigl.masking import tree

_CLASSES = ("BatchNormalization", "SyncBatchNormalization")


class Scales(NamedTuple):
    """The scales of a model.

    Attributes:
        variables: variable [channels] of each layer by the path of its γ, as
            `"block_1/norm/gamma"`, in the order of the layers.
        without: paths of the layers that have none, as with `scale=False`.
    """

    variables: Mapping[str, tf.Variable]
    without: tuple[str, ...]

    @property
    def sizes(self) -> dict[str, int]:
        """Number of channels of each layer."""
        return {path: one.shape[0] for path, one in self.variables.items()}

    def values(self) -> np.ndarray:
        """Returns the present scales of all layers, float [channels]."""
        return np.concatenate([one.numpy() for one in self.variables.values()])


def find_scales(model: Any) -> Scales:
    """Finds the scales of a model of either Keras.

    Raises:
        TypeError: if `model` is not a model.
        ValueError: if a layer is not built, or none has a scale.
    """
    flavor = flavors.model_flavor(model)
    found = [
        node
        for node in tree.walk(flavor, model)
        if layer_rules.known_class(node.layer, _CLASSES)
    ]

    unbuilt = [node.path for node in found if not node.layer.built]
    if unbuilt or not model.built:
        raise ValueError(
            "A model must be built for its scales to be read. Received: "
            f"model={model.name!r}, which is not. Build it, or call it on a "
            "batch, before `fit`."
        )

    variables, without = {}, []
    for node in found:
        if node.layer.gamma is None:
            without.append("/".join(node.path))
        else:
            path = "/".join((*node.path, "gamma"))
            variables[path] = flavor.raw(node.layer.gamma)
    if not variables:
        raise ValueError(
            "Channels are compared by the scales of BatchNormalization. "
            f"Received: model={model.name!r}, which has {len(without)} such "
            "layers and no scale. Put BatchNormalization with scale=True "
            "behind its convolutions."
        )
    return Scales(variables, tuple(without))
