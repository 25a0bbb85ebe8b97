"""The functions of an artifact, traced while the model is as it is."""

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.backend.flavor import Flavor
from tf_rigl.backend.model_call import inference_keywords
from tf_rigl.backend.model_call import notes_kept
from tf_rigl.export.call_signature import CallSignature
from tf_rigl.export.call_signature import call_signature
from tf_rigl.masking import tree

# The signature of a model's call, and what loaded objects call it.
DEFAULT_SIGNATURE = "serving_default"
DEFAULT_ENDPOINT = "serve"


class Endpoint(NamedTuple):
    """A function of an artifact."""

    signature: str  # its name among the signatures
    attribute: str  # its name on the loaded object
    function: Any  # a concrete function
    call: CallSignature


def trace_endpoints(
    flavor: Flavor,
    model: Any,
    inputs: Any,
    signatures: Mapping[str, Any] | None,
) -> list[Endpoint]:
    """Traces the model's call and the user's signatures.

    Args:
        flavor: the model's.
        model: a model, whose inference is traced.
        inputs: what it is called on; see `call_signature`.
        signatures: further functions by name, each a `tf.function` with an
            input signature or a concrete function.

    Raises:
        TypeError: where a signature is none of these.
        ValueError: where one has no input signature, or the model cannot be
            called on what is known of its inputs.
    """
    given = dict(signatures or {})
    found = []
    if DEFAULT_SIGNATURE not in given:
        call = call_signature(flavor, model, inputs)
        function = trace_model(flavor, model, call)
        found.append(
            Endpoint(DEFAULT_SIGNATURE, DEFAULT_ENDPOINT, function, call)
        )
    for name, function in given.items():
        concrete = _concrete(name, function)
        arguments, keywords = concrete.structured_input_signature
        attribute = DEFAULT_ENDPOINT if name == DEFAULT_SIGNATURE else name
        found.append(
            Endpoint(
                name, attribute, concrete, CallSignature(arguments, keywords)
            )
        )
    return found


def trace_model(flavor: Flavor, model: Any, call: CallSignature) -> Any:
    """Traces the inference of a model.

    Args:
        flavor: the model's.
        model: a model.
        call: what it is called on.

    Returns:
        A concrete function.
    """
    training = inference_keywords(model)

    def infer(*arguments: Any, **keywords: Any) -> Any:
        return model(*arguments, **{**keywords, **training})

    # Keras 2 converts a user's `if` on tensors, Keras 3 does not.
    traced = tf.function(infer, autograph=flavor.name == "keras2")
    layers = [node.layer for node in tree.walk(flavor, model)]
    with notes_kept(layers):
        concrete = traced.get_concrete_function(
            *call.arguments, **call.keywords
        )
    # Those of this call are tensors of a graph of its own.
    model._clear_losses()
    return concrete


def _concrete(name: str, function: Any) -> Any:
    """The concrete function that a user's signature is."""
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
