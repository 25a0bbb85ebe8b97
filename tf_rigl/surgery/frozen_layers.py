"""Layers and weights that do not train, which stay so in a smaller model."""

from typing import Any

import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.surgery import layer_pairs
from tf_rigl.surgery.channel_plan import layers_below
from tf_rigl.surgery.channel_plan import named_weights


def freeze_alike(flavor: flavors.Flavor, model: Any, smaller: Any) -> None:
    """Freezes in a smaller model what is frozen in the given one, and no more.

    The configuration, of which the smaller model was made, says so of layers,
    but of no weights in Keras 3, and in tf_keras neither of inner models nor of
    layers within wrappers.
    """
    _set_alike(model, smaller)
    for old, new in layer_pairs.matched(model.layers, smaller.layers):
        if new is None:
            continue
        if flavors.is_container(old):
            freeze_alike(flavor, old, new)
            continue
        below = (layers_below(flavor, one) for one in (old, new))
        # Parents first, which set all that is below.
        for before, after in zip(*below, strict=True):
            _set_alike(before, after)

        before, after = (named_weights(flavor, one) for one in (old, new))
        for name in before.keys() & after.keys():
            # Whether a variable of TensorFlow trains is never changed.
            if not isinstance(before[name], tf.Variable):
                _set_alike(before[name], after[name])


def _set_alike(old: Any, new: Any) -> None:
    """Sets `trainable` of a model, a layer or a weight to that of another."""
    if new.trainable != old.trainable:
        new.trainable = old.trainable
