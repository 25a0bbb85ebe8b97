"""What a model computes without some of its channels, by zeros in it."""

import numpy as np

from tf_rigl.backend.flavor import flavor_of
from tf_rigl.masking import tree
from tf_rigl.surgery import channel_plan


def set_to_zero(model, masks):
    """Sets what makes the masked channels of each layer to zero.

    `masks` are bool [channels] by the path of a layer, True = kept.
    """
    flavor = flavor_of(model)
    found = set()
    for node in tree.walk(flavor, model):
        path = "/".join(node.path)
        if path not in masks or path in found:
            continue
        found.add(path)
        # Those of a recurrent layer are in its cell.
        for variable in channel_plan.weights_below(flavor, node.layer):
            name = channel_plan.last_name(variable)
            kind = type(node.layer).__name__
            if "variance" not in name and not (
                kind.startswith("Separable") and name == "depthwise_kernel"
            ):
                _clear(flavor.raw(variable), kind, masks[path])
    # Reshape and inner inputs have no weights.
    assert {path for path in masks if not masks[path].all()} <= found


def _clear(raw, kind, kept):
    values = raw.numpy()
    axis = -1
    if values.ndim > 1 and ("Depthwise" in kind or "Transpose" in kind):
        axis = -2
    times, rest = divmod(values.shape[axis], len(kept))
    if kind.startswith("Depthwise") and axis == -2:
        # As many outputs as the multiplier for each channel.
        kept = kept.reshape(values.shape[-2:])[:, 0]
        times = 1
    assert not rest or kind.startswith("Depthwise")
    np.moveaxis(values, axis, 0)[~np.tile(kept, times)] = 0
    raw.assign(values)
