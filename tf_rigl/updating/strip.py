"""Removal of masks and hooks, which makes a sparse model a plain one."""

import warnings
from typing import Any

from tf_rigl.backend import new_optimizers
from tf_rigl.backend.flavor import Flavor
from tf_rigl.backend.flavor import model_flavor
from tf_rigl.masking import tree
from tf_rigl.masking.mask_store import ATTRIBUTE
from tf_rigl.masking.masked_layer import drop_masks
from tf_rigl.masking.masked_weight import settled_weights
from tf_rigl.updating import attach
from tf_rigl.updating import low_precision
from tf_rigl.updating import optimizer_hook
from tf_rigl.updating import train_functions
from tf_rigl.updating.model_optimizers import optimizers_of


def strip(model: Any, *, optimizer: bool = False) -> Any:
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

    To remove dead units as well, use `shrink`.

    Args:
        model: a model of either Keras; a dense one in full precision is
            returned unchanged.
        optimizer: whether to keep the state of the optimizers that are
            attributes of the model or its layers, the compiled one first of
            all: their steps and slots.

    Returns:
        The same model.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if the model was sparsified before it was built and still
            is not built.
    """
    flavor = model_flavor(model)
    records = settled_weights(model)
    for one in (*attach.attached_to(model), *optimizers_of(flavor, model)):
        optimizer_hook.uninstall(flavor, one)
    model.__dict__.pop(attach.ATTACHED, None)
    low_precision.full_precision(model)

    if records:
        train_functions.forget(model)
        if not optimizer:
            _renew_optimizers(flavor, model)

    for node in list(tree.walk(flavor, model)):
        if hasattr(node.layer, ATTRIBUTE):
            drop_masks(node.layer)
    return model


def _renew_optimizers(flavor: Flavor, model: Any) -> None:
    """Replaces the optimizers that have a state by new ones without."""
    new: dict[int, Any] = {}
    for node in list(tree.walk(flavor, model)):
        for name, value in list(vars(node.layer).items()):
            if not flavor.is_optimizer(value):
                continue
            if id(value) not in new:
                new.update(_renewed(flavor, model, value))
            setattr(node.layer, name, new[id(value)])

    # Keras saves the compilation with the objects that `compile` was given.
    compilation = getattr(model, "_compile_config", None)
    if compilation is not None:
        given = compilation.config.get("optimizer")
        compilation.config["optimizer"] = new.get(id(given), given)


def _renewed(flavor: Flavor, model: Any, optimizer: Any) -> dict[int, Any]:
    """Makes an optimizer anew.

    Returns:
        What stands for it and for each that it wraps, by their identities:
        each itself if it has no state or cannot be made.
    """
    wrapped = flavor.updating_optimizers(optimizer)
    new = optimizer
    if any(map(flavor.optimizer_is_built, wrapped)):
        try:
            with model.distribute_strategy.scope():
                new = new_optimizers.new_like(optimizer)
        # A class of the user's may raise anything.
        except Exception as error:
            warnings.warn(
                f"The optimizer {optimizer.name!r} keeps its slots, which make "
                "a saved model larger: it cannot be made of its configuration "
                f"({type(error).__name__}: {error}). Compile the model with a "
                "new one before you save it, or pass optimizer=True.",
                stacklevel=1,
            )

    inner = flavor.updating_optimizers(new)
    return {
        id(optimizer): new,
        **{id(one): other for one, other in zip(wrapped, inner, strict=True)},
    }
