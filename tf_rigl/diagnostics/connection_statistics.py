"""Statistics of masks that are lists of connections, in memory for these."""

from typing import Any

import numpy as np

from tf_rigl.core import diagnostics
from tf_rigl.masking.layer_config import config_of
from tf_rigl.masking.layer_config import initial_positions
from tf_rigl.masking.layer_rules import kernel_layout
from tf_rigl.masking.mask_store import ATTRIBUTE
from tf_rigl.masking.masked_weight import MaskedWeight

# What a store of masks remembers of the initial ones.
_DRAWN = "_tf_rigl_drawn_positions"


def statistics(weight: MaskedWeight) -> dict[str, Any]:
    """Returns the fields of `MaskStatistics` that are known, by name."""
    mask = weight.storage.sparse_mask()
    layout = kernel_layout(weight.owner, weight.variable)
    _, inputs, units = layout.coordinates(mask.positions)
    unused_inputs, dead_units = diagnostics.count_dead_of(
        inputs, units, layout.shape
    )
    updates, moved, skipped = map(int, weight.counters.numpy())
    found = {
        "size": mask.size,
        "connections": mask.nnz,
        "inputs": layout.shape[1],
        "unused_inputs": unused_inputs,
        "units": layout.shape[2],
        "dead_units": dead_units,
        "updates": updates,
        "moved": moved,
        "skipped_updates": skipped,
    }

    start = start_positions(weight)
    if start is not None:
        both = np.intersect1d(mask.positions, start, assume_unique=True)
        found["start_connections"] = len(start)
        found["connections_since_start"] = len(both)
    return found


def start_positions(weight: MaskedWeight) -> np.ndarray | None:
    """Returns the positions that `sparsify` made active, None if not known.

    They are drawn once, which takes time for each element of the weight, and
    remembered, in 4 bytes for each connection.
    """
    config = config_of(weight.host)
    if config.start == "magnitude":
        return None
    drawn = getattr(weight.host, ATTRIBUTE).__dict__.setdefault(_DRAWN, {})
    if weight.host_key not in drawn:
        positions = initial_positions(config, weight.host_key, None)
        drawn[weight.host_key] = positions.astype(np.uint32)
    return drawn[weight.host_key].astype(np.int64)
