"""Kernels that are announced when a layer is built, before they have values.

A kernel that will be stored by its connections is never made as a dense matrix:
the layer's `build` makes a variable of its shape without memory, and
`compressed_layer` asks for the initial values where connections are. Those that
turn out to stay dense get all of theirs.

Only large kernels whose initial values can be computed block by block are
announced, others are made as usual.
"""

import math
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.backend import instance_methods
from tf_rigl.core import block_values
from tf_rigl.core.block_values import BlockValues
from tf_rigl.masking import matrix_layers

_VALUES = "_tf_rigl_announced_values"
_METHODS = ("add_weight", "build")
# Elements below which a kernel takes less memory than the graph that draws it.
SMALLEST = 2**14


def announce(layer: Any, after: Callable[[], None] | None = None) -> None:
    """Makes a layer announce its kernel when it is built.

    Nothing happens if it is built already or does not multiply by a matrix.

    Args:
        layer: a layer of either Keras.
        after: called when the layer has been built.
    """
    waits = isinstance(vars(layer).get("add_weight"), _AddWeight)
    if layer.built or waits or not matrix_layers.may_be_matrix(layer):
        return
    add_weight = _AddWeight(layer, layer.add_weight)
    instance_methods.put(layer, {"add_weight": add_weight})

    def build(layer: Any, own: Any, *args: Any, **kwargs: Any) -> None:
        own(*args, **kwargs)
        instance_methods.restore(layer, *_METHODS)
        if after is not None:
            after()

    instance_methods.override(layer, "build", build)


def take(layer: Any) -> BlockValues | None:
    """Returns the values of an announced kernel, once; None if it has some."""
    return vars(layer).pop(_VALUES, None)


def settle(layer: Any) -> None:
    """Gives an announced kernel all of its values."""
    values = take(layer)
    if values is not None:
        kernel = getattr(layer, matrix_layers.KERNEL)
        with tf.init_scope():
            flavors.flavor_of(layer).raw(kernel).assign(values.all())


class _AddWeight:
    """The `add_weight` of one layer, which announces its kernel."""

    def __init__(self, layer: Any, own: Callable[..., Any]) -> None:
        self._layer = layer
        self._own = own

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Adds a weight; the kernel is one without memory."""
        layer = self._layer
        flavor = flavors.flavor_of(layer)
        named = args[0] if args and isinstance(args[0], str) else None
        shape: Sequence[int] | None = kwargs.get("shape")
        is_kernel = kwargs.get("name", named) == matrix_layers.KERNEL
        if not is_kernel or shape is None or tf.distribute.has_strategy():
            return self._own(*args, **kwargs)

        initializer = flavor.keras.initializers.get(kwargs.get("initializer"))
        if math.prod(shape) < SMALLEST:
            return self._own(*args, **kwargs)
        dtype = tf.as_dtype(kwargs.get("dtype") or layer.dtype)
        with tf.init_scope():
            values = initializer and block_values.find(
                initializer, shape, dtype
            )
        if values is None:
            return self._own(*args, **kwargs)
        vars(layer)[_VALUES] = values
        return flavor.add_unset_weight(self._own, shape, dtype, args, kwargs)
