"""Choice of the storage of each weight that `sparsify` masks."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.backend import native_ops
from tf_rigl.backend.distribution import strategy_of
from tf_rigl.core import connections
from tf_rigl.core import text_table
from tf_rigl.core.structures import Unstructured
from tf_rigl.masking import compressed_cells
from tf_rigl.masking import masked_weight
from tf_rigl.masking import matrix_layers
from tf_rigl.masking import tree
from tf_rigl.masking.layer_config import WeightConfig
from tf_rigl.masking.layer_config import config_of
from tf_rigl.masking.storages import COMPRESSED

_PATHS_SHOWN = 8
# The values of the argument `storage` of `sparsify`.
MASKED, AUTO = "masked", "auto"
CHOICES = (MASKED, COMPRESSED, AUTO)
# Below, the overhead of the graph is most of a layer's time, and above, the
# dense product is as fast: docs/compressed_training.md.
SMALLEST = 30_000
DENSEST = 0.3
# That of convolutions whose window has several positions.
DENSEST_WINDOWS = 0.2
_CHOSEN = "large, sparse, on a CPU"
_RULED_OUT = "_tf_rigl_needs_all_positions"


def checked(storage: str, structure: Any, start: str, is_plain: bool) -> str:
    """Returns the storage that other arguments of `sparsify` allow.

    `is_plain` is false if scales are masked or initial values kept.

    Raises:
        ValueError: if compressed storage was asked for in vain.
    """
    reason = None
    if not isinstance(structure, Unstructured):
        reason = f"structure={structure}"
    elif start == "dense":
        reason = "start='dense'"
    elif not is_plain:
        reason = "weights='scales' or keep_initial_values=True"
    if reason is None:
        return storage
    if storage == COMPRESSED:
        raise ValueError(
            "storage='compressed' stores unstructured connections of kernels "
            "that are sparse from the start, and nothing dense beside them. "
            f"Received: {reason}. Pass storage='masked' or 'auto'."
        )
    return MASKED


def with_storage(
    flavor: flavors.Flavor,
    model: Any,
    site: tree.Site,
    weight: WeightConfig,
    storage: str,
) -> WeightConfig:
    """Adds a weight's storage, and the reason for it, to its configuration.

    Args:
        flavor: the Keras of the model.
        model: the model.
        site: the weight.
        weight: its configuration so far.
        storage: one of `CHOICES`.

    Raises:
        ValueError: if the weight of a layer that multiplies by a matrix was
            asked to be compressed and cannot be.
    """
    if storage == MASKED:
        return weight

    attribute = site.path.rpartition("/")[2]
    matrix = None
    if weight.target == math.prod(weight.shape):
        reason: str | None = "it keeps all connections"
    elif compressed_cells.is_cell_class(
        flavor, flavors.plain_class(site.owner)
    ):
        reason = compressed_cells.obstacle(model, site.owner, attribute)
        if reason is None:
            matrix = matrix_layers.Matrix(weight.shape[0], 1, weight.shape[1:])
    else:
        if attribute == matrix_layers.KERNEL:
            matrix = matrix_layers.matrix_of(site.owner)
        reason = None if matrix else matrix_layers.NO_MATRIX

    if reason is None:
        reason = _obstacle(flavor, model, site, weight)
        if reason is not None and storage == COMPRESSED:
            raise ValueError(
                "A kernel must be a float32 matrix on one CPU, without a "
                "constraint, to be stored by its connections. Received: "
                f"storage='compressed' for {site.path!r}, but {reason}. Pass "
                "storage='masked' or 'auto'."
            )
    if reason is None and storage == AUTO:
        reason = vars(model).get(_RULED_OUT) or _drawback(weight, matrix)

    if reason is not None or matrix is None:
        return dataclasses.replace(weight, storage_reason=f"masked: {reason}")
    return dataclasses.replace(
        weight,
        storage=COMPRESSED,
        inputs=matrix.inputs,
        storage_reason="compressed: "
        + ("asked for" if storage == COMPRESSED else _CHOSEN),
    )


def reasons(model: Any) -> dict[str, str]:
    """Returns the storage of each weight of a model and why it was chosen.

    By the weight's path; empty if `sparsify` was not asked to choose.
    """
    found = {}
    for record in masked_weight.masked_weights(model):
        reason = reason_of(record)
        if reason is not None:
            found[record.path] = reason
    return found


def reason_of(record: masked_weight.MaskedWeight) -> str | None:
    """Returns the storage of a weight and why, None for the default."""
    return config_of(record.host).weights[record.host_key].storage_reason


def lines(chosen: Mapping[str, str | None]) -> list[str]:
    """Says in a line each which weights have which storage, and why.

    Args:
        chosen: results of `reasons` by path; None where there is none.
    """
    paths: dict[str, list[str]] = {}
    for path, reason in chosen.items():
        if reason is not None:
            paths.setdefault(reason, []).append(path)
    found = []
    for reason, names in paths.items():
        hidden = len(names) - _PATHS_SHOWN
        more = f", and {hidden} more" if hidden > 0 else ""
        named = ", ".join(names[:_PATHS_SHOWN])
        line = f"Stored {reason}: {named}{more}."
        found.append(text_table.paragraph(line, indent="  "))
    return found


def is_chosen(record: masked_weight.MaskedWeight) -> bool:
    """Returns whether compressed storage was a choice and not asked for."""
    return reason_of(record) == f"compressed: {_CHOSEN}"


def rule_out(model: Any, reason: str | None) -> None:
    """Makes `"auto"` choose masked storage when a model will be masked.

    Args:
        model: a model that waits for its weights.
        reason: why a training needs all positions; None if it does not.
    """
    vars(model)[_RULED_OUT] = reason


def _obstacle(
    flavor: flavors.Flavor, model: Any, site: tree.Site, weight: WeightConfig
) -> str | None:
    """Returns why a kernel cannot be stored by its connections, or None."""
    variable = flavor.raw(site.variable)
    devices = {tf.DeviceSpec.from_string(variable.device).device_type}
    optimizer = getattr(model, "optimizer", None)
    if variable.dtype != tf.float32:
        return f"it is {variable.dtype.name}"
    if getattr(site.owner, "kernel_constraint", None) is not None:
        return "it has a constraint"
    if not _can_move_regularizer(flavor, site.owner):
        return "its regularizer looks at the dense kernel"
    if getattr(site.owner, "lora_enabled", False):
        return "it has LoRA adapters"
    if strategy_of([variable]).num_replicas_in_sync > 1:
        return "several replicas have partial sums of its gradient"
    if devices - {"CPU", None}:
        return f"it is on {variable.device}"
    if math.prod(weight.shape) >= connections.LARGEST_SIZE:
        return "it has 2^32 elements or more"
    if not weight.target:
        return "it has no connections"
    if getattr(model, "jit_compile", None) is True:
        return "XLA has no kernels for it: compile with jit_compile=False"
    if optimizer is not None and any(
        flavor.optimizer_is_built(one)
        and flavor.variable_index(one, site.variable) is not None
        for one in flavor.updating_optimizers(optimizer)
    ):
        return (
            "the optimizer has slots for the dense kernel: compile the model "
            "again first"
        )
    return None


def _drawback(
    weight: WeightConfig, matrix: matrix_layers.Matrix | None
) -> str | None:
    """Returns why a masked weight trains at least as fast, or None."""
    size = math.prod(weight.shape)
    if not native_ops.available():
        return "the native library is not available"
    if size < SMALLEST:
        return f"fewer than {SMALLEST} elements"
    has_windows = matrix is not None and matrix.window is not None
    densest = DENSEST_WINDOWS if has_windows else DENSEST
    if weight.target > densest * size:
        return f"a density above {densest}"
    return None


def _can_move_regularizer(flavor: flavors.Flavor, layer: Any) -> bool:
    """Returns whether the kernel's regularizer means the same for values.

    It must be a sum over elements, of whatever shape.
    """
    regularizer = getattr(layer, "kernel_regularizer", None)
    module = flavor.keras.regularizers
    known = (type(None), module.L1, module.L2, module.L1L2)
    return type(regularizer) in known
