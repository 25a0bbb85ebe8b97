"""Plain Keras layers in the place of factorized ones."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.backend import new_optimizers
from tf_rigl.factors import factorized_layer
from tf_rigl.factors import layouts
from tf_rigl.factors.kernel_factors import Factored
from tf_rigl.masking import tree
from tf_rigl.masking.layer_rules import FACTORS

# What factors become: whichever has fewer weights, one kernel, or layers.
HOWS = ("auto", "kernel", "layers")


def has_factors(model: Any) -> bool:
    """Returns whether a model has factorized layers."""
    flavor = flavors.model_flavor(model)
    nodes = tree.walk(flavor, model)
    return any(factorized_layer.owns_factors(node.layer) for node in nodes)


def plain(model: Any, how: str) -> Any:
    """Returns the model with plain layers.

    One kernel takes the place of its factors in the same layer. Layers, one for
    each factor, need a new model around them, which has them in a `Sequential`
    of the name of the one before.

    Args:
        model: a model with factorized layers and without masks.
        how: one of `HOWS`. With `"auto"`, layers that Keras creates itself,
            such as cells and projections of attention, and those of a
            subclassed model have one kernel.

    Raises:
        ValueError: for `"layers"`, if one of those has factors.
    """
    flavor = flavors.model_flavor(model)
    split = [] if how == "kernel" else _separable(flavor, model)
    owners = [
        node
        for node in tree.walk(flavor, model)
        if FACTORS in node.layer.__dict__
    ]
    if how == "layers":
        inside = [
            "/".join(one.path)
            for one in owners
            if not _contains(split, one.layer)
        ]
        if inside:
            raise ValueError(
                "Each factor can be a layer where the model's configuration "
                "says what reads what. Received: factors='layers' for "
                f"{inside}, which Keras or a subclassed model creates and "
                "calls. Pass factors='auto' for one kernel there."
            )
    else:
        split = [one for one in split if _only(one).is_thin]

    if split:
        return _with_layers(flavor, model, split)
    _drop(flavor, model)
    return model


def copy(model: Any) -> Any:
    """Returns a model without factors: a copy, or itself if it has none."""
    if not has_factors(model):
        return model
    flavor = flavors.model_flavor(model)
    split = [one for one in _separable(flavor, model) if _only(one).is_thin]
    return _with_layers(flavor, model, split)


def _drop(flavor: flavors.Flavor, model: Any) -> None:
    """Puts one kernel for the factors of all layers, in place."""
    for node in list(tree.walk(flavor, model)):
        if factorized_layer.owns_factors(node.layer):
            factorized_layer.drop_factors(node.layer)


def _separable(flavor: flavors.Flavor, model: Any) -> list[Any]:
    """Returns the factorized layers that containers have as such."""
    if not flavors.is_container(model):
        return []
    return [
        host.layer
        for host in tree.hosts(flavor, model)
        if FACTORS in host.layer.__dict__ and not layouts.is_cell(host.layer)
    ]


def _contains(layers: list[Any], layer: Any) -> bool:
    return any(layer is one for one in layers)


def _only(layer: Any) -> Factored:
    factored: Factored = layer.__dict__[FACTORS]["kernel"]
    return factored


def _with_layers(flavor: flavors.Flavor, model: Any, split: list[Any]) -> Any:
    """Clones a model with a `Sequential` of layers for some of its layers.

    Others have one kernel.
    """
    keras = flavor.keras
    pairs: list[tuple[Any, Any]] = []

    def clone(layer: Any) -> Any:
        if _contains(split, layer):
            new = keras.Sequential(_layers(flavor, layer), name=layer.name)
        elif flavors.is_container(layer):
            new = _clone(flavor, layer, clone)
            _compile_like(flavor, layer, new)
            return new
        elif isinstance(layer, keras.layers.Layer):
            new = type(layer).from_config(layer.get_config())
        else:
            return layer
        pairs.append((layer, new))
        return new

    new = _clone(flavor, model, clone)
    for old, made in pairs:
        if not made.built:
            continue
        if _contains(split, old):
            made.set_weights(_values(old))
        else:
            made.set_weights(old.get_weights())
        made.trainable = old.trainable
    _drop(flavor, new)
    _compile_like(flavor, model, new)
    return new


def _clone(
    flavor: flavors.Flavor, model: Any, clone: Callable[[Any], Any]
) -> Any:
    """Clones a container without its compilation.

    Keras 3 would make losses and metrics anew from their names, by which it
    does not find a function of the user's.
    """
    own = vars(model)
    is_compiled = own.get("compiled", False)
    if is_compiled:
        own["compiled"] = False
    try:
        return flavor.keras.models.clone_model(model, clone_function=clone)
    finally:
        if is_compiled:
            own["compiled"] = True


def _compile_like(flavor: flavors.Flavor, model: Any, new: Any) -> None:
    """Compiles a clone as its model is, with new optimizers."""
    compilation = getattr(model, "_compile_config", None)
    if compilation is not None:
        given = dict(compilation.config)
        if flavor.is_optimizer(given.get("optimizer")):
            given["optimizer"] = new_optimizers.new_like(given["optimizer"])
        new.compile(**given)


def _layers(flavor: flavors.Flavor, layer: Any) -> list[Any]:
    """Makes a layer for each factor; the last has bias and activation."""
    with factorized_layer.unfactorized_classes(layer):
        config = layer.get_config()
        cls: Any = type(layer)
    factored = _only(layer)
    first = {
        **config,
        "activation": "linear",
        "use_bias": False,
        "activity_regularizer": None,
    }
    settings = _SETTINGS[str(layouts.kind_of(layer))](layer, factored)
    made = []
    for suffix, own in zip(_suffixes(factored), settings, strict=True):
        base = config if suffix == "u" else first
        if "equation" in own:
            base = {**base}
            base.pop("use_bias", None)
            if suffix != "u":
                base["bias_axes"] = None
        made.append(
            cls.from_config({**base, **own, "name": f"{layer.name}_{suffix}"})
        )
    return made


def _suffixes(factored: Factored) -> tuple[str, ...]:
    return ("v", "u") if len(factored.variables) == 2 else ("v", "m", "u")


def _of_dense(layer: Any, factored: Factored) -> list[dict[str, Any]]:
    narrow = {"units": factored.config.rank}
    inner = len(factored.variables) - 1
    return [*[narrow] * inner, {"units": layer.units}]


def _of_einsum(layer: Any, factored: Factored) -> list[dict[str, Any]]:
    equations = layouts.equations(layer.equation, len(factored.variables))
    # The sizes of axes that a factor keeps follow from its inputs.
    inner = [None] * (len(equations[0].partition("->")[2].lstrip(".")) - 2)
    narrow = [*inner, factored.config.rank]
    shapes = [*[narrow] * (len(equations) - 1), layer.partial_output_shape]
    return [
        {"equation": equation, "output_shape": list(shape)}
        for equation, shape in zip(equations, shapes, strict=True)
    ]


def _of_convolution(layer: Any, factored: Factored) -> list[dict[str, Any]]:
    config = factored.config
    space = range(len(config.shape) - 2)
    layout = factored.layout
    read = [axis for axis in space if axis in layout.row_axes]
    made = [axis for axis in space if axis not in read]

    def settings(axes: list[int], filters: int) -> dict[str, Any]:
        return {
            "filters": filters,
            "kernel_size": tuple(
                config.shape[a] if a in axes else 1 for a in space
            ),
            "strides": tuple(
                layer.strides[a] if a in axes else 1 for a in space
            ),
            "dilation_rate": tuple(
                layer.dilation_rate[a] if a in axes else 1 for a in space
            ),
        }

    middle = [settings([], config.rank)] * (len(factored.variables) - 2)
    return [
        settings(read, config.rank),
        *middle,
        settings(made, layer.filters),
    ]


_SETTINGS = {
    "Dense": _of_dense,
    "EinsumDense": _of_einsum,
    "Conv1D": _of_convolution,
    "Conv2D": _of_convolution,
}


def _values(layer: Any) -> list[np.ndarray]:
    """Returns the weights of the layers of `_layers`, in their order."""
    factored = _only(layer)
    kind = layouts.kind_of(layer)
    kernels = [tf.convert_to_tensor(one) for one in factored.variables]
    if kind in ("Conv1D", "Conv2D"):
        kernels = layouts.convolution_kernels(
            kernels, factored.layout, factored.config.shape
        )
    elif kind == "EinsumDense":
        kernels = layouts.einsum_kernels(
            kernels, factored.layout, factored.config.shape
        )
    values = [kernel.numpy() for kernel in kernels]
    if layer.bias is not None:
        values.append(tf.convert_to_tensor(layer.bias).numpy())
    return values
