"""Models of Keras as networks of `native.plan_graph`."""

from typing import Any

from tf_rigl.backend import call_signature
from tf_rigl.backend import flavor as flavors
from tf_rigl.export.plan import simplify
from tf_rigl.export.plan.calls import Unsupported
from tf_rigl.export.plan.walk import LayerCall
from tf_rigl.export.plan.walk import Walk
from tf_rigl.factors import plain_layers
from tf_rigl.masking import masked_for_now
from tf_rigl.native.plan_graph import Graph

# So many problems are told in an error.
_TOLD = 3


def graph_of(model: Any, inputs: Any = None) -> Graph:
    """Returns the network that a model computes at inference, simplified.

    Args:
        model: a model of either Keras. It is not changed.
        inputs: the inputs of its call, as for `export_plan`.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if a size of its inputs is open, or plans do not have one
            of its layers.
    """
    walk = walk_of(model, inputs)
    check(model, walk.calls)
    return walk.network.graph()


@masked_for_now.stored_masked
def walk_of(model: Any, inputs: Any = None) -> Walk:
    """Follows a model, whatever its layers, and simplifies what it became."""
    flavor = flavors.model_flavor(model)
    signature = call_signature.call_signature(model, inputs)
    walk = Walk(flavor)
    try:
        walk.model(plain_layers.copy(model), signature)
    except Unsupported as unsupported:
        name = flavors.plain_class(model).__name__
        walk.calls.append(
            LayerCall(
                model.name, name, (), unsupported.problem, unsupported.fix
            )
        )
    simplify.simplify(walk.network)
    return walk


def check(model: Any, calls: list[LayerCall]) -> None:
    """Raises a ValueError if some layers of a model have no steps."""
    problems = [call for call in calls if call.problem]
    if not problems:
        return
    told = " ".join(
        f"{call.path} ({call.layer}): {call.problem}. {call.fix}"
        for call in problems[:_TOLD]
    )
    more = len(problems) - _TOLD
    raise ValueError(
        "All layers of a plan must be ones that it computes. Received: "
        f"model={model.name!r} with {told}"
        + (f" There are {more} more." if more > 0 else "")
        + " `tf_rigl.check_plan(model)` lists all layers."
    )
