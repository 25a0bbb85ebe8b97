"""Models of layers, dead units in them, and what they compute."""

import types
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_rigl.backend.flavor import flavor_of
from tf_rigl.surgery import channel_plan

Units = Mapping[str, Sequence[int]]
NONE: Units = types.MappingProxyType({})


class Case(NamedTuple):
    build: Callable[[Any], Any]
    left: Mapping[str, int]  # units that should be left
    silent: Units = NONE  # units without connections from below
    zero: Units = NONE  # the same without bias: they put out 0
    unread: Units = NONE  # inputs without connections
    unheard: Units = NONE  # recurrent units without connections to others
    unscaled: Units = NONE  # channels whose factor, the first weight, is 0
    # By "layer:weight", an axis of the weight and what is 0 along it.
    zeros: Mapping[str, tuple[int, Sequence[int]]] = types.MappingProxyType({})


def make(case, keras, seed=0):
    model = case.build(keras)
    randomize(model, seed)
    for path, units in case.silent.items():
        erase(find(model, path), units, axis="units")
    for path, units in case.zero.items():
        erase(find(model, path), units, axis="units", bias=True)
    for path, units in case.unread.items():
        erase(find(model, path), units, axis="inputs")
    for path, units in case.unheard.items():
        erase(find(model, path), units, axis="states")
    for path, units in case.unscaled.items():
        _clear(find(model, path).weights[0], 0, units)
    for place, (axis, units) in case.zeros.items():
        path, name = place.split(":")
        weights = channel_plan.named_weights(
            flavor_of(model), find(model, path)
        )
        _clear(weights[name], axis, units)
    return model


def _clear(variable, axis, units):
    values = np.array(variable)
    np.moveaxis(values, axis, 0)[list(units)] = 0
    variable.assign(values)


def randomize(model, seed=0):
    """Random weights: none is 0, and constants change with every layer."""
    flavor = flavor_of(model)
    random = np.random.default_rng(seed)
    for variable in channel_plan.weights_below(flavor, model):
        raw = flavor.raw(variable)
        values = random.normal(size=raw.shape)
        if channel_plan.last_name(variable) == "moving_variance":
            values = random.uniform(0.5, 2, raw.shape)
        elif len(raw.shape) > 1:
            # Outputs of the size of the inputs.
            values *= 1.5 / np.sqrt(np.prod(raw.shape[:-1]))
        elif channel_plan.last_name(variable) == "bias":
            # Not lost by a ReLU.
            values = 0.3 + np.abs(values)
        raw.assign(values.astype(raw.dtype.as_numpy_dtype))


def erase(layer, units, axis, bias=False):
    flavor = flavor_of(layer)
    name = type(layer).__name__
    units = np.array(units, int)

    for variable in channel_plan.weights_below(flavor, layer):
        raw = flavor.raw(variable)
        values = raw.numpy()
        kind = channel_plan.last_name(variable)
        if axis == "states":
            if kind == "recurrent_kernel":
                values[units] = 0
        elif kind in ("kernel", "pointwise_kernel", "embeddings") or (
            kind == "depthwise_kernel" and name.startswith("Depthwise")
        ):
            transposed = name.endswith("Transpose")
            at = -1 if (axis == "units") != transposed else -2
            np.moveaxis(values, at, 0)[units] = 0
        elif kind == "bias" and bias:
            values[..., units] = 0
        raw.assign(values)


def find(model, path):
    for name in path.split("/"):
        model = model.get_layer(name)
    return model


def example(model, batch=3, seed=1):
    """Random inputs of a model, a list if there are several."""
    random = np.random.default_rng(seed)
    arrays = []
    for one in model.inputs:
        shape = (batch, *one.shape[1:])
        if "int" in str(one.dtype):
            arrays.append(random.integers(0, 9, shape))
        else:
            arrays.append(random.normal(size=shape).astype("float32"))
    return arrays if len(arrays) > 1 else arrays[0]


def outputs_of(model, inputs):
    outputs = model(inputs, training=False)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return np.concatenate(
        [np.asarray(one, np.float64).ravel() for one in outputs]
    )


def chain(keras, shape, *layers, dtype=None):
    return keras.Sequential([keras.Input(shape, dtype=dtype), *layers])
