"""The graph of layers that a functional or sequential model holds."""

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.surgery.features import Operand


def network_of(model: Any) -> Any:
    """Returns the object that holds the nodes of a built model."""
    return getattr(model, "_functional", None) or model


def nodes_of(network: Any) -> Iterator[Any]:
    """Yields the nodes of a network, inputs first; none if it has no graph."""
    by_depth = getattr(network, "_nodes_by_depth", {})
    for depth in sorted(by_depth, reverse=True):
        yield from by_depth[depth]


def layer_of(node: Any) -> Any:
    """Returns the layer or Keras 3 operation that a node calls."""
    return getattr(node, "operation", None) or node.layer


def inputs_of(node: Any) -> list[Any]:
    """Lists the symbolic tensors that a node is called on."""
    keras2 = getattr(node, "keras_inputs", None)
    return list(node.input_tensors) if keras2 is None else list(keras2)


def arguments_of(node: Any) -> tuple[Any, Any]:
    """Returns the positional and the keyword arguments of a call."""
    arguments = getattr(node, "arguments", None)
    if arguments is None:
        return node.call_args, node.call_kwargs
    return arguments.args, arguments.kwargs


def mask_of(node: Any) -> Any:
    """Returns the tensor that a call is given as `mask`, None without.

    Keras 3 passes the mask of a tensor, as `Embedding` makes it, by itself.
    """
    return None if node.is_input else arguments_of(node)[1].get("mask")


def placed_arguments(node: Any, tensors: list[Any]) -> tuple[Any, Any]:
    """Returns the arguments of a call with operands in the place of tensors.

    In the place of symbolic tensors that are not given, such as masks, is None.
    """
    if node.is_input:
        return (), {}
    places: dict[int, Operand | None] = dict.fromkeys(map(id, inputs_of(node)))
    for index, tensor in reversed(list(enumerate(tensors))):
        places[id(tensor)] = Operand(index)
    placed: tuple[Any, Any] = tf.nest.map_structure(
        lambda value: places.get(id(value), value), arguments_of(node)
    )
    return placed


@contextlib.contextmanager
def explicit_slices(network: Any) -> Iterator[None]:
    """Writes `...` of slices as whole axes within the context.

    Keras 2 cannot write the configuration of a call that has it.
    """
    with contextlib.ExitStack() as stack:
        for node in nodes_of(network):
            if type(layer_of(node)).__name__ == "SlicingOpLambda":
                args, kwargs = node.call_args, node.call_kwargs
                rank = len(args[0].shape)
                if len(args) > 1:
                    node.call_args = args[0], _explicit(args[1], rank)
                else:  # as read from a configuration
                    key = _explicit(kwargs["slice_spec"], rank)
                    node.call_kwargs = {**kwargs, "slice_spec": key}
                stack.callback(setattr, node, "call_args", args)
                stack.callback(setattr, node, "call_kwargs", kwargs)
        yield


def _explicit(key: Any, rank: int) -> tuple[Any, ...]:
    """Returns an index of a tensor of some rank without `...`."""
    entries = key if isinstance(key, (tuple, list)) else (key,)
    axes = [one for one in entries if one is not None and one is not Ellipsis]
    whole = dict.fromkeys(("start", "stop", "step"))
    explicit: list[Any] = []
    for one in entries:
        explicit += [whole] * (rank - len(axes)) if one is Ellipsis else [one]
    return tuple(explicit)


def can_be_edited(flavor: flavors.Flavor, model: Any) -> bool:
    """Returns whether layers can be inserted into a model, or left out.

    A sequential model is a list of layers, without operations, and the layers
    of the new model are found by their names. Masks of time steps reach a layer
    by those in front of it.
    """
    if isinstance(model, flavor.keras.Sequential) or _has_masks(model):
        return False
    return all(map(takes_name, model.layers))


def _has_masks(model: Any) -> bool:
    """Returns whether any tensor has a mask, as `Embedding` may give it."""
    return any(
        getattr(tensor, "_keras_mask", None) is not None
        for node in nodes_of(network_of(model))
        for tensor in tf.nest.flatten(node.output_tensors)
    )


def takes_name(layer: Any) -> bool:
    """Returns whether the constructor of a layer's class takes a name."""
    parameters = inspect.signature(type(layer).__init__).parameters
    return "name" in parameters or any(
        one.kind is one.VAR_KEYWORD for one in parameters.values()
    )
