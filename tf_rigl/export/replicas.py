"""Functions of a model that a strategy keeps in several places, in one."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_rigl.backend import distribution
from tf_rigl.export import function_graph
from tf_rigl.export.endpoints import Captures
from tf_rigl.export.endpoints import Endpoint


def gather(
    endpoints: Sequence[Endpoint], captures: Captures
) -> tuple[list[Endpoint], Captures]:
    """Replaces the variables of a strategy by copies on this machine.

    The copy of an average over replicas, of BatchNormalization for instance,
    is the mean of all of them, as in what Keras saves: all workers compute
    it together.

    Returns:
        Endpoints and captures that know the copies only; those that are
        given if no variable is a strategy's.
    """
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
    return tf.Variable(
        tf.convert_to_tensor(variable),
        trainable=variable.trainable,
        name=variable.name.partition(":")[0].rpartition("/")[2],
    )


def _with_handles(
    endpoint: Endpoint, handles: Mapping[int, tf.Tensor]
) -> Endpoint:
    """Traces an endpoint once more, with other variables."""

    def run(*arguments: Any, **keywords: Any) -> Any:
        tensors = tf.nest.flatten((arguments, keywords), expand_composites=True)
        return function_graph.insert(
            endpoint.function,
            [tensor for tensor in tensors if tf.is_tensor(tensor)],
            {},
            handles,
        )

    function = tf.function(run, autograph=False).get_concrete_function(
        *endpoint.call.arguments, **endpoint.call.keywords
    )
    return endpoint._replace(function=function)
