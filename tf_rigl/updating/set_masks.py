"""Masks that the user gives."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend.flavor import model_flavor
from tf_rigl.core import structures
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import require_masked_weights
from tf_rigl.updating import optimizer_hook
from tf_rigl.updating.attach import attached_to
from tf_rigl.updating.model_optimizers import optimizers_of


def set_masks(model: Any, masks: Mapping[str, Any]) -> Any:
    """Gives weights of a model the masks that are passed in.

    Values follow at once: masked positions become zero, connections that were
    active keep their values and new ones start at zero. So do the slots of an
    optimizer that trains the model under a method; those of others follow in
    the next `fit` or `attach`. From then on each weight is allotted as many
    connections as its mask has, which is what `prune` and methods prune to and
    what is saved with the model. Nothing is retraced if masks stay fixed in
    training, as with `Static`.

    Args:
        model: a built model of either Keras, masked by `sparsify`.
        masks: bool arrays of the weights' shapes by path, true at active
            connections, such as a result of `tf_rigl.masks`. Weights that are
            not named keep their masks.

    Returns:
        The same model.

    Raises:
        TypeError: if `model` is a model of neither Keras, or `masks` is not a
            mapping.
        ValueError: if the model is dense; a path is unknown; a mask has another
            shape or dtype, or not the structure that the weight was given; or
            an optimizer is attached with a method that moves masks itself. No
            mask has been changed then.

    Example:
        >>> ticket = tf_rigl.masks(model)
        >>> with np.load("masks.npz") as given:
        ...     tf_rigl.set_masks(model, given)
    """
    records = {record.path: record for record in require_masked_weights(model)}
    check_names(masks, records)
    _check_none_moves(model)
    checked = {
        path: _checked(records[path], mask) for path, mask in masks.items()
    }

    for path, mask in checked.items():
        records[path].guard.settle()
        records[path].set_mask(mask)
        records[path].set_target(int(np.count_nonzero(mask)))
    return model


def check_names(masks: Any, records: Mapping[str, MaskedWeight]) -> None:
    """Raises an error unless `masks` maps paths of these weights."""
    if not isinstance(masks, Mapping):
        raise TypeError(
            "`masks` must map the paths of weights to bool arrays. Received: "
            f"masks of type {type(masks)}. The keys of `tf_rigl.masks(model)` "
            "are the paths."
        )
    unknown = sorted(set(masks) - set(records), key=str)
    if unknown:
        raise ValueError(
            "`masks` must name masked weights of this model. Received: "
            f"{unknown}. Known weights: {sorted(records)}. Keras numbers "
            "layers without a name: give them names to take the masks of "
            "another model."
        )


def _check_none_moves(model: Any) -> None:
    """Raises a ValueError if an installed method moves the masks itself.

    Its step was traced for the numbers of connections that it has found.
    """
    flavor = model_flavor(model)
    for optimizer in [*attached_to(model), *optimizers_of(flavor, model)]:
        for updating in flavor.updating_optimizers(optimizer):
            hook = optimizer_hook.installed(updating)
            if hook is not None and hook.rule.algorithm.schedule is not None:
                name = hook.rule.algorithm.name
                raise ValueError(
                    "Masks can be set unless a method that moves them is "
                    f"training the model. Received: method {name!r} on "
                    f"optimizer {optimizer.name!r}. Set them before `fit`, or "
                    "`detach` the optimizer and `attach` it again."
                )


def _checked(record: MaskedWeight, mask: Any) -> np.ndarray:
    """Returns a mask that fits the weight and its structure."""
    array = np.asarray(record.checked_mask(mask))
    view = record.view(tf.convert_to_tensor(array))
    if not structures.allows(record.structure, view):
        raise ValueError(
            "A mask must have the structure that `sparsify` was given. "
            f"Received: a mask for {record.path!r} that is not of "
            f"{record.structure}. Sparsify the model without `structure` for "
            "masks of any form."
        )
    return array
