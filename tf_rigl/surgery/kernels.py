"""The common rule of layers with units or filters, seen as matrices."""

import itertools
import math
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.core.channel_graph import Channels
from tf_rigl.surgery import channel_plan
from tf_rigl.surgery.features import LAST
from tf_rigl.surgery.features import Call
from tf_rigl.surgery.features import Features
from tf_rigl.surgery.features import Untrackable
from tf_rigl.surgery.features import evaluate
from tf_rigl.surgery.features import positions
from tf_rigl.surgery.features import varying

# Functions of `keras.activations` that treat each unit by itself, by name.
ELEMENTWISE = frozenset(
    "celu elu exponential gelu hard_shrink hard_sigmoid hard_silu "
    "hard_swish hard_tanh leaky_relu linear log_sigmoid mish relu relu6 "
    "selu sigmoid silu soft_shrink softplus softsign sparse_plus "
    "sparse_sigmoid squareplus swish tanh tanh_shrink threshold".split()
)

_ROWS = 512  # rows of a large matrix that are copied together

# Returns the axes of a layer's weights, except its bias, for the channels of
# its inputs and outputs.
GetAxes = Callable[[Channels, Channels], Mapping[str, channel_plan.Axes]]


def apply(
    plans: channel_plan.ChannelAnalysis,
    call: Call,
    connected: np.ndarray,
    sums: np.ndarray | None,
    shape: tuple[int, ...],
    why: str,
    axes: GetAxes,
) -> Features:
    """Records how outputs depend on inputs; returns the outputs' features.

    Args:
        plans: the plans of the model, which get that of this layer.
        call: a call of a layer with units.
        connected: which inputs each unit reads, bool [inputs, units].
        sums: the kernel summed over its positions, float [inputs, units]; None
            if zeros are all that can be folded.
        shape: the smallest input shape that gives an output, without batch
            dimension and features.
        why: why non-zero constants cannot be folded into the bias; "" if
            they can.
        axes: returns the axes of each weight except the bias.
    """
    features = call.only_input()
    plan = plans.of.get(id(call.layer))
    if plan is None:
        outputs = plans.graph.add(connected.shape[1])
        connections = channel_plan.Connections(
            features.channels, outputs, connected, sums, why
        )
        plan = _new_plan(plans, call, connections, axes)
    plans.graph.tie(features.channels, plan.inputs)

    usable = features.zeros() if why else features.constants
    if plan.connections is not None:
        plan.connections.seen.append(features.constants)
        plan.connections.absorbable.append(usable)

    activation = getattr(call.layer, "activation", None)
    if not is_elementwise(plans.flavor, activation):
        name = getattr(activation, "__name__", activation)
        plans.keep(plan.outputs, f"activation {name} of {call.path}")
        return varying(plan.outputs)

    varies = _any_row(connected, np.isnan(usable))
    if varies.all():
        # Convolutions outside of a graph take long for what is thrown away.
        return varying(plan.outputs)
    values = _outputs(plans, call, usable, shape)
    return Features(plan.outputs, np.where(varies, np.nan, values))


def _outputs(
    plans: channel_plan.ChannelAnalysis,
    call: Call,
    constants: np.ndarray,
    shape: tuple[int, ...],
) -> np.ndarray:
    """Returns the outputs for constant inputs, float64 [outputs]; 0 for NaN."""
    layer = call.layer
    own = flavors.is_of_keras(flavors.plain_class(layer))
    bias = plans.weights(layer).get("bias")
    if not own or bias is None or np.nan_to_num(constants).any():
        return evaluate(call, [constants], shape)

    # Zeros leave the bias, without reading a kernel of a hundred million.
    outputs = tf.cast(plans.flavor.raw(bias), layer.compute_dtype)
    activation = getattr(layer, "activation", None)
    if activation is not None:
        outputs = activation(outputs)
    return np.asarray(outputs, np.float64)


def _any_row(connected: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Returns which columns some of the rows have, without a large copy."""
    varies = np.zeros(connected.shape[1], bool)
    chosen = np.flatnonzero(rows)
    for start in range(0, len(chosen), _ROWS):
        varies |= connected[chosen[start : start + _ROWS]].any(axis=0)
    return varies


def _new_plan(
    plans: channel_plan.ChannelAnalysis,
    call: Call,
    connections: channel_plan.Connections,
    get_axes: GetAxes,
) -> channel_plan.LayerPlan:
    inputs, outputs = connections.inputs, connections.outputs
    axes = dict(get_axes(inputs, outputs))
    if "bias" in plans.weights(call.layer):
        axes["bias"] = {0: outputs}

    return plans.add(
        call,
        inputs,
        outputs,
        axes,
        lambda config, left: _resize(config, left(outputs)),
        makes_units=True,
        connections=connections,
    )


def _resize(config: dict[str, Any], units: int) -> None:
    """Writes the number of units into a layer's configuration."""
    for name in ("units", "filters"):
        if name in config:
            config[name] = units
            return

    shape = config["output_shape"]  # of an EinsumDense
    config["output_shape"] = (
        units if isinstance(shape, int) else (*shape[:-1], units)
    )


def check_layout(call: Call) -> None:
    """Raises an Untrackable if a layer has channels on another axis."""
    layout = getattr(call.layer, "data_format", "channels_last")
    if layout == "channels_first" and call.axis == LAST:
        raise Untrackable(f"data_format={layout!r}")


def padding_of(call: Call) -> tuple[tuple[int, ...], str]:
    """Returns the smallest input shape of a convolution, and its unevenness.

    The shape is without batch dimension and features. The text says why a
    constant channel does not add the same at all positions, "" if it does.
    """
    layer = call.layer
    rank = len(call.input_shapes[0]) - 2
    kernel, dilation = (
        (value,) * rank if isinstance(value, int) else tuple(value)
        for value in (layer.kernel_size, layer.dilation_rate)
    )
    extent = tuple(
        (k - 1) * d + 1 for k, d in itertools.zip_longest(kernel, dilation)
    )
    if layer.padding == "valid" or math.prod(extent) == 1:
        return extent, ""
    return positions(call), "pads with zeros"


def is_elementwise(flavor: flavors.Flavor, function: Any) -> bool:
    """Returns whether an activation is known to treat each unit by itself."""
    name = getattr(function, "__name__", None)
    if name not in ELEMENTWISE:
        return function is None
    known = (getattr(flavor.keras.activations, name, None),)
    return function in (*known, getattr(tf.nn, name, None))
