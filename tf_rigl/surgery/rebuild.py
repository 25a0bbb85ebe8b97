"""Construction of the smaller model from its configuration and weights."""

import contextlib
import inspect
import tempfile
import types
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_rigl.backend import flavor as flavors
from tf_rigl.core.channel_graph import Channels
from tf_rigl.masking import tree
from tf_rigl.surgery.analysis import layer_of
from tf_rigl.surgery.analysis import network_of
from tf_rigl.surgery.analysis import nodes_of
from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.channel_plan import LayerPlan
from tf_rigl.surgery.channel_plan import last_name
from tf_rigl.surgery.channel_plan import layers_below
from tf_rigl.surgery.channel_plan import weights_below


def rebuild(model: Any, plans: ChannelAnalysis) -> Any:
    """Makes a model of the same class with only the needed channels.

    The given functional or sequential model is not changed. The new one has no
    masks and is not compiled.
    """
    flavor = plans.flavor
    saving = flavor.keras.saving

    with _without_masks(flavor, model):
        serialized = {
            **saving.serialize_keras_object(model),
            "config": model.get_config(),
        }
        for name in ("build_config", "compile_config"):
            serialized.pop(name, None)
        _resize(model, serialized["config"], plans)
        smaller = saving.deserialize_keras_object(
            serialized,
            custom_objects=_custom_objects(flavor, model),
            # Safe, since the configuration does not come from a file.
            safe_mode=False,
        )

    if not smaller.built:
        smaller.build(model.input_shape)

    _fill(model, smaller, plans)
    return smaller


@contextlib.contextmanager
def _without_masks(flavor: flavors.Flavor, model: Any) -> Iterator[None]:
    """Makes all layers instances of their plain classes within the context."""
    with contextlib.ExitStack() as stack:
        for node in list(tree.walk(flavor, model)):
            plain = flavors.plain_class(node.layer)
            stack.enter_context(flavors.of_class(node.layer, plain))
        yield


def _resize(
    model: Any,
    config: dict[str, Any],
    plans: ChannelAnalysis,
    within: bool = False,
) -> None:
    """Writes new sizes into a model's configuration; `within` another model."""

    def left(channels: Channels) -> int:
        return int(np.count_nonzero(plans.needed[channels]))

    if within:
        config.pop("build_input_shape", None)
    for entry, layer in _entries(model, config["layers"]):
        inside = entry["config"]
        if "name" not in inside and _takes_name(layer):
            inside["name"] = layer.name
        # These would make weights of the old sizes.
        entry.pop("build_config", None)
        entry.pop("compile_config", None)
        if flavors.is_container(layer):
            _resize(layer, inside, plans, within=True)
            continue
        plan = plans.of.get(id(layer))
        if plan is not None:
            plan.resize(inside, left)
            if plan.resize_call is not None:
                plan.resize_call(entry["inbound_nodes"], left)
            if "use_bias" in inside and plan.addition(plans.needed) is not None:
                inside["use_bias"] = True
        if within and type(layer).__name__ != "InputLayer":
            inside.pop("batch_input_shape", None)


def _entries(
    model: Any, entries: list[dict[str, Any]]
) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yields the configuration of each layer of a model with the layer."""
    called = map(layer_of, nodes_of(network_of(model)))
    layers = {layer.name: layer for layer in (*model.layers, *called)}
    # `layers` of a sequential model leaves out its input.
    hidden = len(entries) - len(model.layers)
    for position, entry in enumerate(entries):
        config = entry["config"]
        name = entry.get("name") or config.get("name")
        if name is None:
            # Of a class without `get_config`, Keras only records arguments.
            name = model.layers[position - hidden].name
        yield entry, layers[name]


def _takes_name(layer: Any) -> bool:
    """Returns whether the constructor of a layer's class takes a name."""
    parameters = inspect.signature(type(layer).__init__).parameters
    return "name" in parameters or any(
        one.kind is one.VAR_KEYWORD for one in parameters.values()
    )


def _fill(model: Any, smaller: Any, plans: ChannelAnalysis) -> None:
    """Assigns the remaining values to the weights of the smaller model."""
    flavor = plans.flavor
    for _, old, new in pairs(model, smaller):
        before = weights_below(flavor, old)
        after = weights_below(flavor, new)

        plan = plans.of.get(id(old))
        values = [flavor.raw(variable).numpy() for variable in before]
        if plan is not None:
            names = map(last_name, before)
            left = _left(plan, dict(zip(names, values, strict=True)), plans)
            values = [left[last_name(variable)] for variable in after]

        for variable, value in zip(after, values, strict=True):
            raw = flavor.raw(variable)
            raw.assign(value.astype(raw.dtype.as_numpy_dtype))
        _copy_assets(layers_below(flavor, old), layers_below(flavor, new))


def _copy_assets(before: Sequence[Any], after: Sequence[Any]) -> None:
    """Copies what layers keep beside weights: the vocabularies of `adapt`."""
    for old, new in zip(before, after, strict=True):
        if hasattr(old, "save_assets"):
            with tempfile.TemporaryDirectory() as folder:
                old.save_assets(folder)
                new.load_assets(folder)


def _left(
    plan: LayerPlan, values: dict[str, np.ndarray], plans: ChannelAnalysis
) -> dict[str, np.ndarray]:
    """Returns the remaining values of a layer's weights, by name.

    The bias includes the contributions of constant inputs that were cut.
    """
    left = {}
    for name, value in values.items():
        for axis, channels in plan.axes[name].items():
            value = np.compress(plans.needed[channels], value, axis)
        left[name] = value

    added = plan.addition(plans.needed)
    if added is not None:
        bias = left.get("bias", np.zeros(added.shape))
        left["bias"] = bias.astype(np.float64) + added
    return left


def pairs(
    model: Any, smaller: Any, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, Any, Any]]:
    """Yields path, old and new layer; inner models yield their layers."""
    for old, new in zip(model.layers, smaller.layers, strict=True):
        inside = (*path, old.name)
        if flavors.is_container(old):
            yield from pairs(old, new, inside)
        else:
            yield "/".join(inside), old, new


def _custom_objects(flavor: flavors.Flavor, model: Any) -> dict[str, Any]:
    """Collects the user's classes and functions in a model, by name.

    They need not be registered: classes of layers, and the functions and the
    classes of objects in their attributes, such as regularizers.
    """
    found: dict[str, Any] = {}
    for node in tree.walk(flavor, model):
        values: list[Any] = [flavors.plain_class(node.layer)]
        for value in vars(node.layer).values():
            if isinstance(value, types.FunctionType):
                values.append(value)
            elif hasattr(value, "get_config"):
                values.append(flavors.plain_class(value))
        found.update(
            (value.__name__, value)
            for value in values
            if value.__module__.partition(".")[0] not in flavors.PACKAGES
        )
    return found
