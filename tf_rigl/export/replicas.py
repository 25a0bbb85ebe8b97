"""What an artifact's functions capture, those of replicas in one place."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.backend import distribution
from tf_rigl.export import function_graph
from tf_rigl.export.endpoints import Captures
from tf_rigl.export.endpoints import Endpoint
from tf_rigl.export.endpoints import find_captures
from tf_rigl.masking.model_weights import ModelWeight
from tf_rigl.masking.model_weights import WalkedModel
from tf_rigl.masking.model_weights import model_weights


class Captured(NamedTuple):
    """Functions of an artifact that run by themselves, and what they use."""

    endpoints: list[Endpoint]
    captures: Captures  # of all of them
    weights: list[ModelWeight]  # of the model


def capture(walked: WalkedModel, endpoints: Sequence[Endpoint]) -> Captured:
    """Finds what traced functions of a model capture.

    Variables of a strategy are replaced by copies on this machine. The copy of
    an average over replicas, of BatchNormalization for instance, is the mean
    of all of them, as in what Keras saves: all workers compute it together.

    Raises:
        ValueError: if a function captures a resource of unknown origin, or
            sums over replicas.
    """
    # Tracing has built what was not built.
    weights = model_weights(walked)
    captures = find_captures(
        [one.function for one in endpoints], walked.model, weights
    )
    return Captured(*_gather(endpoints, captures), weights)


def _gather(
    endpoints: Sequence[Endpoint], captures: Captures
) -> tuple[list[Endpoint], Captures]:
    """Replaces the variables of a strategy, if there are any."""
    copies = {
        key: _copy(variable)
        for key, variable in captures.variables.items()
        if distribution.is_distributed(variable)
    }
    if not copies:
        return list(endpoints), captures

    handles = {key: copy.handle for key, copy in copies.items()}
    variables, origins = {}, {}
    for key, variable in captures.variables.items():
        copy = copies.get(key, variable)
        new_key = id(copy.handle) if key in copies else key
        variables[new_key] = copy
        origins[new_key] = variable

    return [_with_handles(one, handles) for one in endpoints], Captures(
        variables, origins, captures.tables
    )


def _copy(variable: Any) -> tf.Variable:
    return distribution.plain_variable(
        tf.convert_to_tensor(variable),
        trainable=variable.trainable,
        name=variable.name.partition(":")[0].rpartition("/")[2],
    )


def _with_handles(
    endpoint: Endpoint, handles: Mapping[int, tf.Tensor]
) -> Endpoint:
    """Traces an endpoint once more, with other variables."""

    def run(*arguments: Any, **keywords: Any) -> Any:
        return function_graph.insert(
            endpoint.function, (arguments, keywords), {}, handles
        )

    function = tf.function(run, autograph=False).get_concrete_function(
        *endpoint.call.arguments, **endpoint.call.keywords
    )
    return endpoint._replace(function=function)
