"""Preparation of a model for the same pruning as in TFMOT."""

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

    All connections are active at first. The target of each weight follows from
    the final sparsity of the schedule, rounded as TFMOT does. Train with
    `UpdateMasks(tf_rigl.tfmot.pruning(schedule))`. The model is changed in
    place, without wrappers, and keeps its names and variables. Unlike in
    TFMOT, it may be of Keras 3 or subclassed.

    Masks the weights that `sparsify` masks by default, which include layers
    unknown to TFMOT such as EinsumDense, and embeddings, which TFMOT prunes as
    well. Frozen layers stay dense.

    Args:
        model: a model of either Keras.
        schedule: a `PolynomialDecay` or `ConstantSparsity` of TFMOT, or its
            configuration.
        policy: a pruning policy of TFMOT; see `dense_layers`.

    Returns:
        The same model. If the schedule prunes before the first batch, at
        TFMOT's step 1, that update has been made.

    Raises:
        TypeError: if an argument has the wrong type.
        ValueError: as `sparsify` and `tf_rigl.tfmot.pruning` do; if the policy
            does not support the model; or if the model must be pruned before
            the first batch and is not built.

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

    `allocate` rounds the number of zeros down. Half a zero more keeps rounding
    errors of the division from losing one.
    """
    size = math.prod(shape)
    zeros = size - method.final_connections(size, size)
    return (zeros + 0.5) / size


def _is_embedding(layer: Any) -> bool:
    return known_class(layer, ("Embedding",)) is not None


def _prune_to(model: Any, method: TFMOTPruning) -> None:
    """Prunes to the sparsity that the schedule has before the first batch."""
    for record in masked_weights(model):
        if record.target == record.size:
            continue
        count = method.connections(record.size, record.size, [1])[0]
        record.set_mask(record.structure.largest(record.values(), count))
