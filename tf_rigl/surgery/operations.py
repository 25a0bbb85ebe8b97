"""Rules of functions: of `keras.ops` in Keras 3, of TensorFlow in Keras 2.

Functions that treat each feature by itself are in `merging`. Those here move
positions, reduce them, or take features apart.
"""

import itertools
from typing import Any

import numpy as np

from tf_rigl.core.channel_graph import Channels
from tf_rigl.surgery import channelwise
from tf_rigl.surgery import merging
from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.channel_plan import Count
from tf_rigl.surgery.features import LAST
from tf_rigl.surgery.features import Call
from tf_rigl.surgery.features import Features
from tf_rigl.surgery.features import Untrackable
from tf_rigl.surgery.features import from_the_front
from tf_rigl.surgery.features import varying

# Marks an argument that is not given.
_MISSING = object()


def concatenation(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows `tf.concat`."""
    return merging.concatenated(plans, call, _argument(call, "axis", 1))


def reduction(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows a mean or an extreme of positions; constants stay the same."""
    del plans
    features = call.only_input()
    axis = _argument(call, "axis", 1, None)
    rank = len(call.input_shapes[0])
    axes = from_the_front(axis, rank)
    if axis is None or not axes or {0, call.axis % rank} & set(axes):
        raise Untrackable(f"axis={axis}")
    if getattr(call.layer, "initial", None) is not None:
        return varying(features.channels)
    return features


def pooling_of_channels(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows GlobalMaxPooling1D and its like, also over the last axis.

    That mixes channels, so that all stay if outputs must stay the same. Its
    results, one for each position, stay.
    """
    layer = call.layer
    features = call.only_input()
    layout = "channels_last" if features.axis == LAST else "channels_first"
    if layer.data_format == layout:
        return features if layer.keepdims else features._replace(axis=LAST)
    if layout == "channels_first":
        raise Untrackable("mixes its channels, data_format='channels_last'")
    if plans.exact or layer.keepdims or call.output_shapes[0][-1] is None:
        raise Untrackable("mixes its channels, data_format='channels_first'")
    plans.mixing.append((features.channels, call.path))
    outputs = plans.graph.add(call.output_shapes[0][-1])
    plans.keep(outputs, f"positions of {call.path}")
    return varying(outputs)


def summation(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows a sum of positions; of the constants, only zeros stay."""
    features = reduction(plans, call)
    return Features(features.channels, features.zeros())


def softmax(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows softmax over positions, by which each channel varies."""
    del plans
    features = call.only_input()
    axis = _argument(call, "axis", 1, -1)
    axis = -1 if axis is None else axis
    rank = len(call.input_shapes[0])
    axes = from_the_front(axis, rank)
    if call.axis % rank in axes:
        raise Untrackable(f"mixes its channels, axis={axis}")
    return varying(features.channels)


def expansion(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows `expand_dims` before the last axis."""
    del plans
    features = call.only_input()
    axis = _argument(call, "axis", 1)
    rank = len(call.output_shapes[0])
    if rank - 1 in from_the_front(axis, rank):
        raise Untrackable(f"axis={axis}")
    return features


def squeezing(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows `squeeze` of named axes other than the last.

    Without names, it would also drop the channels once there is only one.
    """
    del plans
    features = call.only_input()
    axis = _argument(call, "axis", 1, None)
    shape = call.input_shapes[0]
    axes = from_the_front(axis, len(shape))
    if len(shape) - 1 in axes or not axes:
        raise Untrackable(f"axis={axis}")
    return features


def transposition(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows `transpose`, which may put channels first or last."""
    del plans
    name = "perm" if hasattr(call.layer, "symbol") else "axes"
    axes = _argument(call, name, 1, None)
    if axes is None:
        raise Untrackable(f"{name}=None")
    places = from_the_front(axes, len(call.input_shapes[0]))
    return channelwise.moved(call.only_input(), places, f"{name}={axes}")


def reshaping(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows `reshape`, if features stay whole or all are flattened."""
    features = call.only_input()
    name = "shape" if hasattr(call.layer, "symbol") else "newshape"
    sizes = np.ravel(_argument(call, name, 1)).tolist()
    result = channelwise.reshaped(call)
    if result is None:
        before, after = call.input_shapes[0][1:], call.output_shapes[0][1:]
        raise Untrackable(f"from {before} to {after}")

    def shape(left: Count) -> list[int]:
        if sizes[result.axis] == -1:
            return sizes
        resized = [*sizes]
        resized[result.axis] = left(result.channels)
        return resized

    _add(plans, call, features, result.channels, name, shape)
    return result


def split(plans: ChannelAnalysis, call: Call) -> list[Features]:
    """Follows `split` along the features or along another axis."""
    features = call.only_input()
    keras2 = hasattr(call.layer, "symbol")
    axis = _argument(call, "axis", 2, 0)
    rank = len(call.input_shapes[0])
    if from_the_front(axis, rank) != [rank - 1]:
        return [features for _ in call.output_shapes]

    sizes = [shape[-1] or 0 for shape in call.output_shapes]
    if sum(sizes) != len(features.channels):
        raise Untrackable("splits its features into parts of unknown sizes")
    ends = list(itertools.accumulate(sizes))[:-1]
    channels = np.split(features.channels, ends)
    constants = np.split(features.constants, ends)
    for part in channels:
        plans.graph.keep_one_of(part)

    def parts(left: Count) -> list[int]:
        sizes = [left(part) for part in channels]
        return sizes if keras2 else np.cumsum(sizes)[:-1].tolist()

    name = "num_or_size_splits" if keras2 else "indices_or_sections"
    _add(plans, call, features, features.channels, name, parts)
    return [Features(*one) for one in zip(channels, constants, strict=True)]


def slicing(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows `tensor[...]`, slices of features and of positions."""
    features = call.only_input()
    key = _argument(call, "slice_spec", 1)
    entries = list(key) if isinstance(key, (tuple, list)) else [key]
    last = _last_entry(entries, len(call.input_shapes[0]))
    if last is None:
        return features

    count = len(features.channels)
    start, stop, step = slice(*last).indices(count)
    if step != 1:
        raise Untrackable(f"takes features in steps of {step}")
    part = slice(start, max(start, stop))
    result = Features(features.channels[part], features.constants[part])
    plans.graph.keep_one_of(result.channels)

    def resize(nodes: list[Any], left: Count) -> None:
        first = left(features.channels[: part.start])
        limits = {"start": first, "stop": first + left(result.channels)}
        for node in nodes:
            _set_limits(node, limits)

    plan = plans.add(call, features.channels, result.channels, {})
    plan.resize_call = resize
    return result


def gathering(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows `take` of features, such as a selection that `shrink` has made.

    The numbers of the features are those among the ones that are left.
    """
    features = call.only_input()
    chosen = np.asarray(_argument(call, "indices", 1))
    axis = _argument(call, "axis", 3, None)
    if axis is None or not call.is_along_features(axis):
        raise Untrackable(f"axis={axis}")
    if chosen.ndim != 1 or not np.issubdtype(chosen.dtype, np.integer):
        raise Untrackable("takes features by more than a list of numbers")
    chosen = chosen % len(features.channels)
    result = Features(features.channels[chosen], features.constants[chosen])
    plans.graph.keep_one_of(result.channels)

    def resize(nodes: list[Any], left: Count) -> None:
        numbers = [
            left(features.channels[:one])
            for one in chosen
            if left(features.channels[one : one + 1])
        ]
        for node in nodes:
            if isinstance(node, dict):
                tensor, _, *others = node["args"]
                node["args"] = (tensor, numbers, *others)
            else:
                node[-1]["indices"] = numbers

    plan = plans.add(call, features.channels, result.channels, {})
    plan.resize_call = resize
    return result


def padding(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows `pad` by a number, along positions or features.

    Features that it adds are constants of their own, as the zeros by which
    some residual networks widen a shortcut.
    """
    features = call.only_input()
    name = "paddings" if hasattr(call.layer, "symbol") else "pad_width"
    widths = np.asarray(_argument(call, name, 1))
    rank = len(call.input_shapes[0])
    mode = str(_argument(call, "mode", 2, "constant"))
    if widths.shape != (rank, 2) or mode.lower() != "constant":
        raise Untrackable(f"{name}={widths.tolist()}, mode={mode}")
    value = _argument(call, "constant_values", 3, None) or 0

    constants = features.constants
    if widths[:-1].any():
        constants = np.where(constants == value, constants, np.nan)
    first = plans.of.get(id(call.layer))
    before, after = widths[-1].tolist()
    if first is None:
        new = plans.graph.add(before), plans.graph.add(after)
        outputs = np.concatenate([new[0], features.channels, new[1]])
    else:
        outputs = first.outputs

    def resized(left: Count) -> list[list[int]]:
        ends = [left(outputs[:before]), left(outputs[len(outputs) - after :])]
        return [*widths[:-1].tolist(), ends]

    _add(plans, call, features, outputs, name, resized)
    return Features(
        outputs,
        np.pad(constants, (before, after), constant_values=float(value)),
    )


def _argument(
    call: Call, name: str, position: int, default: Any = _MISSING
) -> Any:
    """Returns an argument of a function.

    An operation of Keras 3 keeps most of them as attributes. `position` is
    that among the positional arguments of TensorFlow's function.

    Raises:
        Untrackable: if it is not given and has no default.
    """
    args, kwargs = call.arguments
    if name in kwargs:
        return kwargs[name]
    if not hasattr(call.layer, "symbol") and hasattr(call.layer, name):
        return getattr(call.layer, name)
    if len(args) > position:
        return args[position]
    if default is _MISSING:
        raise Untrackable(f"called without {name!r}")
    return default


def _add(
    plans: ChannelAnalysis,
    call: Call,
    features: Features,
    outputs: Channels,
    name: str,
    value: Any,
) -> None:
    """Plans a new value of an argument, `value` of a `Count`."""
    keras2 = hasattr(call.layer, "symbol")

    def resize_call(nodes: list[Any], left: Count) -> None:
        for node in nodes:
            if keras2:
                node[-1][name] = value(left)

    def resize(config: dict[str, Any], left: Count) -> None:
        if not keras2:
            config[name] = value(left)

    plan = plans.add(call, features.channels, outputs, {}, resize)
    plan.resize_call = resize_call


def _last_entry(entries: list[Any], rank: int) -> tuple[Any, ...] | None:
    """Returns the slice of the last axis, which is the last of the entries.

    It is None if no entry is about that axis.
    """
    if any(not _is_known(one) for one in entries):
        raise Untrackable(f"an index {entries}")
    about = [one for one in entries if one is not None and one is not Ellipsis]
    ellipsis = [one is Ellipsis for one in entries]
    if entries and entries[-1] is None:
        raise Untrackable("makes a new last axis")
    if (any(ellipsis) and ellipsis[-1]) or (
        not any(ellipsis) and len(about) < rank
    ):
        return None

    last = entries[-1]
    if isinstance(last, int):
        raise Untrackable("takes a single feature")
    if isinstance(last, dict):
        last = slice(last["start"], last["stop"], last["step"])
    return (last.start, last.stop, last.step)


def _is_known(entry: Any) -> bool:
    """Returns whether an entry of an index is known without calling."""
    if isinstance(entry, dict):
        entry = slice(*(entry.get(one) for one in ("start", "stop", "step")))
    if isinstance(entry, slice):
        limits = (entry.start, entry.stop, entry.step)
        return all(one is None or isinstance(one, int) for one in limits)
    return entry is None or entry is Ellipsis or isinstance(entry, int)


def _set_limits(node: Any, limits: dict[str, int]) -> None:
    """Writes limits of the last axis into the configuration of a slice."""
    if isinstance(node, dict):
        args = list(node["args"])
        args[1] = _with_limits(args[1], limits)
        node["args"] = tuple(args)
    else:
        arguments = node[-1]
        key = arguments["slice_spec"]
        arguments["slice_spec"] = _with_limits(key, limits)


def _with_limits(key: Any, limits: dict[str, int]) -> Any:
    """Returns a serialized index with other limits of its last slice."""
    if isinstance(key, (tuple, list)):
        return (*key[:-1], _with_limits(key[-1], limits))
    if "config" in key:  # of Keras 3
        return {**key, "config": {**key["config"], **limits}}
    return {**key, **limits}
