"""The functions of an artifact, traced while the model is as it is."""

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from tf_rigl.backend.call_signature import CallSignature
from tf_rigl.backend.call_signature import call_signature
from tf_rigl.backend.model_call import trace_inference
from tf_rigl.masking.model_weights import WalkedModel

# The signature of a model's call, and the loaded object's name for it.
DEFAULT_SIGNATURE = "serving_default"
DEFAULT_ENDPOINT = "serve"


class Endpoint(NamedTuple):
    """A function of an artifact."""

    signature: str  # its name among the signatures
    attribute: str  # its name on the loaded object
    function: Any  # a concrete function
    call: CallSignature


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
        call = call_signature(walked.model, inputs)
        found.append(trace_model(walked, call))

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


def trace_model(walked: WalkedModel, call: CallSignature) -> Endpoint:
    """Traces the inference of a model on the arguments of a call."""
    function = trace_inference(
        walked.model,
        walked.layers,
        *call,
        # Keras 2 converts a user's `if` on tensors, Keras 3 does not.
        autograph=walked.flavor.name == "keras2",
    )
    return Endpoint(DEFAULT_SIGNATURE, DEFAULT_ENDPOINT, function, call)


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
