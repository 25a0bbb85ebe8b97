"""What a model computes without some of its channels, by zeros in it."""

import numpy as np

from tf_rigl.backend.flavor import flavor_of
from tf_rigl.masking import tree
from tf_rigl.surgery import channel_plan


def set_to_zero(model, masks):
    """Sets what makes the masked channels of each layer to zero.

    `masks` are bool [channels] by the path of a layer, True = kept, and bool
    [heads] by that of the values of attention.
    """
    flavor = flavor_of(model)
    found = set()
    for node in tree.walk(flavor, model):
        path = "/".join(node.path)
        if path not in masks or path in found:
            continue
        found.add(path)
        # Those of a recurrent layer are in its cell.
        weights = channel_plan.named_weights(flavor, node.layer)
        for name, variable in weights.items():
            kept = _kept_of(node.layer, name, masks[path])
            if kept is not None:
                kind = type(node.layer).__name__
                _clear(flavor.raw(variable), kind, kept)
        heads = masks.get(f"{path}/value/kernel")
        if heads is not None:
            found.add(f"{path}/value/kernel")
            _clear_heads(flavor.raw(weights["attention_output/kernel"]), heads)
    # Reshape and inner inputs have no weights.
    assert {path for path in masks if not masks[path].all()} <= found


def _kept_of(layer, name, kept):
    """Which outputs of a weight stay, None if it makes none."""
    kind, last = type(layer).__name__, name.rpartition("/")[2]
    if "variance" in last or (
        kind.startswith("Separable") and last == "depthwise_kernel"
    ):
        return None
    if "Attention" in kind and not name.startswith("attention_output"):
        return None
    if kind == "Bidirectional" and layer.merge_mode == "concat":
        return np.split(kept, 2)["backward" in name]
    return kept


def _clear_heads(raw, kept):
    values = raw.numpy()
    values[~kept] = 0
    raw.assign(values)


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
