"""History of masks, recorded inside the graph for diagnostics.

Two tensors are kept for each masked weight: which positions were ever active,
with one bit per element, and statistics of the last update. Every mask update
writes them; they are saved with the model and reported by `diagnose`.
"""

import math
from typing import Any

import tensorflow as tf

from tf_rigl.core import diagnostics
from tf_rigl.masking import layer_config
from tf_rigl.masking import state_store
from tf_rigl.masking import storages
from tf_rigl.masking.mask_store import ATTRIBUTE
from tf_rigl.masking.masked_weight import MaskedWeight

# Packed mask of the positions that were ever active.
EVER_ACTIVE = f"{state_store.DIAGNOSTIC}ever_active"
# Packed initial mask, kept if the configuration does not determine it.
START_MASK = f"{state_store.DIAGNOSTIC}start_mask"
# float64 [4] of the last update: the numbers of connections kept and of
# connections after it, and the gradient norms of kept and of grown ones.
LAST_UPDATE = f"{state_store.DIAGNOSTIC}last_update"


def start_recording(layer: Any, keep_start: bool = False) -> None:
    """Starts recording the mask history of a masked layer.

    `keep_start` stores the present masks as the initial ones, because they
    cannot be reproduced from the layer's configuration.
    """
    config = layer_config.config_of(layer)
    keep_start = keep_start or config.start == "magnitude"
    masks = getattr(layer, ATTRIBUTE).masks
    kinds = {
        key: {**config.state.get(key, {}), **_kinds(weight, keep_start)}
        for key, weight in config.weights.items()
        # A bit for each position would be as large as the connections.
        if weight.storage != storages.COMPRESSED
    }
    state_store.keep_state(layer, kinds)

    with tf.init_scope():
        for key in kinds:
            mask = masks[key]
            tensors = state_store.state_of(layer, key)
            packed = diagnostics.pack_mask(tf.convert_to_tensor(mask))
            for name in (EVER_ACTIVE, START_MASK):
                if name in tensors:
                    tensors[name].assign(packed)


def record_update(
    weight: MaskedWeight,
    change: diagnostics.MaskChange,
    mask: tf.Tensor,
    grown: tf.Tensor,
    gradient: tf.Tensor,
    happened: tf.Tensor,
) -> None:
    """Records a mask update of one weight, if recording was started.

    `mask` is new, `grown` are its grown positions and `gradient` that of the
    update; `happened` is false if the update was skipped.
    """
    if EVER_ACTIVE not in weight.diagnostics:
        return

    ever_active = weight.diagnostics[EVER_ACTIVE]
    ever_active.assign(
        tf.bitwise.bitwise_or(
            tf.convert_to_tensor(ever_active),
            # Users may have set masks since the last update.
            change.ever_active,
        )
    )

    numbers = [
        change.kept,
        change.connections,
        diagnostics.norm_within(gradient, mask & ~grown),
        diagnostics.norm_within(gradient, grown),
    ]
    last = weight.diagnostics[LAST_UPDATE]
    last.assign(
        tf.where(
            happened,
            tf.stack([tf.cast(number, tf.float64) for number in numbers]),
            tf.convert_to_tensor(last),
        )
    )


def _kinds(
    weight: layer_config.WeightConfig, keep_start: bool
) -> dict[str, state_store.Kind]:
    size = math.prod(weight.shape)
    packed = {"dtype": "int64", "shape": [diagnostics.packed_size(size)]}
    kinds: dict[str, state_store.Kind] = {
        EVER_ACTIVE: packed,
        LAST_UPDATE: {"dtype": "float64", "shape": [4]},
    }
    if keep_start:
        kinds[START_MASK] = packed
    return kinds
