"""Networks whose normalizations lose channels each by itself.

Where several branches read one stream, as in pre-activation ResNets and
DenseNets, network slimming prunes the scales of each branch's normalization and
puts a selection of channels in front (Liu et al., arXiv:1708.06519, section
3). The stream keeps its channels.
"""

import contextlib
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import numpy as np

import tf_rigl
from tf_rigl.algorithms import scales
from tf_rigl.backend import flavor as flavors
from tf_rigl.core import channel_selection
from tf_rigl.core import decimals
from tf_rigl.masking import tree
from tf_rigl.tickets.scales import find_scales

_SCALE = "/gamma"


def draw_masks(
    model: Any, ratio: float, min_channels: int, seed: int | None = None
) -> dict[str, np.ndarray]:
    """Leaves out the channels of the smallest scales of all layers together.

    Args:
        model: a built model of either Keras.
        ratio: the fraction of channels to leave out; exactly ⌊ratio · n⌋ of n
            go, of equal scales those of the first channels.
        min_channels: the fewest channels that a normalization keeps.
        seed: if given, random numbers stand for the scales.

    Returns:
        Which channels stay, bool [channels] by the path of a scale.

    Raises:
        ValueError: if no normalization has a scale.
    """
    found = find_scales(model)
    scores = [np.abs(one.numpy()) for one in found.values()]
    if seed is not None:
        random = np.random.default_rng(seed)
        scores = [random.random(len(one)) for one in scores]
    gone = channel_selection.remove_globally(
        scores,
        decimals.floor_of(ratio, sum(map(len, scores))),
        channel_selection.Limits(min_channels),
    )
    return {path: ~one for path, one in zip(found, gone, strict=True)}


def are_of_scales(masks: Mapping[str, np.ndarray]) -> bool:
    """Returns whether masks are those of `draw_masks`, not those of layers."""
    return all(path.endswith(_SCALE) for path in masks)


def cut(model: Any, masks: Mapping[str, np.ndarray]) -> Any:
    """Cuts a model as if channels had no scale and no shift.

    Returns:
        The smaller model and the report of `tf_rigl.shrink`.
    """
    with _zeros(model, masks):
        return tf_rigl.shrink(model)


@contextlib.contextmanager
def _zeros(model: Any, masks: Mapping[str, np.ndarray]) -> Iterator[None]:
    """Sets scales and shifts to zero within the context."""
    flavor = flavors.model_flavor(model)
    layers = {
        "/".join(node.path): node.layer for node in tree.walk(flavor, model)
    }
    with contextlib.ExitStack() as stack:
        for path, kept in masks.items():
            layer = layers[path.removesuffix(_SCALE)]
            for variable in (scales.scale_of(layer), scales.shift_of(layer)):
                if variable is not None:
                    raw = flavor.raw(variable)
                    stack.callback(raw.assign, raw.numpy())
                    raw.assign(np.where(kept, raw.numpy(), 0))
        yield
