"""Construction of the smaller model from its configuration and weights."""

import contextlib
import tempfile
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.core.channel_graph import Channels
from tf_rigl.masking import tree
from tf_rigl.surgery import custom_objects
from tf_rigl.surgery import frozen_layers
from tf_rigl.surgery import functional_config
from tf_rigl.surgery import large_weights
from tf_rigl.surgery import layer_pairs
from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.channel_plan import LayerPlan
from tf_rigl.surgery.channel_plan import layers_below
from tf_rigl.surgery.channel_plan import named_weights
from tf_rigl.surgery.channel_plan import read
from tf_rigl.surgery.layer_graph import explicit_slices
from tf_rigl.surgery.layer_graph import layer_of
from tf_rigl.surgery.layer_graph import network_of
from tf_rigl.surgery.layer_graph import nodes_of
from tf_rigl.surgery.layer_graph import takes_name


def rebuild(model: Any, plans: ChannelAnalysis) -> Any:
    """Makes a model of the same class with only the needed channels.

    The given functional or sequential model is not changed. The new one has no
    masks and is not compiled.
    """
    flavor = plans.flavor
    saving = flavor.keras.saving

    with (
        _written_plainly(flavor, model),
        custom_objects.named_apart(flavor, model) as own,
    ):
        serialized = {
            **saving.serialize_keras_object(model),
            "config": model.get_config(),
        }
        for name in ("build_config", "compile_config"):
            serialized.pop(name, None)
        _resize(model, serialized["config"], plans)
        smaller = saving.deserialize_keras_object(
            serialized,
            custom_objects=own,
            # Safe, since the configuration does not come from a file.
            safe_mode=False,
        )

    if not smaller.built:
        smaller.build(model.input_shape)

    _fill(model, smaller, plans)
    frozen_layers.freeze_alike(flavor, model, smaller)
    return smaller


@contextlib.contextmanager
def _written_plainly(flavor: flavors.Flavor, model: Any) -> Iterator[None]:
    """Lets the configuration of a model be that of a plain one.

    Within the context, layers are instances of their plain classes, and slices
    name all axes.
    """
    with contextlib.ExitStack() as stack:
        for node in list(tree.walk(flavor, model)):
            plain = flavors.plain_class(node.layer)
            stack.enter_context(flavors.of_class(node.layer, plain))
            if flavors.is_container(node.layer):
                network = network_of(node.layer)
                stack.enter_context(explicit_slices(network))
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
        if "name" not in inside and takes_name(layer):
            inside["name"] = layer.name
        _forget_sizes(entry)
        if flavors.is_container(layer):
            _resize(layer, inside, plans, within=True)
            continue
        large_weights.start_at_zero(plans.flavor, layer, inside)
        plan = plans.of.get(id(layer))
        if plan is not None:
            own = plan.config_of(inside)
            plan.resize(own, left)
            if plan.resize_call is not None:
                plan.resize_call(entry["inbound_nodes"], left)
            if "use_bias" in own and plan.addition(plans.needed) is not None:
                own["use_bias"] = True
        if within and type(layer).__name__ != "InputLayer":
            inside.pop("batch_input_shape", None)
    if "output_layers" in config:
        _cut_branches(model, config, plans)
        _insert_selections(model, config, plans)


def _cut_branches(
    model: Any, config: dict[str, Any], plans: ChannelAnalysis
) -> None:
    """Leaves out constant operands of sums and the layers that made them."""
    found = plans.branches
    nodes = list(nodes_of(network_of(model)))
    for node in nodes:
        cut = found.cuts.get(id(node))
        name = layer_of(node).name
        if cut is None or id(node) in found.gone:
            continue
        if len(cut.operands) > 1:
            functional_config.keep_operands(config, name, cut.operands)
            continue

        (output,) = tf.nest.flatten(node.output_tensors)
        constants = cut.constants
        if constants is not None:
            constants = constants[plans.needed[found.channels[id(node)]]]
        functional_config.pass_on(
            plans.flavor,
            config,
            name,
            cut.operands[0],
            tf.as_dtype(output.dtype).name,
            constants,
        )
    gone = {layer_of(node).name for node in nodes if id(node) in found.gone}
    functional_config.remove(config, gone)


def _insert_selections(
    model: Any, config: dict[str, Any], plans: ChannelAnalysis
) -> None:
    """Puts selections in front of layers that read fewer channels."""
    names = {entry["name"] for entry in config["layers"]}
    for layer in model.layers:
        plan = plans.of.get(id(layer))
        if plan is None or layer.name not in names:
            continue
        indices = plan.selection(plans.needed)
        if indices is not None:
            functional_config.select(
                plans.flavor, config, layer.name, indices, plan.axis
            )


