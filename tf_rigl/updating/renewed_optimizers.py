"""New optimizers for a model whose weights are not those of the old ones."""

import warnings
from typing import Any

from tf_rigl.backend import new_optimizers
from tf_rigl.backend.flavor import Flavor
from tf_rigl.masking import tree


def renew(flavor: Flavor, model: Any) -> None:
    """Replaces the optimizers that have a state by new ones without.

    They are those that are attributes of the model or of its layers.
    """
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
