"""Removal of masks and hooks, which makes a sparse model a plain one."""

from typing import Any

from tf_rigl.backend.flavor import model_flavor
from tf_rigl.masking import tree
from tf_rigl.masking.mask_store import ATTRIBUTE
from tf_rigl.masking.masked_layer import drop_masks
from tf_rigl.masking.masked_weight import settled_weights
from tf_rigl.updating import optimizer_hook
from tf_rigl.updating import train_functions
from tf_rigl.updating.attach import ATTACHED
from tf_rigl.updating.attach import attached_to
from tf_rigl.updating.model_optimizers import optimizers_of


def strip(model: Any) -> Any:
    """Removes everything that this library has added to a model.

    The model is changed in place and returned. It is a plain model again, with
    its class, names, configuration, optimizer, slots, losses and metrics, and
    with zeros where it was masked. Further training makes it dense, so save it
    first if the masks are still needed.

    For a smaller file without the optimizer, clone the model and set the
    weights. To remove dead units as well, use `shrink`.

    Args:
        model: a model of either Keras; a dense one is returned unchanged.

    Returns:
        The same model.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if the model was sparsified before it was built and still
            is not built.
    """
    flavor = model_flavor(model)
    records = settled_weights(model)
    for optimizer in (*attached_to(model), *optimizers_of(flavor, model)):
        optimizer_hook.uninstall(flavor, optimizer)
    model.__dict__.pop(ATTACHED, None)
    if records:
        train_functions.forget(model)
    for node in list(tree.walk(flavor, model)):
        if hasattr(node.layer, ATTRIBUTE):
            drop_masks(node.layer)
    return model
