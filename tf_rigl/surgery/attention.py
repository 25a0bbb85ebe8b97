"""The rule of attention layers, of which a head is one channel.

With grouped queries it is the head of keys and values with all of its queries.
"""

from typing import Any
from typing import NamedTuple

import numpy as np

from tf_rigl.core.channel_graph import Channels
from tf_rigl.surgery.channel_plan import Axes
from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.channel_plan import Connections
from tf_rigl.surgery.channel_plan import Count
from tf_rigl.surgery.channel_plan import LayerPlan
from tf_rigl.surgery.features import Call
from tf_rigl.surgery.features import Features
from tf_rigl.surgery.features import Operand
from tf_rigl.surgery.features import Untrackable

# The tensor that each projection reads; a gate is an option of Keras 3.
_READS = {"query": "query", "key": "key", "value": "value", "gate": "query"}


class _Streams(NamedTuple):
    """The features of the three tensors that attention reads."""

    query: Features
    key: Features
    value: Features


def multi_head_attention(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows MultiHeadAttention; kernels [features, heads, dimensions].

    Also GroupedQueryAttention, whose streams and outputs must have as many
    features, so that those of one place stay or go together. A head is cut if
    no output reads it or if its values are zero. The channels of the streams
    are cut where no head reads them, or where they are zero. The dimensions of
    all heads stay.
    """
    layer = call.layer
    if len(call.output_shapes) != 1:
        raise Untrackable("returns its scores")
    streams = _streams_of(plans, call)
    plan = plans.of.get(id(layer)) or _plan(plans, call, streams)

    inputs = np.concatenate([features.channels for features in streams])
    plans.graph.tie(inputs, plan.inputs)
    if plan.connections is not None:
        constants = [features.constants for features in streams]
        zeros = [features.zeros() for features in streams]
        plan.connections.seen.append(np.concatenate(constants))
        plan.connections.absorbable.append(np.concatenate(zeros))

    values = plans.values(layer)
    output = _output_of(values)
    reads = output.any(axis=0)
    bias = values.get("attention_output/bias", np.zeros(reads.shape))
    return Features(plan.outputs, np.where(reads, np.nan, bias))


def _streams_of(plans: ChannelAnalysis, call: Call) -> _Streams:
    """Returns what the layer reads; keeps the features of its masks."""
    args, kwargs = call.arguments
    given = dict(zip(("query", "value", "key"), args, strict=False))
    given.update((name, one) for name, one in kwargs.items() if one is not None)
    if given.get("key") is None:
        given["key"] = given["value"]

    streams = []
    for name in _Streams._fields:
        features = call.inputs[given[name].index]
        if features is None:
            raise Untrackable("called on a tensor without features")
        streams.append(features)

    read = {given[name].index for name in _Streams._fields}
    for features in (
        call.inputs[one.index]
        for one in (*args[3:], *kwargs.values())
        if isinstance(one, Operand) and one.index not in read
    ):
        if features is not None:
            plans.keep(features.channels, f"masks of {call.path}")
    return _Streams(*streams)


def _plan(plans: ChannelAnalysis, call: Call, streams: _Streams) -> LayerPlan:
    values = plans.values(call.layer)
    output = _output_of(values)
    if output.ndim != 2:
        raise Untrackable(f"output_shape={call.output_shapes[0]}")

    heads = plans.graph.add(output.shape[0])
    outputs = plans.graph.add(output.shape[1])
    plans.graph.read(heads, outputs, output)
    plans.graph.keep_one_of(heads)
    if _is_grouped(call.layer):
        for features in streams:
            plans.graph.tie(features.channels, outputs)
    reads = {
        name: _by_head((values[f"{name}/kernel"] != 0).any(axis=2), len(heads))
        for name in _READS
        if f"{name}/kernel" in values
    }
    if "gate" in reads:
        reads["query"] |= reads["gate"]

    return plans.add(
        call,
        np.concatenate([features.channels for features in streams]),
        outputs,
        _axes(values, streams, heads, outputs),
        lambda config, left: _resize(config, left, streams, heads, outputs),
        makes_units=True,
        connections=Connections(
            np.concatenate([features.channels for features in streams]),
            heads,
            np.concatenate([reads[name] for name in _Streams._fields]),
            None,
            "takes up only zeros",
        ),
        inner=heads,
    )


def _output_of(values: dict[str, np.ndarray]) -> np.ndarray:
    """Returns which heads each output reads, bool [heads, outputs]."""
    kernel = values["attention_output/kernel"]  # [heads, dimensions, outputs]
    lives = (values["value/kernel"] != 0).any(axis=(0, 2))
    if "value/bias" in values:
        lives |= (values["value/bias"] != 0).any(axis=1)
    read: Any = (kernel != 0).any(axis=1)
    if len(read) != len(lives):
        read = _by_head(np.asarray(read).T, len(lives)).T
    found: Any = read & lives.reshape(-1, *(1,) * (read.ndim - 1))
    return found


def _is_grouped(layer: Any) -> bool:
    return hasattr(layer, "num_key_value_heads")


def _by_head(reads: np.ndarray, heads: int) -> np.ndarray:
    """Returns what any query of each head reads, bool [features, heads]."""
    found: Any = reads.reshape(len(reads), heads, -1).any(axis=2)
    return found


def _axes(
    values: dict[str, np.ndarray],
    streams: _Streams,
    heads: Channels,
    outputs: Channels,
) -> dict[str, Axes]:
    repeats = len(values["attention_output/kernel"]) // len(heads)
    queries = np.repeat(heads, repeats)
    axes: dict[str, Axes] = {
        "attention_output/kernel": {0: queries, 2: outputs},
        "attention_output/bias": {0: outputs},
    }
    for name, stream in _READS.items():
        features = getattr(streams, stream)
        own = queries if stream == "query" else heads
        axes[f"{name}/kernel"] = {0: features.channels, 1: own}
        axes[f"{name}/bias"] = {0: own}
    return {name: one for name, one in axes.items() if name in values}


def _resize(
    config: dict[str, Any],
    left: Count,
    streams: _Streams,
    heads: Channels,
    outputs: Channels,
) -> None:
    if "num_key_value_heads" in config:
        before = config["num_key_value_heads"]
        config["num_key_value_heads"] = left(heads)
        config["num_query_heads"] *= left(heads)
        config["num_query_heads"] //= before
        return

    config["num_heads"] = left(heads)
    # By default that of the query.
    if config["output_shape"] or left(outputs) != left(streams.query.channels):
        config["output_shape"] = (left(outputs),)

    for name, features in streams._asdict().items():
        shape = config.get(f"{name}_shape")  # in Keras 2
        if shape is not None:
            size = left(features.channels)
            config[f"{name}_shape"] = [*list(shape)[:-1], size]
