"""TFMOT's pruning wrappers, and their removal from a model."""

from collections.abc import Iterator
from typing import Any

from tf_rigl.backend import flavor as flavors

PACKAGE = "tensorflow_model_optimization"
WRAPPER = "PruneLowMagnitude"


def is_of_tfmot(cls: type) -> bool:
    """Returns whether a class or a function is defined in TFMOT."""
    return cls.__module__.partition(".")[0] == PACKAGE


def is_wrapper(layer: Any) -> bool:
    """Returns whether a layer is TFMOT's wrapper around another layer."""
    return any(
        cls.__name__ == WRAPPER and is_of_tfmot(cls)
        for cls in type(layer).__mro__
    )


def wrappers(flavor: flavors.Flavor, root: Any) -> list[Any]:
    """Returns the distinct pruning wrappers below `root`, in order."""
    return list(_walk(flavor, root, set()))


def _walk(flavor: flavors.Flavor, layer: Any, seen: set[int]) -> Iterator[Any]:
    if id(layer) in seen:
        return
    seen.add(id(layer))
    if is_wrapper(layer):
        yield layer
    for child in flavor.children(layer):
        yield from _walk(flavor, child, seen)


def unwrap(flavor: flavors.Flavor, model: Any) -> Any:
    """Returns the model with wrappers replaced by the layers they wrap.

    Layers and variables stay the same objects. Sequential and functional
    models are rebuilt from them; in other models and layers, attributes are
    replaced in place.

    Raises:
        ValueError: if a wrapper is not in a place where it can be replaced.
    """
    plain = _unwrapped(flavor, model)
    left = [wrapper.name for wrapper in wrappers(flavor, plain)]
    if left:
        raise ValueError(
            "Pruning wrappers must be layers of Sequential or functional "
            "models, or attributes of other models and layers, in lists, "
            f"tuples or dictionaries. Received: {left} elsewhere. Call "
            "TFMOT's `strip_pruning`, then tf_rigl.sparsify(..., "
            "start='magnitude')."
        )
    return plain


def _unwrapped(flavor: flavors.Flavor, layer: Any) -> Any:
    if is_wrapper(layer):
        return _inner(layer)
    if not wrappers(flavor, layer):
        return layer
    if flavors.is_container(layer) and flavor.is_model(layer):
        return _assembled(flavor, layer)
    for name, value in list(vars(layer).items()):
        replaced = _replaced(flavor, value)
        if replaced is not value and not name.startswith("_self_"):
            setattr(layer, name, replaced)
    return layer


def _assembled(flavor: flavors.Flavor, model: Any) -> Any:
    plain = flavor.keras.models.clone_model(
        model, clone_function=lambda layer: _unwrapped(flavor, layer)
    )
    if model.built and not plain.built:
        plain.build(model._build_input_shape)
    # The public setter would set `trainable` of each layer, too.
    plain._trainable = model._trainable
    return plain


def _inner(wrapper: Any) -> Any:
    """Returns the wrapped layer as it was before TFMOT wrapped it."""
    layer = wrapper.layer
    # TFMOT adds the method of its protocol to instances of built-in layers. It
    # must go, since a layer that is loaded from a file does not have it.
    layer.__dict__.pop("get_prunable_weights", None)
    if hasattr(wrapper, "_batch_input_shape") and not hasattr(
        layer, "_batch_input_shape"
    ):
        # The first layer of a Sequential model states its input shape so.
        layer._batch_input_shape = wrapper._batch_input_shape
    return layer


def _replaced(flavor: flavors.Flavor, value: Any) -> Any:
    """Returns an attribute's value without wrappers, or the same value."""
    if isinstance(value, flavor.keras.layers.Layer):
        return _unwrapped(flavor, value)
    if isinstance(value, (list, tuple)):
        items = [_replaced(flavor, one) for one in value]
        changed = any(a is not b for a, b in zip(items, value, strict=True))
        plain = tuple(items) if isinstance(value, tuple) else items
        return plain if changed else value
    if isinstance(value, dict):
        entries = {key: _replaced(flavor, one) for key, one in value.items()}
        changed = any(entries[key] is not value[key] for key in entries)
        return entries if changed else value
    return value
