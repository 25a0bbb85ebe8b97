"""The variables and tables that functions take from outside their graphs."""

from collections.abc import Iterable
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.masking.model_weights import ModelWeight


class Captures(NamedTuple):
    """Everything that the functions of an artifact capture, each once."""

    variables: dict[int, tf.Variable]  # by the identity of the handle
    tables: list[Any]  # lookup tables and other resources


def find_captures(
    functions: Iterable[Any], model: Any, weights: Iterable[ModelWeight]
) -> Captures:
    """Finds the variables and tables behind what concrete functions capture.

    Tables may be the model's.

    Raises:
        ValueError: if a function captures a resource of unknown origin.
    """
    functions = list(functions)
    candidates = [one for weight in weights for one in weight.variables]
    for function in functions:
        candidates.extend(function.graph.variables)
    variables = {
        id(one.handle): one
        for variable in candidates
        # Replicas one by one.
        for one in getattr(variable, "values", (variable,))
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
    return Captures(captured, list(tables.values()))


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
