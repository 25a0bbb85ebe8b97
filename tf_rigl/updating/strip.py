"""Removal of masks and hooks, which makes a sparse model a plain one."""

from typing import Any

from tf_rigl.backend.flavor import model_flavor
from tf_rigl.core import checks
from tf_rigl.factors import plain_layers
from tf_rigl.masking import dense_size
from tf_rigl.masking import tree
from tf_rigl.masking.mask_store import ATTRIBUTE
from tf_rigl.masking.masked_layer import drop_masks
from tf_rigl.masking.masked_weight import settled_weights
from tf_rigl.updating import attach
from tf_rigl.updating import low_precision
from tf_rigl.updating import optimizer_hook
from tf_rigl.updating import renewed_optimizers
from tf_rigl.updating import train_functions
from tf_rigl.updating.model_optimizers import optimizers_of


def strip(model: Any, *, optimizer: bool = False, factors: str = "auto") -> Any:
    """Removes everything that this library has added to a model.

    The model is changed in place and returned. It is a plain model again, with
    its class, names, configuration, losses and metrics, and with zeros where it
    was masked. Further training makes it dense, so save it first if the masks
    are still needed.

    Its optimizers are new, as after `compile`: of the same class, arguments
    and learning rate, at step 0 and without slots. Momentum is as large as the
    weights, Adam's slots are twice as large, and Keras saves them with the
    model: a file is two or three times as large with them. `optimizer=True`
    keeps the optimizers.

    Weights stored by their connections become dense matrices: a plain layer
    has no other. Where these are larger than the memory of this machine, an
    error says so; `export_saved_model` writes such a model without them.

    Of the factors of `factorize` it makes one kernel, in place, or one layer
    for each factor, in a new model of the same class and compilation, which is
    returned; the given one is of no use then.

    To remove dead units as well, use `shrink`.

    Args:
        model: a model of either Keras; a dense one in full precision is
            returned unchanged.
        optimizer: whether to keep the state of the optimizers that are
            attributes of the model or its layers, the compiled one first of
            all: their steps and slots. Factors cannot keep theirs.
        factors: `"layers"` for a layer for each factor, in a `Sequential` of
            the layer's name; `"kernel"`; or `"auto"` for whichever has fewer
            weights, one kernel for recurrent cells, projections of attention
            and in subclassed models.

    Returns:
        The same model, unless factors become layers.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if the model was sparsified before it was built and still
            is not built; if `factors` is none of the above, or asks for layers
            where there can be none; if `optimizer` is true for factors; or if
            dense weights do not fit into memory.
    """
    flavor = model_flavor(model)
    checks.check_choice("factors", factors, plain_layers.HOWS)
    has_factors = plain_layers.has_factors(model)
    if has_factors and optimizer:
        raise ValueError(
            "Optimizers have slots of factors, not of kernels. Received: "
            f"optimizer=True for {model.name!r}, which has factors. Leave it "
            "out."
        )
    records = settled_weights(model)
    dense_size.check_fits(records, "strip")
    for one in (*attach.attached_to(model), *optimizers_of(flavor, model)):
        optimizer_hook.uninstall(flavor, one)
    model.__dict__.pop(attach.ATTACHED, None)
    low_precision.full_precision(model)

    if records or has_factors:
        train_functions.forget(model)
        if not optimizer:
            renewed_optimizers.renew(flavor, model)

    for node in list(tree.walk(flavor, model)):
        if hasattr(node.layer, ATTRIBUTE):
            drop_masks(node.layer)
    return plain_layers.plain(model, factors) if has_factors else model
