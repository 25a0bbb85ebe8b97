"""Rules of layer classes: the weights that may be sparse, and their axes.

`accounting.mac_rules` and `surgery.channel_rules` define under the same keys
how a layer is counted and how it treats channels.
"""

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.algorithms import scales
from tf_rigl.backend import flavor as flavors
from tf_rigl.core.kernel_layout import KernelLayout
from tf_rigl.core.kernel_layout import axes_layout
from tf_rigl.masking import connections

# The public names; everything else may change.
__all__ = ["Axes", "LayerRule", "register"]


# The attribute in which a factorized layer keeps, by the names of its kernels,
# the factors that stand for them; see `factors.factorized_layer`.
FACTORS = "_tf_rigl_factors"
# That of an attention layer whose heads are pairs of factors: the sizes of keys
# and values that it had.
HEADS = "_tf_rigl_heads"


class Axes(NamedTuple):
    """Input and unit axes of a kernel; the other axes are positions.

    Negative axes count from the end.
    """

    inputs: Sequence[int]
    units: Sequence[int]


def last_axes(layer: Any, rank: int) -> Axes:
    """Returns the default axes: units last, inputs before them.

    A vector is treated as the inputs of one unit.
    """
    del layer
    if rank < 2:
        return Axes(range(rank), ())
    return Axes((rank - 2,), (rank - 1,))


class LayerRule(NamedTuple):
    """Rule of one layer class.

    Attributes:
        weights: names of the layer's attributes that hold the weights.
        axes: axes of each of these weights, or a function of the built layer
            and the weight's rank. The default suits Dense (in, out),
            convolutions (h, w, in, out), RNN cells (in, gates · units),
            pointwise kernels and embeddings (tokens, features).
        opt_in: whether the weights are sparse only if named in
            `SparsifyOptions(include=...)`.
    """

    weights: tuple[str, ...]
    axes: Axes | Callable[[Any, int], Axes] = last_axes
    opt_in: bool = False


def register(cls: type, rule: LayerRule) -> None:
    """Adds or replaces the rule of a layer class.

    Call it before `sparsify` and before loading a saved model with such layers.
    A subclass uses the rule of its nearest base that has one. If a layer has a
    method `get_prunable_weights`, that method determines its weights, and only
    the axes of the rule are used.

    Args:
        cls: a layer class of either Keras.
        rule: its rule.

    Raises:
        TypeError: if `cls` is not a layer class or `rule` not a `LayerRule`.

    Example:
        >>> layer_rules.register(
        ...     Transposed,  # kernel [units, inputs]
        ...     LayerRule(("kernel",), Axes(inputs=[1], units=[0])),
        ... )
    """
    flavor = flavors.find_class_flavor(cls) if isinstance(cls, type) else None
    if flavor is None or not issubclass(cls, flavor.keras.layers.Layer):
        raise TypeError(
            "`cls` must be a layer class of `keras` or `tf_keras`. "
            f"Received: cls={cls!r}."
        )

    if not isinstance(rule, LayerRule) or isinstance(rule.weights, str):
        raise TypeError(
            "`rule` must be a `LayerRule` with a tuple of attributes. "
            f"Received: rule={rule!r}. Pass `LayerRule(('kernel',))`."
        )

    _registered[cls] = rule


def rule_of(layer: Any) -> LayerRule | None:
    """Returns the rule of a layer's class or nearest base, else None."""
    for cls in type(layer).__mro__:
        if cls in _registered:
            return _registered[cls]
        if flavors.is_of_keras(cls) and cls.__name__ in RULES:
            return RULES[cls.__name__]
    return None


def known_class(layer: Any, table: Collection[str]) -> str | None:
    """Returns the nearest Keras class of a layer that a table contains."""
    for cls in type(layer).__mro__:
        if flavors.is_of_keras(cls) and cls.__name__ in table:
            return cls.__name__
    return None


def sparsifiable_weights(layer: Any) -> dict[str, Any]:
    """Returns the layer's own weights that may be sparse, by name.

    A custom layer provides them by TFMOT's `PrunableLayer` protocol, the method
    `get_prunable_weights`, or by `register`. The order of the Keras variables
    is fixed. A layer that is not built has none.
    """
    protocol = getattr(layer, "get_prunable_weights", None)
    if callable(protocol):
        # The user's method may read weights that `build` makes.
        return _by_name(protocol()) if layer.built else {}

    rule = rule_of(layer)
    if rule is None:
        return {}
    return {
        attribute: variable
        for attribute in rule.weights
        if (variable := _weight(layer, attribute)) is not None
    }


def other_weights(layer: Any, own: Iterable[Any]) -> dict[str, Any]:
    """Returns weights without a rule that a user may name, by name.

    They have at least two axes, unlike biases. Frozen weights are included,
    because a weight keeps its mask while its layer is frozen.

    Args:
        layer: a layer of either Keras.
        own: the layer's own Keras variables, without those of its sublayers.
    """
    known = {id(weight) for weight in sparsifiable_weights(layer).values()}
    others = [
        weight
        for weight in own
        if _may_have_mask(weight) and id(weight) not in known
    ]
    if not others:
        return {}

    attributes = {
        id(value): name.lstrip("_") for name, value in vars(layer).items()
    }
    found: dict[str, Any] = {}
    for variable in others:
        name = attributes.get(id(variable))
        if name is None:
            name = next(iter(_by_name([variable])))
        found.setdefault(name, variable)
    return found


def scale_weights(layer: Any) -> dict[str, Any]:
    """Returns the scale of a normalization layer by name, if it has one."""
    scale = scales.scale_of(layer)
    return {} if scale is None else {"gamma": scale}


