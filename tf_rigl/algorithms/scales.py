"""The scales of normalization layers, which stand for channels.

A channel whose scale γ and shift β are 0 is 0 behind the normalization, so its
magnitude |γ| tells what the channel is worth (Liu et al., arXiv:1708.06519).
That holds for BatchNormalization and for GroupNormalization. A
LayerNormalization is left alone: it takes its statistics over the very channels
that would go, and what goes changes all others.
"""

import warnings
from collections.abc import Mapping
from typing import Any

# Layer classes of either Keras, by name. A user's subclass counts as its base.
_CLASSES = frozenset(
    {"BatchNormalization", "BatchNormalizationBase", "GroupNormalization"}
)


def is_normalization(layer: Any) -> bool:
    """Returns whether a layer's scales, if it has any, stand for channels."""
    return any(cls.__name__ in _CLASSES for cls in type(layer).__mro__)


def scale_of(layer: Any) -> Any:
    """Returns the variable γ of a normalization layer, one value a channel.

    None if the layer is no such normalization, is not built, or has no scale.
    """
    gamma = getattr(layer, "gamma", None) if is_normalization(layer) else None
    # `BatchNormalization` of tf_keras may normalize several axes at once.
    return None if gamma is None or len(gamma.shape) != 1 else gamma


def shift_of(layer: Any) -> Any:
    """Returns the variable β of such a layer; None if it has none."""
    return getattr(layer, "beta", None)


def scales(layers: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the scales of a model's layers, by the layer's path.

    A normalization without a scale is named in a warning.

    Args:
        layers: all layers of a built model by path.

    Raises:
        ValueError: if there is no scale at all.
    """
    found, without = {}, []
    for path, layer in layers.items():
        scale = scale_of(layer)
        if scale is not None:
            found[path] = scale
        elif is_normalization(layer):
            without.append(path)

    if not found:
        received = f"{without} without a scale" if without else "no such layer"
        raise ValueError(
            "The model must have scales of BatchNormalization or "
            f"GroupNormalization. Received: {received}. Build these layers "
            "with scale=True behind the convolutions whose channels may go."
        )
    if without:
        warnings.warn(
            f"Normalization without a scale: {without}. Their channels all "
            "stay and are not penalized; build them with scale=True.",
            stacklevel=2,
        )
    return found
