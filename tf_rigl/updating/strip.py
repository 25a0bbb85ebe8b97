"""From a sparse model back to a plain one."""

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
    """Takes everything of this library off a model.

    The model is changed in place and returned: a plain model of its own
    class, with its names and configuration and the optimizer, slots, losses
    and metrics that it was compiled with, and with zeros where it was masked.
    Trained further, it is dense. Save it first if the masks are still needed.
    A model without its optimizer, for a smaller file, is a clone of it that
    takes its weights; one without its dead units is made by `shrink`.

    Args:
        model: a model of either Keras; a dense one is returned as it is.

    Returns:
        The same model.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if the model is to be sparsified but not built yet.
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