def _forget_sizes(entry: dict[str, Any]) -> None:
    """Drops what would make weights of the old sizes, in wrappers, too."""
    entry.pop("build_config", None)
    entry.pop("compile_config", None)
    for value in entry["config"].values():
        if isinstance(value, dict) and isinstance(value.get("config"), dict):
            _forget_sizes(value)


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


def _fill(model: Any, smaller: Any, plans: ChannelAnalysis) -> None:
    """Assigns the remaining values to the weights of the smaller model."""
    flavor = plans.flavor
    for _, old, new in layer_pairs.pairs(model, smaller):
        if new is None:
            continue
        before = named_weights(flavor, old)
        after = named_weights(flavor, new)

        plan = plans.of.get(id(old))
        if plan is None:
            # Sublayers may have other names in the new layer.
            both = zip(after.values(), before.values(), strict=True)
            for variable, source in both:
                # Variables share what is the same until one is written.
                values = tf.convert_to_tensor(flavor.raw(source))
                flavor.raw(variable).assign(values)
        else:
            for name, variable in after.items():
                source = before.get(name)
                _fill_weight(plan, name, source, flavor.raw(variable), plans)
        _restore_rest(old, new, plan, plans)


def _fill_weight(
    plan: LayerPlan,
    name: str,
    source: Any,
    variable: tf.Variable,
    plans: ChannelAnalysis,
) -> None:
    """Assigns what is left of a weight, which may be a new bias.

    The bias includes the contributions of constant inputs that were cut.
    """
    added = plan.addition(plans.needed) if name == "bias" else None
    if added is not None:
        bias = np.zeros(added.shape)
        if source is not None:
            bias = cut(plan, name, read(plans.flavor, source), plans)
        values = bias.astype(np.float64) + added
        variable.assign(values.astype(variable.dtype.as_numpy_dtype))
        return

    kept = _kept(plan, name, plans)
    if not kept:
        variable.assign(tf.convert_to_tensor(plans.flavor.raw(source)))
    elif large_weights.is_large(read(plans.flavor, source)):
        values = read(plans.flavor, source)
        large_weights.assign_parts(variable, values, kept)
    else:
        variable.assign(cut(plan, name, read(plans.flavor, source), plans))


def _restore_rest(
    old: Any, new: Any, plan: LayerPlan | None, plans: ChannelAnalysis
) -> None:
    """Gives a new layer what the old one has beside its weights."""

    def left(name: str, value: np.ndarray) -> np.ndarray:
        value = np.asarray(value)
        return value if plan is None else cut(plan, name, value, plans)

    large_weights.restore_initializers(old, new, left)
    before, after = (layers_below(plans.flavor, one) for one in (old, new))
    _copy_assets(before, after)
    for layer in after:
        if type(layer).__name__ == "Normalization":
            # Makes what it computes with of the weights that it has now.
            layer.finalize_state()


def _copy_frequencies(old: Any, new: Any) -> None:
    """Copies the weights of "tf_idf", which Keras 3 counts as no weights."""
    if hasattr(old, "idf_weights_const"):
        store: dict[str, np.ndarray] = {}
        old.save_own_variables(store)
        new.load_own_variables(store)


def _copy_assets(before: Sequence[Any], after: Sequence[Any]) -> None:
    """Copies what layers keep beside weights: the vocabularies of `adapt`."""
    for old, new in zip(before, after, strict=True):
        _copy_frequencies(*(getattr(x, "_lookup_layer", x) for x in (old, new)))
        if hasattr(old, "save_assets"):
            with tempfile.TemporaryDirectory() as folder:
                old.save_assets(folder)
                new.load_assets(folder)


def cut(
    plan: LayerPlan, name: str, value: np.ndarray, plans: ChannelAnalysis
) -> np.ndarray:
    """Returns what is left of the values of one of a layer's weights."""
    kept = _kept(plan, name, plans)
    if not kept:
        return value
    return np.concatenate(list(large_weights.parts(value, kept)))


def _kept(
    plan: LayerPlan, name: str, plans: ChannelAnalysis
) -> large_weights.Kept:
    """Returns the indices of what is left along axes that shrink."""
    return {
        axis: np.flatnonzero(plans.needed[channels])
        for axis, channels in plan.axes[name].items()
        if not plans.needed[channels].all()
    }
