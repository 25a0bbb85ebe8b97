"""Replaces variables of a distribution strategy by copies on one machine.

An artifact is loaded where there is no strategy, so its functions must not
refer to variables of several replicas or workers.
"""

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
from tf_rigl.updating import supermasks


class Captured(NamedTuple):
    """Functions of an artifact that run without a strategy."""

    endpoints: list[Endpoint]
    captures: Captures  # everything that the endpoints capture
    weights: list[ModelWeight]  # all weights of the model


def capture(walked: WalkedModel, endpoints: Sequence[Endpoint]) -> Captured:
    """Finds what traced functions of a model capture.

    Variables of a strategy are replaced by copies on this machine. A moving
    average of BatchNormalization in tf_keras differs between replicas; its copy
    is the mean over all of them, which Keras saves, too. Workers compute this
    mean together, so all of them must call this.

    Raises:
        ValueError: if a function captures a resource of unknown origin, or
            sums over replicas.
    """
    # Tracing has built the model by now.
    weights = model_weights(walked)
    supermasks.warn_of_draw(
        [one.record for one in weights if one.record is not None]
    )
    captures = find_captures(
        [endpoint.function for endpoint in endpoints], walked.model, weights
    )
    return Captured(*_copy_distributed(endpoints, captures), weights)


def _copy_distributed(
    endpoints: Sequence[Endpoint], captures: Captures
) -> tuple[list[Endpoint], Captures]:
    """Replaces the variables of a strategy by copies, if there are any."""
    copies = {
        key: _copy(variable)
        for key, variable in captures.variables.items()
        if distribution.is_distributed(variable)
    }
    if not copies:
        return list(endpoints), captures

    # The new functions capture the handles of the copies, so these become the
    # keys. All other handles stay.
    handles = {key: copy.handle for key, copy in copies.items()}
    variables, origins = {}, {}
    for key, variable in captures.variables.items():
        new_key = id(handles[key]) if key in handles else key
        variables[new_key] = copies.get(key, variable)
        origins[new_key] = variable

    plain = [_with_handles(endpoint, handles) for endpoint in endpoints]
    return plain, Captures(variables, origins, captures.tables)


def _copy(variable: Any) -> tf.Variable:
    """Copies a variable of a strategy, with the mean of its replicas."""
    return distribution.plain_variable(
        tf.convert_to_tensor(variable),
        trainable=variable.trainable,
        name=variable.name.partition(":")[0].rpartition("/")[2],
    )


def _with_handles(
    endpoint: Endpoint, handles: Mapping[int, tf.Tensor]
) -> Endpoint:
    """Returns an endpoint whose function captures other variables.

    `handles` are the new handles, by the `id`s of the old ones.
    """

    def run(*arguments: Any, **keywords: Any) -> Any:
        return function_graph.insert(
            endpoint.function, (arguments, keywords), {}, handles
        )

    function = tf.function(run, autograph=False).get_concrete_function(
        *endpoint.call.arguments, **endpoint.call.keywords
    )
    return endpoint._replace(function=function)
