"""Builds the functions of an artifact and saves them as a SavedModel."""

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

# Reads, in the function that is being built, the values of the weights that a
# traced function captures: the `values` of `function_graph.insert`.
ReadValues = Callable[[Any], dict[int, tf.Tensor]]


def save_plain(
    folder: str, endpoints: Iterable[Endpoint], captures: Captures
) -> None:
    """Saves functions with the variables that they capture, unpacked."""
    root = _root(captures, captures.variables.values())
    _save(root, folder, endpoints, lambda function: {}, {})


def save_packed(
    folder: str,
    endpoints: Iterable[Endpoint],
    captures: Captures,
    decoder: Decoder,
    keys: Sequence[int],
) -> None:
    """Saves functions with packed weights, which loading decodes.

    Args:
        folder: where to write the SavedModel.
        endpoints: the functions.
        captures: the variables and tables that they capture. Variables that are
            not packed are saved with their values.
        decoder: the resource that decodes the packed weights.
        keys: the `id` of the captured handle of each packed weight.
    """
    read_only = function_graph.read_only(
        endpoint.function for endpoint in endpoints
    )

    # Functions read the groups' variables. Only a weight that they use in
    # another way, too, is replaced by its handle; it is alone in its group.
    handles = {}
    read_groups = {}  # the keys of a group's weights, by the group's index
    for index, group in enumerate(decoder.groups):
        ids = [keys[member] for member in group.members]
        if group.alone and ids[0] not in read_only:
            handles[ids[0]] = decoder.variables[index].handle
        else:
            read_groups[index] = ids

    def read(function: Any) -> dict[int, tf.Tensor]:
        """Reads the groups of which a traced function captures a weight."""
        captured = {id(outer) for outer, _ in function.graph.captures}
        values: dict[int, tf.Tensor] = {}
        for index, ids in read_groups.items():
            if captured.intersection(ids):
                tensors = decoder.read_group(index)
                values.update(zip(ids, tensors, strict=True))
        return values

    unpacked = [
        variable
        for key, variable in captures.variables.items()
        if key not in keys
    ]

    root = _root(captures, unpacked)
    root.decoder = decoder
    root.blob = decoder.blob
    root.decoded = decoder.variables
    _save(root, folder, endpoints, read, handles)


def _root(captures: Captures, variables: Iterable[tf.Variable]) -> Any:
    """Makes the object to save; TensorFlow saves what its attributes hold."""
    root = tf.Module()
    root.captured = list(variables)
    root.tables = captures.tables
    return root


def _save(
    root: Any,
    folder: str,
    endpoints: Iterable[Endpoint],
    read: ReadValues,
    handles: Mapping[int, tf.Tensor],
) -> None:
    """Saves an object with the functions and signatures of an artifact.

    `read` and `handles` replace what the traced functions capture; see
    `function_graph.insert`.
    """
    signatures = {}
    for endpoint in endpoints:
        function = _function(endpoint, read, handles)
        setattr(root, endpoint.attribute, function)
        signatures[endpoint.signature] = _signature(endpoint, function)

    # Gradients of custom operations would need the layers' own code.
    options = tf.saved_model.SaveOptions(
        experimental_custom_gradients=False,
        # Decoded weights are not restored. If there is nothing else, the
        # operations that restore variables would only make the graph larger.
        experimental_skip_saver=not (root.captured or root.tables),
    )
    tf.saved_model.save(root, folder, signatures, options)
    slim(folder)


def _function(
    endpoint: Endpoint, read: ReadValues, handles: Mapping[int, tf.Tensor]
) -> Any:
    """Makes the `tf.function` of an artifact for an endpoint.

    It is called like the model: one argument is passed by position; several
    can be passed by position or by name if their names are known.
    """

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
    # TensorFlow names the traced function after this.
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
    """Returns the Python signature of a function of several arguments.

    Arguments have their names in the model's `call`. If the exported ones are
    the first of `call`, each can be passed by position or by name. If `call`
    has others between them, those given by name must be passed by name.
    """
    arguments, keywords = endpoint.call
    positional = endpoint.names[: len(arguments) + len(keywords)]
    by_name = [name for name in keywords if name not in positional]
    if by_name:
        positional = endpoint.names[: len(arguments)]
        by_name = list(keywords)

    parameter = inspect.Parameter
    return inspect.Signature(
        [
            *(
                parameter(name, parameter.POSITIONAL_OR_KEYWORD)
                for name in positional
            ),
            *(parameter(name, parameter.KEYWORD_ONLY) for name in by_name),
        ]
    )


def _is_simple(endpoint: Endpoint) -> bool:
    """Returns whether a function maps one tensor to one tensor.

    Such a function can be its own signature. With one function fewer, small
    models load a few per cent faster.
    """
    arguments, keywords = endpoint.call
    return (
        len(arguments) == 1
        and isinstance(arguments[0], tf.TensorSpec)
        and not keywords
        and tf.is_tensor(endpoint.function.structured_outputs)
    )


def _signature(endpoint: Endpoint, function: Any) -> Any:
    if _is_simple(endpoint):
        return function

    def signature(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        # Reuse the trace that is saved for `function`; calling `function` would
        # trace it again.
        with tf.init_scope():
            traced = function.get_concrete_function(
                *endpoint.call.arguments, **endpoint.call.keywords
            )
        arguments, keywords = call_signature.pack_arguments(
            endpoint.call, tensors
        )
        return call_signature.name_outputs(traced(*arguments, **keywords))

    # TensorFlow traces this when it saves the model. Tracing it here as well
    # would only do the same work twice.
    return tf.function(
        signature,
        autograph=False,
        input_signature=call_signature.flat_signature(endpoint.call),
    )
