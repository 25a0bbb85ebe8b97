"""Traces the functions of an artifact and finds what they capture.

An artifact has one function for the model's inference and one for each
signature of the user. TensorFlow saves only what these functions capture:
variables, lookup tables and other resources.
"""

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.backend import call_signature
from tf_rigl.backend import distribution
from tf_rigl.backend.flavor import is_container
from tf_rigl.backend.model_call import argument_names
from tf_rigl.backend.model_call import trace_inference
from tf_rigl.masking import tree
from tf_rigl.masking.model_weights import ModelWeight
from tf_rigl.masking.model_weights import WalkedModel

# The signature for the model's call, and the attribute of the loaded object
# that holds the same function. Keras's own export uses the same names.
DEFAULT_SIGNATURE = "serving_default"
DEFAULT_ENDPOINT = "serve"


class Endpoint(NamedTuple):
    """A traced function of an artifact."""

    signature: str  # name of its signature in the SavedModel
    attribute: str  # name of the loaded object's attribute
    function: Any  # a concrete function
    call: call_signature.CallSignature  # the arguments that it takes
    # Names of the model's arguments, in order; empty if they are not known.
    names: tuple[str, ...] = ()

    def run(self, *tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        """Calls the function on tensors and returns its outputs by name.

        The tensors are in the order of `call_signature.named_leaves`.
        """
        arguments, keywords = call_signature.pack_arguments(self.call, tensors)
        return call_signature.name_outputs(
            self.function(*arguments, **keywords)
        )


class Captures(NamedTuple):
    """Everything that the functions of an artifact capture, without duplicates.

    The keys are the `id`s of the handles that the functions capture.
    """

    variables: dict[int, tf.Variable]
    # The same variables as they are in the model; they differ only where
    # `replicas` has copied a variable of a strategy.
    origins: dict[int, Any]
    tables: list[Any]  # lookup tables and other resources


def trace_endpoints(
    walked: WalkedModel, inputs: Any, signatures: Mapping[str, Any] | None
) -> list[Endpoint]:
    """Traces the model's call and the user's signatures.

    Args:
        walked: the model.
        inputs: the inputs of the model's call, as for `call_signature`.
        signatures: functions by the names of their signatures: each a
            `tf.function` with an input signature or a concrete function. One
            called "serving_default" takes the place of the model's call.

    Raises:
        TypeError: if a signature is no such function.
        ValueError: if a `tf.function` has no input signature, or if the model
            cannot be called on the inputs that are known.
    """
    signatures = dict(signatures or {})
    endpoints = []
    if DEFAULT_SIGNATURE not in signatures:
        call = call_signature.call_signature(walked.model, inputs)
        endpoints.append(trace_model(walked, call, is_given=inputs is not None))

    variables = _variables(walked)
    for name, function in signatures.items():
        with distribution.reading_one_component(variables):
            concrete = _concrete(name, function)
        arguments, keywords = concrete.structured_input_signature
        endpoints.append(
            Endpoint(
                signature=name,
                attribute=(
                    DEFAULT_ENDPOINT if name == DEFAULT_SIGNATURE else name
                ),
                function=concrete,
                call=call_signature.CallSignature(arguments, keywords),
            )
        )
    return endpoints


def trace_model(
    walked: WalkedModel, call: call_signature.CallSignature, is_given: bool
) -> Endpoint:
    """Traces the inference of a model for the arguments of a call.

    Args:
        walked: the model.
        call: specifications of the arguments.
        is_given: True if the user gave the arguments, False if they are those
            that Keras remembers from the model's first call.

    Raises:
        ValueError: if the model cannot be called on what Keras remembers.
    """

    def trace() -> Any:
        return trace_inference(
            walked.model,
            walked.layers,
            *call,
            # tf_keras converts Python's `if` and `for` on tensors in a user's
            # `call`; Keras 3 does not.
            autograph=walked.flavor.name == "keras2",
        )

    try:
        if not walked.is_built and tf.distribute.has_strategy():
            # The first trace builds the model. Its variables belong to the
            # strategy, so a second trace must read single components of them.
            trace()
        with distribution.reading_one_component(_variables(walked)):
            function = trace()
    except Exception as error:
        # Sequential and functional models define their inputs, so other inputs
        # would not help.
        if is_given or is_container(walked.model):
            raise
        raise ValueError(
            "A model that cannot be called on the inputs that Keras remembers "
            "must be exported with `inputs`. Received: "
            f"model={walked.model.name!r}, inputs=None; remembered are "
            f"{tuple(call)}. Pass `inputs`, for several arguments a "
            "dictionary by their names."
        ) from error

    names = argument_names(walked.model)
    return Endpoint(DEFAULT_SIGNATURE, DEFAULT_ENDPOINT, function, call, names)


def find_captures(
    functions: Iterable[Any], model: Any, weights: Iterable[ModelWeight]
) -> Captures:
    """Finds the variables and tables that concrete functions capture.

    Args:
        functions: concrete functions.
        model: the model, whose attributes may hold lookup tables.
        weights: the weights of the model.

    Raises:
        ValueError: if a function captures a resource of unknown origin, or
            sums over replicas.
    """
    functions = list(functions)
    candidates = [
        variable for weight in weights for variable in weight.variables
    ]
    for function in functions:
        _check_has_no_sums(function)
        candidates.extend(map(distribution.whole, function.graph.variables))

    # A function captures the handle of one replica's component.
    variables = {
        id(component.handle): variable
        for variable in candidates
        for component in distribution.components(variable)
    }
    known_tables = _tables(model)

    captured: dict[int, tf.Variable] = {}
    tables: dict[int, Any] = {}
    for function in functions:
        for outer, inner in function.graph.captures:
            if id(outer) in variables:
                captured[id(outer)] = variables[id(outer)]
            elif outer.dtype == tf.resource:
                tables[id(outer)] = _table(outer, known_tables, inner.name)
    return Captures(captured, dict(captured), list(tables.values()))


def _concrete(name: str, function: Any) -> Any:
    """Traces a user's signature, unless it is a concrete function already."""
    if hasattr(function, "structured_input_signature"):
        return function
    if not hasattr(function, "get_concrete_function"):
        raise TypeError(
            "A signature must be a tf.function or a concrete function. "
            f"Received: signatures[{name!r}]={function!r}. Decorate it with "
            "@tf.function(input_signature=[...])."
        )

    if function.input_signature is None:
        raise ValueError(
            "A signature must say what it takes. "
            f"Received: signatures[{name!r}]={function!r} without an input "
            "signature. Decorate it with @tf.function(input_signature=[...]) "
            "or pass what its `get_concrete_function` returns."
        )
    return function.get_concrete_function()


def _check_has_no_sums(function: Any) -> None:
    """Raises a ValueError if a function sums over replicas.

    TensorFlow captures the replicas of such a sum at each call, within the
    strategy only. An artifact has no strategy.
    """
    if function.graph.deferred_external_captures:
        raise ValueError(
            "A signature must run outside of the strategy of its model. "
            f"Received: {function.name}, a concrete function that sums over "
            "replicas, as reading an average of BatchNormalization does. "
            "Pass the tf.function itself, with an input signature: the "
            "export traces it as it is to run."
        )


def _variables(walked: WalkedModel) -> list[Any]:
    """Lists the TensorFlow variables of the model's weights that exist now.

    A model that was not built when it was walked is walked again, because
    building creates layers.
    """
    flavor, layers = walked.flavor, walked.layers
    if not walked.is_built:
        layers = [node.layer for node in tree.walk(flavor, walked.model)]
    return [
        flavor.raw(variable)
        for layer in layers
        for variable in flavor.own_weights(layer)
        if flavor.has_value(variable)
    ]


def _tables(model: Any) -> dict[int, Any]:
    """Returns the lookup tables of a model, by the `id`s of their handles."""
    kind = tf.saved_model.experimental.TrackableResource
    return {
        id(tracked.resource_handle): tracked
        for tracked in tf.train.TrackableView(model).descendants()
        if isinstance(tracked, kind)
    }


def _table(handle: Any, known: dict[int, Any], name: str) -> Any:
    """Returns the object that owns a captured resource, to be saved with it.

    Args:
        handle: the captured handle.
        known: the model's tables, by the `id`s of their handles.
        name: name of the capture, for the error.

    Raises:
        ValueError: if the owner cannot be found.
    """
    if id(handle) in known:
        return known[id(handle)]

    # A signature may use a table that the model does not have. TensorFlow keeps
    # a weak reference to the owner in the handle.
    owner = getattr(handle, "_parent_trackable", lambda: None)()
    if owner is None:
        raise ValueError(
            "A function of an artifact may use variables, lookup tables and "
            f"constants. Received: one that uses the resource {name!r} "
            "of unknown origin. Keep its object as an attribute of the model."
        )
    return owner
