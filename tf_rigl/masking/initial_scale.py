"""Scaling of initial values to the connections that are left of a kernel."""

import math
from typing import Any

import numpy as np

from tf_rigl.core.sparse_initialization import scale_to_connections
from tf_rigl.masking.compressed_storage import CompressedStorage
from tf_rigl.masking.layer_rules import kernel_layout
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.masking.storage import assign_unguarded


def scale_initial(model: Any, per: str) -> None:
    """Scales the initial values of all masked weights of a model.

    `per` is that of `sparse_initialization.scale_to_connections`.
    """
    for record in masked_weights(model):
        layout = kernel_layout(record.owner, record.variable)
        if isinstance(record.storage, CompressedStorage):
            _scale_connections(record, record.storage, per)
            continue
        scaled = scale_to_connections(
            layout.view(record.values()), layout.view(record.mask), per
        )
        record.set_values(layout.unview(scaled))


def _scale_connections(
    record: MaskedWeight, storage: CompressedStorage, per: str
) -> None:
    """Does the same on a list of values, which is as long as the connections.

    A unit is an output of the matrix that the layer multiplies by.
    """
    values = storage.variable.numpy()
    if per == "layer":
        kept = np.full(values.shape, len(values))
        full = math.prod(record.shape)
    else:
        each = np.diff(storage.connections.index.row_ptr.numpy())
        kept = np.repeat(each, each)
        full, _ = storage.connections.matrix_shape
    factor = np.sqrt(full / np.maximum(kept, 1))
    assign_unguarded(storage.variable, (values * factor).astype(values.dtype))
