"""Assembles the functions of an artifact and saves them."""

import inspect
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_rigl.backend import call_signature
from tf_rigl.export import function_graph
from tf_rigl.export.endpoints import Captures
from tf_rigl.export.endpoints import Endpoint
from tf_rigl.export.saved_model.decoder import Decoder
from tf_rigl.export.saved_model.slim import slim

# Gives the values of captured variables, by the identity of their handles, to
# a function that is being built; see `function_graph.insert`.
Read = Callable[[Any], dict[int, tf.Tensor]]


def save_plain(
    folder: str, endpoints: Iterable[Endpoint], captures: Captures
) -> None:
    """Saves functions with the variables that they capture, as they are."""
    root = _root(captures, captures.variables.values())
    _save(root, folder, endpoints, lambda function: {}, {})


def save_packed(
    folder: str,
    endpoints: Iterable[Endpoint],
    captures: Captures,
    decoder: Decoder,
    keys: Sequence[int],
) -> None:
    """Saves functions with weights that are decoded when they are loaded.

    `keys` has, for each weight, the identity of the handle that it was captured
    by; other captured variables are saved as they are.
    """
    read_only = function_graph.read_only(one.function for one in endpoints)

    handles = {}
    grouped = {}  # the handles of the groups that are read, by their indices
    for index, group in enumerate(decoder.groups):
        ids = [keys[member] for member in group.members]
        if group.alone and ids[0] not in read_only:
            handles[ids[0]] = decoder.variables[index].handle
        else:
            grouped[index] = ids

    def read(function: Any) -> dict[int, tf.Tensor]:
        captured = {id(outer) for outer, _ in function.graph.captures}
        values: dict[int, tf.Tensor] = {}
        for index, ids in grouped.items():
            if captured.intersection(ids):
                tensors = decoder.read_group(index)
                values.update(zip(ids, tensors, strict=True))
        return values

    others = [
        variable
        for key, variable in captures.variables.items()
        if key not in keys
    ]

    root = _root(captures, others)
    root.decoder = decoder
    root.blob = decoder.blob
    root.decoded = decoder.variables
    _save(root, folder, endpoints, read, handles)


def _root(captures: Captures, variables: Iterable[tf.Variable]) -> Any:
    root = tf.Module()
    root.captured = list(variables)
    root.tables = captures.tables
    return root


def _save(
    root: Any,
    folder: str,
    endpoints: Iterable[Endpoint],
    read: Read,
    handles: Mapping[int, tf.Tensor],
) -> None:
    signatures = {}
    for endpoint in endpoints:
        function = _function(endpoint, read, handles)
        setattr(root, endpoint.attribute, function)
        signatures[endpoint.signature] = _signature(endpoint, function)

    # Gradients of custom operations would need the layers' own code.
    options = tf.saved_model.SaveOptions(
        experimental_custom_gradients=False,
        # Where there is nothing to restore, nothing need do so.
        experimental_skip_saver=not (root.captured or root.tables),
    )
    tf.saved_model.save(root, folder, signatures, options)
    slim(folder)


def _function(
    endpoint: Endpoint, read: Read, handles: Mapping[int, tf.Tensor]
) -> Any:
    """Makes the function of an artifact that stands for an endpoint."""

    def insert(*arguments: Any, **keywords: Any) -> Any:
        return function_graph.insert(
            endpoint.function,
            (arguments, keywords),
            read(endpoint.function),
            handles,
        )

    def insert_one(inputs: Any) -> Any:
        return insert(inputs)

    arguments, keywords = endpoint.call
    function: Any = insert
    if len(arguments) == 1 and not keywords:
        function = insert_one
    elif len(endpoint.names) >= len(arguments):
        function.__signature__ = _python_signature(endpoint)
    # The artifact calls it so.
    function.__name__ = endpoint.attribute
    return tf.function(
        function,
        autograph=False,
        input_signature=(
            call_signature.flat_signature(endpoint.call)
            if _is_simple(endpoint)
            else None
        ),
    )


def _python_signature(endpoint: Endpoint) -> inspect.Signature:
    """Names the arguments of a function as the model's `call` does.

    Those that follow each other there can be passed by place or by name.
    """
    arguments, keywords = endpoint.call
    in_order = endpoint.names[: len(arguments) + len(keywords)]
    others = [name for name in keywords if name not in in_order]
    if others:
        in_order = endpoint.names[: len(arguments)]
        others = list(keywords)

    kind = inspect.Parameter
    return inspect.Signature(
        [
            *(kind(name, kind.POSITIONAL_OR_KEYWORD) for name in in_order),
            *(kind(name, kind.KEYWORD_ONLY) for name in others),
        ]
    )


def _is_simple(endpoint: Endpoint) -> bool:
    """Returns whether a function is a signature already: tensor to tensor.

    With a function less, small models load a few per cent faster.
    """
    arguments, keywords = endpoint.call
    return (
        len(arguments) == 1
        and isinstance(arguments[0], tf.TensorSpec)
        and not keywords
        and tf.is_tensor(endpoint.function.structured_outputs)
    )


def _signature(endpoint: Endpoint, function: Any) -> Any:
    """Wraps a function as a signature: named tensors in and out."""
    if _is_simple(endpoint):
        return function

    def signature(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        # As it is traced to be saved; called, it would be traced once more.
        with tf.init_scope():
            traced = function.get_concrete_function(
                *endpoint.call.arguments, **endpoint.call.keywords
            )
        arguments, keywords = call_signature.pack_arguments(
            endpoint.call, tensors
        )
        return call_signature.name_outputs(traced(*arguments, **keywords))

    # Not traced here: while it saves, TensorFlow would trace it again.
    return tf.function(
        signature,
        autograph=False,
        input_signature=call_signature.flat_signature(endpoint.call),
    )
