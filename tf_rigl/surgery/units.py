"""Rules of layers that have units or filters of their own."""

from typing import Any

import numpy as np

from tf_rigl.core.channel_graph import Channels
from tf_rigl.masking.layer_rules import kernel_layout
from tf_rigl.surgery import kernels
from tf_rigl.surgery.channel_plan import Axes
from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.features import Call
from tf_rigl.surgery.features import Features
from tf_rigl.surgery.features import Untrackable
from tf_rigl.surgery.features import common
from tf_rigl.surgery.features import positions


def dense(plans: ChannelAnalysis, call: Call) -> Features:
    """Dense: kernel [inputs, units]."""
    kernel = plans.value(call.layer, "kernel")
    return kernels.apply(
        plans,
        call,
        kernels.Kernel(
            kernel != 0,
            kernel,
            positions(call),
            "",
            _with_bias(call, lambda i, o: {"kernel": {0: i, 1: o}}),
            _setting("units"),
        ),
    )


def einsum_dense(plans: ChannelAnalysis, call: Call) -> Features:
    """EinsumDense where it is a Dense: "...x,xy->...y" in any letters."""
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
    values = plans.value(layer, "kernel")

    def resize(config: dict[str, Any], units: int) -> None:
        shape = config["output_shape"]
        single = isinstance(shape, int)
        config["output_shape"] = units if single else (*shape[:-1], units)

    names = plans.weights(layer)
    why = "" if "bias" in names else "has no bias"

    def axes(i: Channels, o: Channels) -> dict[str, Axes]:
        bias: dict[str, Axes] = {"bias": {0: o}} if "bias" in names else {}
        return {"kernel": {0: i, 1: o}, **bias}

    return kernels.apply(
        plans,
        call,
        kernels.Kernel(values != 0, values, positions(call), why, axes, resize),
    )


def convolution(plans: ChannelAnalysis, call: Call) -> Features:
    """Conv1D, 2D and 3D: kernel [..., inputs, filters]."""
    kernels.check_channels_last(call)
    if call.layer.groups != 1:
        raise Untrackable(f"groups={call.layer.groups}")
    return _apply_filters(plans, call, -2, -1, *kernels.padding_of(call))


def transposed_convolution(plans: ChannelAnalysis, call: Call) -> Features:
    """Conv1DTranspose, 2D and 3D: kernel [..., filters, inputs]."""
    kernels.check_channels_last(call)
    why = "does not spread it evenly"
    return _apply_filters(plans, call, -1, -2, positions(call), why)


def _apply_filters(
    plans: ChannelAnalysis,
    call: Call,
    inputs: int,
    filters: int,
    shape: tuple[int, ...],
    why: str,
) -> Features:
    """Applies a kernel whose inputs and filters lie along these axes."""
    kernel = plans.value(call.layer, "kernel")
    variable = plans.weights(call.layer)["kernel"]
    view = kernel_layout(call.layer, variable).view(kernel).numpy()
    rank = kernel.ndim

    return kernels.apply(
        plans,
        call,
        kernels.Kernel(
            (view != 0).any(axis=0),
            view.sum(axis=0, dtype=np.float64),
            shape,
            why,
            _with_bias(
                call,
                lambda i, o: {"kernel": {rank + inputs: i, rank + filters: o}},
            ),
            _setting("filters"),
        ),
    )


def separable_convolution(plans: ChannelAnalysis, call: Call) -> Features:
    """SeparableConv1D and 2D: one kernel a channel, then one a filter."""
    kernels.check_channels_last(call)
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
        kernels.Kernel(
            reads.any(axis=1),
            sums.sum(axis=1),
            *kernels.padding_of(call),
            _with_bias(call, axes),
            _setting("filters"),
        ),
    )


def embedding(plans: ChannelAnalysis, call: Call) -> Features:
    """Embedding: a column [tokens] for each feature."""
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


def _with_bias(call: Call, axes: kernels.GetAxes) -> kernels.GetAxes:
    def both(inputs: Channels, outputs: Channels) -> dict[str, Axes]:
        bias: dict[str, Axes] = (
            {"bias": {0: outputs}} if call.layer.use_bias else {}
        )
        return {**axes(inputs, outputs), **bias}

    return both


def _setting(name: str) -> kernels.Resize:
    def resize(config: dict[str, Any], units: int) -> None:
        config[name] = units

    return resize
