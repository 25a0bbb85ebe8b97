"""Sparsifying a model for the same pruning as TFMOT's."""

import math
from collections.abc import Sequence
from typing import Any

from tf_rigl.algorithms.tfmot_pruning import TFMOTPruning
from tf_rigl.backend.flavor import model_flavor
from tf_rigl.core.distribution_types import PerLayer
from tf_rigl.core.distribution_types import Shapes
from tf_rigl.masking import options
from tf_rigl.masking.deferred import has_weights
from tf_rigl.masking.layer_rules import known_class
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.masking.sparsify import sparsify
from tf_rigl.tfmot.policy import dense_layers
from tf_rigl.tfmot.schedules import from_schedule


def prepare(model: Any, schedule: Any, policy: Any = None) -> Any:
    """Prepares a model as TFMOT's `prune_low_magnitude` does.

    All connections are there at first; the target of each weight is what the
    final sparsity of the schedule leaves, counted as TFMOT counts. Train with
    `UpdateMasks(tf_rigl.tfmot.pruning(schedule))`. The model is changed in
    place: no wrappers, names and variables as they were. It may be one of
    Keras 3, and subclassed.

    Masked are the weights that `sparsify` masks by default, and embeddings,
    which TFMOT prunes too. Layers that TFMOT does not know, such as
    EinsumDense, are among them; frozen layers stay dense.

    Args:
        model: a model of either Keras.
        schedule: a `PolynomialDecay` or `ConstantSparsity` of TFMOT, or its
            configuration.
        policy: a pruning policy of TFMOT; see `dense_layers`.

    Returns:
        The same model. Where the schedule prunes before the first batch, at
        TFMOT's step 1, it is pruned so far.

    Raises:
        TypeError: if an argument is something else.
        ValueError: as `sparsify` and `tf_rigl.tfmot.pruning` do; for a policy
            that does not support the model; for a model that must be pruned
            before the first batch and is not built.

    Example:
        >>> schedule = tfmot.sparsity.keras.PolynomialDecay(0.0, 0.9, 0, 1000)
        >>> model = tf_rigl.tfmot.prepare(model, schedule)
        >>> pruning = tf_rigl.tfmot.pruning(schedule)
        >>> model.fit(data, callbacks=[tf_rigl.UpdateMasks(pruning)])
    """
    model_flavor(model)
    method = from_schedule(schedule, 0)
    if method.is_due(1) and not has_weights(model):
        raise ValueError(
            "A schedule that prunes before the first batch needs a model that "
            f"is built. Received: model={model.name!r}, schedule={schedule!r}. "
            "Call the model on a batch first."
        )

    dense: options.Targets = ()
    if policy is not None:
        dense = dense_layers(policy, model)

    def sparsities(shapes: Shapes, sparsity: float) -> dict[str, float]:
        del sparsity
        return {path: _sparsity(method, shapes[path]) for path in shapes}

    sparsify(
        model,
        method.final_sparsity,
        PerLayer(sparsities, budget="reference"),
        dense=dense,
        start="dense",
        options=options.SparsifyOptions(include=_is_embedding),
    )

    if method.is_due(1):
        _prune_to(model, method)
    return model


def _sparsity(method: TFMOTPruning, shape: Sequence[int]) -> float:
    """Returns the sparsity for which `allocate` gives TFMOT's count.

    It rounds the zeros down, so half of one more is on the safe side.
    """
    size = math.prod(shape)
    zeros = size - method.final_connections(size, size)
    return (zeros + 0.5) / size


def _is_embedding(layer: Any) -> bool:
    return known_class(layer, ("Embedding",)) is not None


def _prune_to(model: Any, method: TFMOTPruning) -> None:
    """Makes the update before the first batch."""
    for record in masked_weights(model):
        if record.target == record.size:
            continue
        count = method.connections(record.size, record.size, [1])[0]
        record.set_mask(record.structure.largest(record.values(), count))
