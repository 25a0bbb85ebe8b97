"""Deferred sparsification of models that are not built yet."""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.backend import instance_methods
from tf_rigl.masking import announced
from tf_rigl.masking import tree

_REQUEST = "_tf_rigl_request"
_ANNOUNCES = "_tf_rigl_announces"


class DeferredModel:
    """Mixin for the class of a model that is masked once it is built."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Masks the weights before they are used."""
        _announce(self)
        if not has_weights(self):
            _build(self, args, kwargs)
        if complete(self, required=False):
            return type(self).__call__(self, *args, **kwargs)
        return super().__call__(*args, **kwargs)  # type: ignore[misc]


def defer(
    model: Any, mask_weights: Callable[[], None], announces: bool = False
) -> None:
    """Postpones `mask_weights` until the model is built.

    If it `announces` them, kernels that can be stored by their connections are
    made without memory, and `mask_weights` gives them values.
    """
    model.__dict__[_REQUEST] = mask_weights
    model.__dict__[_ANNOUNCES] = announces
    cls: type = type(model)
    flavors.set_class(model, _deferred_class(cls))
    # Overridden on the instance, where Keras 3 also puts its wrapper.
    instance_methods.override(model, "build", _build_and_complete)


def when_complete(model: Any, action: Callable[[], None]) -> None:
    """Calls `action` after a deferred model has been masked."""
    mask_weights = model.__dict__[_REQUEST]

    def both() -> None:
        mask_weights()
        action()

    model.__dict__[_REQUEST] = both


def is_deferred(model: Any) -> bool:
    """Returns whether the model is waiting for its weights."""
    return isinstance(model, DeferredModel)


def has_weights(model: Any) -> bool:
    """Returns whether a model and all its layers are built.

    Keras 3 marks a subclassed model as built after `build`, even though its
    layers have no weights before they are called.
    """
    flavor = flavors.flavor_of(model)
    return model.built and (
        bool(tree.sites(flavor, model, others=False))
        or all(node.layer.built for node in tree.walk(flavor, model))
    )


@tf.autograph.experimental.do_not_convert
def complete(model: Any, required: bool = True) -> bool:
    """Masks a deferred model if its weights exist.

    Returns:
        False if the model is still waiting for its weights, otherwise True.

    Raises:
        ValueError: if `required` and the model has no weights.
    """
    if not is_deferred(model):
        return True

    if not (has_weights(model) and flavors.flavor_of(model).can_assign()):
        if required:
            raise ValueError(
                "The model has no weights yet and so no masks. "
                f"Received: model={model.name!r}. Call it on a batch first."
            )
        return False

    instance_methods.restore(model, "build")
    flavors.set_class(model, flavors.plain_class(model))
    model.__dict__.pop(_ANNOUNCES)
    try:
        model.__dict__.pop(_REQUEST)()
    finally:
        for node in list(tree.walk(flavors.flavor_of(model), model)):
            announced.settle(node.layer)
    return True


def _announce(model: Any) -> None:
    """Makes the layers that a model has by now announce their kernels."""
    if model.__dict__.get(_ANNOUNCES):
        for node in list(tree.walk(flavors.flavor_of(model), model)):
            announced.announce(node.layer)


def _build_and_complete(model: Any, build: Any, *args: Any, **kw: Any) -> None:
    """Runs the model's own `build` and masks the weights it created, if any."""
    _announce(model)
    build(*args, **kw)
    # Inside a trace, weights have no values yet; `__call__` masks them later.
    if tf.executing_eagerly() and has_weights(model):
        complete(model, required=False)


@functools.cache
def _deferred_class(cls: type) -> type:
    return type(
        cls.__name__,
        (DeferredModel, cls),
        {"__module__": cls.__module__, "_tf_rigl_plain_class": cls},
    )


@tf.autograph.experimental.do_not_convert
def _build(model: Any, args: Any, kwargs: Any) -> None:
    """Builds a model by tracing a call that is never executed.

    Thus even the first batch is computed with masked weights, and variables
    that a call changes, such as moving averages, are not updated twice.
    """
    # In a stateless scope of Keras 3, masks could not be assigned.
    if not flavors.flavor_of(model).can_assign():
        return

    # Call the plain class, because the deferred one would call this again.
    specs, keyword_specs = tf.nest.map_structure(_spec, (args, kwargs))
    call = flavors.plain_class(model).__call__
    with tf.init_scope():
        tf.function(
            functools.partial(call, model), autograph=False
        ).get_concrete_function(*specs, **keyword_specs)


def _spec(value: Any) -> Any:
    if tf.is_tensor(value) or hasattr(value, "__array__"):
        tensor = value if tf.is_tensor(value) else tf.convert_to_tensor(value)
        return tf.TensorSpec(tensor.shape, tensor.dtype)
    return value