def followers(layer: Any, variable: Any) -> dict[str, Any]:
    """Returns the variables that are 0 where a weight is masked, by name.

    A shift follows its scale: a channel without a scale would be a constant.
    """
    shift = scales.shift_of(layer)
    if shift is None or scales.scale_of(layer) is not variable:
        return {}
    return {"beta": shift}


def is_opt_in(layer: Any) -> bool:
    """Returns whether the layer is sparse only on request."""
    if callable(getattr(layer, "get_prunable_weights", None)):
        return False
    rule = rule_of(layer)
    return rule is not None and rule.opt_in


def kernel_layout(layer: Any, variable: Any) -> KernelLayout:
    """Returns the layout in which structures see a weight.

    Weights without a rule have the default axes, `last_axes`.

    Args:
        layer: the built layer that owns the weight.
        variable: the weight.

    Returns:
        The layout from the weight's axes to [positions, inputs, units].
    """
    shape = tuple(variable.shape)
    for found, compressed in connections.of_layer(layer).values():
        if found is variable:
            shape = tuple(compressed.shape)
    rule = rule_of(layer)

    axes: Axes | Callable[[Any, int], Axes] = last_axes
    if scales.scale_of(layer) is variable:
        axes = Axes((), (0,))
    elif rule is not None and any(
        _weight(layer, attribute) is variable for attribute in rule.weights
    ):
        axes = rule.axes

    if not isinstance(axes, Axes):
        axes = axes(layer, len(shape))

    inputs, units = (_from_the_front(group, len(shape)) for group in axes)
    return axes_layout(shape, inputs, units)


def _may_have_mask(variable: Any) -> bool:
    """Returns whether a weight has axes, each of a size that stays.

    Boundaries that `Discretization` of tf_keras learns can be of any number.
    """
    shape = tf.TensorShape(variable.shape)
    return shape.is_fully_defined() and len(shape) > 1


def _weight(layer: Any, attribute: str) -> Any:
    """Returns the weight in an attribute, None if the layer has none."""
    compressed = connections.of_layer(layer).get(attribute)
    if compressed is not None:
        return compressed[0]
    if getattr(layer, "lora_enabled", False):
        # The attribute itself returns the sum of the weight and its adapters.
        weight = getattr(layer, f"_{attribute}", None)
        if weight is not None:
            return weight
    return getattr(layer, attribute, None)


def _from_the_front(axes: Sequence[int], rank: int) -> list[int]:
    return [axis + rank if axis < 0 else axis for axis in axes]


def _by_name(variables: list[Any]) -> dict[str, Any]:
    """Names weights uniquely by the last part of the variable's name."""
    named: dict[str, Any] = {}
    for variable in variables:
        name = variable.name.rpartition("/")[2].partition(":")[0]
        named[name if name not in named else f"{name}_{len(named)}"] = variable
    return named


def summed_axes(layer: Any, rank: int) -> Axes:
    """Returns the axes of an einsum kernel: the summed axes are inputs."""
    operands, output = layer.equation.split("->")
    kernel = operands.split(",")[1]
    summed = [axis for axis in range(rank) if kernel[axis] not in output]
    return Axes(summed, [axis for axis in range(rank) if axis not in summed])


def _local_axes(layer: Any, rank: int) -> Axes:
    """Returns the axes of a locally connected layer by its implementation.

    1: (positions, inputs of a patch, filters). 2: the axes of the input, then
    those of the output. 3: a list of single connections.
    """
    if layer.implementation == 2:
        return Axes(range(rank // 2), range(rank // 2, rank))
    return last_axes(layer, rank)


_KERNEL = LayerRule(("kernel",))
_POINTWISE = LayerRule(("pointwise_kernel",))
_CELL = LayerRule(("kernel", "recurrent_kernel"))
_LOCAL = LayerRule(("kernel",), _local_axes)
# Kernels are (h, w, out, in).
_TRANSPOSED = LayerRule(("kernel",), Axes([-1], [-2]))
# Kernels are (h, w, in, multiplier); each pair of channel and multiplier is a
# unit with one input. Opt-in because they have few elements for the work they
# do. Keras 3 names the weight `kernel`, Keras 2 `depthwise_kernel`.
_DEPTHWISE = LayerRule(
    ("depthwise_kernel", "kernel"), Axes([], [-2, -1]), opt_in=True
)

# Rules of the layer classes of both Kerases, by name. A user's subclass has the
# rule of its base.
RULES: dict[str, LayerRule] = {
    "Dense": _KERNEL,
    "EinsumDense": LayerRule(("kernel",), summed_axes),
    "Conv1D": _KERNEL,
    "Conv2D": _KERNEL,
    "Conv3D": _KERNEL,
    "Conv1DTranspose": _TRANSPOSED,
    "Conv2DTranspose": _TRANSPOSED,
    "Conv3DTranspose": _TRANSPOSED,
    "SeparableConv1D": _POINTWISE,
    "SeparableConv2D": _POINTWISE,
    "DepthwiseConv1D": _DEPTHWISE,
    "DepthwiseConv2D": _DEPTHWISE,
    # Only in tf_keras.
    "LocallyConnected1D": _LOCAL,
    "LocallyConnected2D": _LOCAL,
    "SimpleRNNCell": _CELL,
    "GRUCell": _CELL,
    "LSTMCell": _CELL,
    # Opt-in because a batch uses few of its rows.
    "Embedding": LayerRule(("embeddings",), opt_in=True),
}

# Rules of users' classes.
_registered: dict[type, LayerRule] = {}
