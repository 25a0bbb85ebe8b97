"""Rules of layers that have units or filters of their own."""

from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.core.channel_graph import Channels
from tf_rigl.masking.layer_rules import kernel_layout
from tf_rigl.surgery import kernels
from tf_rigl.surgery.channel_plan import Axes
from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.channel_plan import Connections
from tf_rigl.surgery.channel_plan import LayerPlan
from tf_rigl.surgery.features import Call
from tf_rigl.surgery.features import Features
from tf_rigl.surgery.features import Untrackable
from tf_rigl.surgery.features import common
from tf_rigl.surgery.features import positions

_RECURRENT = ("SimpleRNN", "GRU", "LSTM")


def dense(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows Dense, with a kernel [inputs, units]."""
    return _apply_matrix(plans, call)


def einsum_dense(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows EinsumDense if it is like Dense, as "...x,xy->...y"."""
    layer = call.layer
    operands, output = layer.equation.split("->")
    inputs, kernel = operands.split(",")
    is_dense = (
        len(kernel) == 2
        and kernel[0] != kernel[1]
        and inputs[-1] == kernel[0]
        and output == inputs[:-1] + kernel[1]
        and layer.bias_axes in (None, kernel[1])
    )
    if not is_dense:
        raise Untrackable(f"equation {layer.equation!r}")

    # It takes no `use_bias`, so a missing bias cannot be created.
    why = "" if "bias" in plans.weights(layer) else "has no bias"
    return _apply_matrix(plans, call, why)


def convolution(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows convolutions of one group; kernel [..., inputs, filters]."""
    kernels.check_layout(call)
    return _apply_filters(plans, call, -2, -1, *kernels.padding_of(call))


def transposed_convolution(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows Conv1DTranspose, 2D and 3D; kernel [..., filters, inputs]."""
    kernels.check_layout(call)
    why = "does not spread it evenly"
    return _apply_filters(plans, call, -1, -2, positions(call), why)


def separable_convolution(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows SeparableConv1D and 2D, with the product of their kernels."""
    kernels.check_layout(call)
    values = plans.values(call.layer)
    depthwise = values["depthwise_kernel"]  # [..., inputs, multiplier]
    pointwise = values["pointwise_kernel"]  # [..., inputs · multiplier, out]
    rank = depthwise.ndim
    *_, inputs, multiplier = depthwise.shape
    spatial = tuple(range(rank - 2))
    matrix = pointwise.reshape(inputs, multiplier, -1)
    sums = depthwise.sum(axis=spatial, dtype=np.float64)[:, :, None] * matrix
    reads = (depthwise != 0).any(axis=spatial)[:, :, None] & (matrix != 0)

    def axes(i: Channels, o: Channels) -> dict[str, Axes]:
        repeated = np.repeat(i, multiplier)
        return {
            "depthwise_kernel": {rank - 2: i},
            "pointwise_kernel": {rank - 2: repeated, rank - 1: o},
        }

    return kernels.apply(
        plans,
        call,
        reads.any(axis=1),
        sums.sum(axis=1),
        *kernels.padding_of(call),
        axes,
    )


def embedding(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows Embedding, whose features are columns [tokens]."""
    for features in call.inputs:
        if features is not None:
            plans.keep(features.channels, f"tokens of {call.path}")

    columns = plans.value(call.layer, "embeddings")
    first = plans.of.get(id(call.layer))
    count = columns.shape[1]
    outputs = plans.graph.add(count) if first is None else first.outputs

    plans.add(
        call,
        plans.graph.add(0),
        outputs,
        {"embeddings": {1: outputs}},
        lambda config, left: config.update(output_dim=left(outputs)),
        makes_units=True,
    )
    return Features(outputs, common(columns))


def is_recurrent(layer: Any) -> bool:
    """Returns whether a layer is one that `recurrent` follows."""
    cls = flavors.plain_class(layer)
    return flavors.is_of_keras(cls) and cls.__name__ in _RECURRENT


def recurrent(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows SimpleRNN, GRU and LSTM.

    Units that reach no output in any step are cut, and so are inputs that are
    always zero. Units that no input reaches are kept, since their values
    change from step to step.
    """
    layer = call.layer
    _check_recurrent(plans, layer)
    features = call.only_input()
    plan = plans.of.get(id(layer)) or _plan_recurrent(plans, call, features)
    plans.graph.tie(features.channels, plan.inputs)
    if plan.connections is not None:
        plan.connections.seen.append(features.constants)
        plan.connections.absorbable.append(features.zeros())
    silent = _silent_units(layer, plans.values(layer))
    return Features(plan.outputs, np.where(silent, 0.0, np.nan))


def _apply_matrix(
    plans: ChannelAnalysis, call: Call, why: str = ""
) -> Features:
    """Follows a kernel [inputs, units] that is applied at all positions."""
    kernel = plans.value(call.layer, "kernel")
    return kernels.apply(
        plans,
        call,
        kernel != 0,
        kernel,
        positions(call),
        why,
        lambda i, o: {"kernel": {0: i, 1: o}},
    )


def _apply_filters(
    plans: ChannelAnalysis,
    call: Call,
    inputs: int,
    filters: int,
    shape: tuple[int, ...],
    why: str,
) -> Features:
    """Follows a kernel with inputs and filters along the given axes."""
    kernel = plans.value(call.layer, "kernel")
    variable = plans.weights(call.layer)["kernel"]
    view = kernel_layout(call.layer, variable).view(kernel).numpy()
    rank = kernel.ndim

    return kernels.apply(
        plans,
        call,
        (view != 0).any(axis=0),
        # Zeros are all that is folded where something is in the way.
        None if why else view.sum(axis=0, dtype=np.float64),
        shape,
        why,
        lambda i, o: {"kernel": {rank + inputs: i, rank + filters: o}},
    )


def _check_recurrent(plans: ChannelAnalysis, layer: Any) -> None:
    if layer.stateful or layer.return_state:
        raise Untrackable("it keeps or returns its state")
    functions = [layer.activation]
    functions.append(getattr(layer, "recurrent_activation", None))
    if not all(kernels.is_elementwise(plans.flavor, one) for one in functions):
        raise Untrackable("its activations may mix units")


def _plan_recurrent(
    plans: ChannelAnalysis, call: Call, features: Features
) -> LayerPlan:
    values = plans.values(call.layer)
    # Each gate is a block of columns in both kernels.
    units, columns = values["recurrent_kernel"].shape
    gates = columns // units
    kernel = _any_gate(values["kernel"], gates)
    outputs = plans.graph.add(kernel.shape[1])
    recurrent_kernel = _any_gate(values["recurrent_kernel"], gates)
    plans.graph.read(outputs, outputs, recurrent_kernel)

    return plans.add(
        call,
        features.channels,
        outputs,
        _recurrent_axes(values, features.channels, outputs, gates),
        lambda config, left: config.update(units=left(outputs)),
        makes_units=True,
        connections=Connections(
            features.channels, outputs, kernel, None, "takes up only zeros"
        ),
    )


def _silent_units(layer: Any, values: dict[str, np.ndarray]) -> np.ndarray:
    """Returns the units that are 0 in each step, bool [units].

    They start at 0, and all gates of theirs are those of zeros.
    """
    columns = [value.reshape(-1, value.shape[-1]) for value in values.values()]
    gates = columns[0].shape[1] // layer.units
    used = _any_gate(np.concatenate(columns), gates).any(axis=0)
    start = np.asarray(layer.activation(tf.zeros((1,)))).item()
    return ~used & (start == 0)


def _any_gate(kernel: np.ndarray, gates: int) -> np.ndarray:
    """Returns which rows reach any gate of each unit, bool [rows, units]."""
    return (kernel != 0).reshape(len(kernel), gates, -1).any(axis=1)


def _recurrent_axes(
    values: dict[str, np.ndarray],
    inputs: Channels,
    outputs: Channels,
    gates: int,
) -> dict[str, Axes]:
    columns = np.tile(outputs, gates)
    axes: dict[str, Axes] = {
        "kernel": {0: inputs, 1: columns},
        "recurrent_kernel": {0: outputs, 1: columns},
    }
    if "bias" in values:
        # A GRU may have two biases, for inputs and states: [2, columns].
        axes["bias"] = {values["bias"].ndim - 1: columns}
    return axes
