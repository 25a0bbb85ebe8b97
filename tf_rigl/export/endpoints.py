"""The functions of an artifact, traced, and what they take from outside."""

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

# The signature of a model's call, and the loaded object's name for it.
DEFAULT_SIGNATURE = "serving_default"
DEFAULT_ENDPOINT = "serve"


class Endpoint(NamedTuple):
    """A function of an artifact."""

    signature: str  # its name among the signatures
    attribute: str  # its name on the loaded object
    function: Any  # a concrete function
    call: call_signature.CallSignature
    # Names of the arguments that the function takes in order; empty: unknown.
    names: tuple[str, ...] = ()

    def run(self, *tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        """Calls it on tensors in order; returns its outputs by name."""
        arguments, keywords = call_signature.pack_arguments(self.call, tensors)
        return call_signature.name_outputs(
            self.function(*arguments, **keywords)
        )


class Captures(NamedTuple):
    """Everything that the functions of an artifact capture, each once."""

    variables: dict[int, tf.Variable]  # by the identity of the handle
    # Those of the model, by the same; others where `variables` are copies.
    origins: dict[int, Any]
    tables: list[Any]  # lookup tables and other resources


def trace_endpoints(
    walked: WalkedModel, inputs: Any, signatures: Mapping[str, Any] | None
) -> list[Endpoint]:
    """Traces the model's call and the user's signatures.

    `inputs` are those of `call_signature`; a signature is a `tf.function`
    with an input signature or a concrete function.

    Raises:
        TypeError: if a signature is none of these.
        ValueError: if one has no input signature, or the model cannot be
            called on what is known of its inputs.
    """
    given = dict(signatures or {})
    found = []
    if DEFAULT_SIGNATURE not in given:
        call = call_signature.call_signature(walked.model, inputs)
        found.append(trace_model(walked, call, is_given=inputs is not None))

    own = _variables(walked)
    for name, function in given.items():
        with distribution.reading_one_component(own):
            concrete = _concrete(name, function)
        arguments, keywords = concrete.structured_input_signature
        attribute = DEFAULT_ENDPOINT if name == DEFAULT_SIGNATURE else name
        found.append(
            Endpoint(
                name,
                attribute,
                concrete,
                call_signature.CallSignature(arguments, keywords),
            )
        )
    return found


def trace_model(
    walked: WalkedModel, call: call_signature.CallSignature, is_given: bool
) -> Endpoint:
    """Traces the inference of a model on the arguments of a call.

    Args:
        walked: the model.
        call: what it is called on.
        is_given: whether the user has given the call, Keras remembers it
            otherwise.

    Raises:
        ValueError: if the model cannot be called on what Keras remembers.
    """

    def trace() -> Any:
        return trace_inference(
            walked.model,
            walked.layers,
            *call,
            # Keras 2 converts a user's `if` on tensors, Keras 3 does not.
            autograph=walked.flavor.name == "keras2",
        )

    try:
        if not walked.is_built and tf.distribute.has_strategy():
            trace()  # Makes variables, which are a strategy's.
        with distribution.reading_one_component(_variables(walked)):
            function = trace()
    except Exception as error:
        # What such a model is called on is known exactly.
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
    """Finds the variables and tables behind what concrete functions capture.

    Tables may be the model's.

    Raises:
        ValueError: if a function captures a resource of unknown origin, or
            sums over replicas.
    """
    functions = list(functions)
    candidates = [one for weight in weights for one in weight.variables]
    for function in functions:
        _check_has_no_sums(function)
        candidates.extend(map(distribution.whole, function.graph.variables))
    variables = {
        id(one.handle): variable
        for variable in candidates
        for one in distribution.components(variable)
    }
    known_tables = _tables(model)

    captured: dict[int, tf.Variable] = {}
    tables: dict[int, Any] = {}
    for function in functions:
        for outer, inner in function.graph.captures:
            if id(outer) in variables:
                captured[id(outer)] = variables[id(outer)]
            elif outer.dtype == tf.resource:
                tables[id(outer)] = _table(outer, known_tables, inner)
    return Captures(captured, dict(captured), list(tables.values()))


def _concrete(name: str, function: Any) -> Any:
    """Returns the concrete function of a user's signature."""
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
    """Raises a ValueError if a function sums over replicas."""
    if function.graph.deferred_external_captures:
        raise ValueError(
            "A signature must run outside of the strategy of its model. "
            f"Received: {function.name}, a concrete function that sums over "
            "replicas, as reading an average of BatchNormalization does. "
            "Pass the tf.function itself, with an input signature: the "
            "export traces it as it is to run."
        )


def _variables(walked: WalkedModel) -> list[Any]:
    """Lists the TensorFlow variables behind a model's weights, by now."""
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
    """Finds the resources of a model but variables, by their handles."""
    kind = tf.saved_model.experimental.TrackableResource
    return {
        id(one.resource_handle): one
        for one in tf.train.TrackableView(model).descendants()
        if isinstance(one, kind)
    }


def _table(handle: Any, known: dict[int, Any], inner: Any) -> Any:
    if id(handle) in known:
        return known[id(handle)]
    # A signature may use a table that is not the model's; its handle knows
    # its owner.
    owner = getattr(handle, "_parent_trackable", lambda: None)()
    if owner is None:
        raise ValueError(
            "A function of an artifact may use variables, lookup tables and "
            f"constants. Received: one that uses the resource {inner.name!r} "
            "of unknown origin. Keep its object as an attribute of the model."
        )
    return owner
