"""Layers that compute with their active connections alone.

The layer remains the same object. Its class is replaced by a subclass whose
`call` multiplies by the connections and whose kernel attribute makes the dense
weight when somebody reads it; the variable of the kernel is replaced by that of
the values, in the same place among the layer's weights.
"""

import contextlib
import functools
import math
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.backend import sparse_convolution
from tf_rigl.backend import sparse_ops
from tf_rigl.backend.sparse_convolution import Window
from tf_rigl.masking import announced
from tf_rigl.masking import compressed_cells
from tf_rigl.masking import matrix_layers
from tf_rigl.masking.connections import ATTRIBUTE
from tf_rigl.masking.connections import Connections
from tf_rigl.masking.connections import of_layer
from tf_rigl.masking.stored_arrays import StoredArray


class CompressedLayer:
    """Mixin for the class of a layer that computes with connections."""

    @tf.autograph.experimental.do_not_convert
    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Multiplies by the connections, or else by the dense weight."""
        if not isinstance(inputs, tf.Tensor) or inputs.shape.rank is None:
            # Sparse and ragged inputs.
            return super().call(inputs, *args, **kwargs)  # type: ignore[misc]
        _, connections = of_layer(self)[matrix_layers.KERNEL]
        matrix: Any = matrix_layers.matrix_of(self)
        return _multiply(self, matrix, connections, inputs)

    def __dir__(self) -> list[str]:
        """Lists the attributes but the kernels, which are made when read.

        Keras reads all that are listed when it saves or loads a model.
        """
        return [
            name for name in super().__dir__() if name not in of_layer(self)
        ]

    def save_own_variables(self, store: Any) -> None:
        """Saves the weight as a dense array, as a masked one."""
        for index, (variable, connections) in enumerate(_own(self)):
            if connections is None:
                store[str(index)] = variable.numpy()
            else:
                connections.write_values(store, str(index))

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Loads the weight from a dense array."""
        own = _own(self)
        if len(store.keys()) != len(own):
            raise ValueError(
                "A file must hold the weights of this layer. Received: "
                f"{len(store.keys())} arrays for {self.name!r}, which "  # type: ignore[attr-defined]
                f"has {len(own)} weights."
            )
        for index, (variable, connections) in enumerate(own):
            if connections is None:
                variable.assign(store[str(index)])
            else:
                connections.load_values(StoredArray(store, str(index)))


def compress(
    layer: Any, connections: Connections, attribute: str = matrix_layers.KERNEL
) -> Any:
    """Replaces a built layer's dense kernel by its active connections.

    Returns:
        The Keras variable of the values.
    """
    flavor = flavors.flavor_of(layer)
    kernel = getattr(layer, attribute)
    is_announced = attribute == matrix_layers.KERNEL
    announced_values = announced.take(layer) if is_announced else None
    if announced_values is None:
        flat = tf.reshape(tf.convert_to_tensor(flavor.raw(kernel)), [-1])
        values = tf.gather(flat, connections.positions())
    else:
        values = announced_values.at(connections.positions().numpy())

    variable = flavor.variable_like(kernel, values)
    connections.values = flavor.raw(variable)
    put_connections(layer, variable, connections, attribute)
    return variable


def put_connections(
    layer: Any,
    variable: Any,
    connections: Connections,
    attribute: str = matrix_layers.KERNEL,
) -> None:
    """Makes a layer with a dense kernel compute with connections."""
    flavor = flavors.flavor_of(layer)
    old = getattr(layer, attribute)
    flavor.replace_kernel(layer, old, variable, attribute)
    found = vars(layer).setdefault(ATTRIBUTE, {})
    found[attribute] = variable, connections
    _set_class(layer)


def decompress(layer: Any, attribute: str = matrix_layers.KERNEL) -> Any:
    """Undoes `compress`; returns the Keras variable of the dense kernel."""
    flavor = flavors.flavor_of(layer)
    values, connections = vars(layer)[ATTRIBUTE].pop(attribute)
    kernel = flavor.variable_like(values, connections.dense())
    _set_class(layer)
    flavor.replace_kernel(layer, values, kernel, attribute)
    return kernel


@contextlib.contextmanager
def with_unset_kernels(layer: Any) -> Iterator[None]:
    """Makes a layer a dense one without values within a `with` block."""
    flavor = flavors.flavor_of(layer)
    found = vars(layer).pop(ATTRIBUTE)
    flavors.set_class(layer, type(layer)._tf_rigl_uncompressed_class)
    for attribute, (values, connections) in found.items():
        kernel = flavor.unset_like(values, tuple(connections.shape))
        flavor.replace_kernel(layer, values, kernel, attribute)
    try:
        yield
    finally:
        for attribute, (values, connections) in found.items():
            put_connections(layer, values, connections, attribute)


def _set_class(layer: Any) -> None:
    """Makes a layer of the class that its connections need."""
    cls: type = type(layer)
    plain = getattr(cls, "_tf_rigl_uncompressed_class", cls)
    attributes = tuple(vars(layer)[ATTRIBUTE])
    if not attributes:
        del vars(layer)[ATTRIBUTE]
    flavors.set_class(
        layer, compressed_class(plain, attributes) if attributes else plain
    )


@functools.cache
def compressed_class(
    cls: type, attributes: tuple[str, ...] = (matrix_layers.KERNEL,)
) -> type:
    """Returns the subclass of a class whose instances use connections.

    Args:
        cls: the class of a layer.
        attributes: those whose weights are stored by their connections.
    """
    flavor = flavors.class_flavor(cls)
    plain = getattr(cls, "_tf_rigl_plain_class", cls)
    mixins: tuple[type, ...] = (CompressedLayer,)
    if compressed_cells.is_cell_class(flavor, plain):
        mixins = (compressed_cells.RecurrentCell, CompressedLayer)
    subclass = type(
        cls.__name__,
        (*mixins, cls),
        {
            "__doc__": cls.__doc__,
            "__module__": cls.__module__,
            "_tf_rigl_plain_class": plain,
            "_tf_rigl_uncompressed_class": cls,
            **{name: property(_dense(name)) for name in attributes},
            # Keras 3 then leaves XLA out, which has no kernels for it.
            "supports_jit": property(lambda layer: False),
        },
    )
    if hasattr(cls, "_tf_rigl_plain_class"):
        flavor.register(subclass)
    return subclass


def _dense(attribute: str) -> Callable[[Any], tf.Tensor]:
    """Returns what makes a dense weight, a new tensor each time."""

    def make(layer: Any) -> tf.Tensor:
        variable, connections = of_layer(layer)[attribute]
        return connections.dense(flavors.flavor_of(layer).raw(variable))

    return make


def _own(layer: Any) -> list[tuple[Any, Connections | None]]:
    """Returns a layer's own variables, with the connections of the kernel."""
    flavor = flavors.flavor_of(layer)
    known = {
        id(variable): connections
        for variable, connections in of_layer(layer).values()
    }
    return [
        (variable, known.get(id(variable)))
        for variable in flavor.own_weights(layer)
    ]


def _multiply(
    layer: Any,
    matrix: matrix_layers.Matrix,
    connections: Connections,
    inputs: tf.Tensor,
) -> tf.Tensor:
    """Computes a layer's outputs, with sums in float32."""
    dtype = tf.as_dtype(layer.compute_dtype)
    inputs = matrix.prepare(inputs)
    bias = layer.bias
    outputs_size = connections.matrix_shape[1]
    is_fused = bias is not None and math.prod(bias.shape) == outputs_size
    multiply = (
        _product
        if matrix.window is None
        else functools.partial(_convolution, matrix.window)
    )
    outputs = multiply(
        matrix,
        connections,
        tf.cast(inputs, tf.float32),
        tf.cast(tf.convert_to_tensor(connections.values), tf.float32),
        tf.cast(tf.reshape(tf.convert_to_tensor(bias), [-1]), tf.float32)
        if is_fused
        else tf.zeros([outputs_size]),
    )

    outputs = tf.cast(outputs, dtype)
    if bias is not None and not is_fused:
        outputs += tf.cast(tf.convert_to_tensor(bias), dtype)
    return outputs if layer.activation is None else layer.activation(outputs)


def _product(
    matrix: matrix_layers.Matrix,
    connections: Connections,
    inputs: tf.Tensor,
    values: tf.Tensor,
    bias: tf.Tensor,
) -> tf.Tensor:
    """Multiplies the last axes of inputs."""
    outer = inputs.shape.rank - matrix.input_rank
    flat = sparse_ops.spmm(
        tf.reshape(inputs, [-1, connections.matrix_shape[0]]),
        values,
        connections.tensors(),
        bias,
        connections.observer,
    )
    sizes = matrix.output_shape
    return _with_outer_axes(flat, inputs, outer, sizes, sizes)


def _convolution(
    window: Window,
    matrix: matrix_layers.Matrix,
    connections: Connections,
    inputs: tf.Tensor,
    values: tf.Tensor,
    bias: tf.Tensor,
) -> tf.Tensor:
    """Multiplies windows of inputs [..., height, width, channels]."""
    outer = inputs.shape.rank - matrix.space - 1
    size = [
        known if known is not None else tf.shape(inputs)[outer + axis]
        for axis, known in enumerate(inputs.shape[outer:])
    ]
    count = tf.reduce_prod(tf.shape(inputs)[:outer])
    space = [1, *size][-3:]
    found = sparse_convolution.convolve(
        tf.reshape(inputs, [count, *space]),
        values,
        connections.tensors(),
        bias,
        window,
        connections.observer,
    )
    axes = slice(3 - matrix.space, None)
    return _with_outer_axes(
        found, inputs, outer, tf.shape(found)[axes], found.shape[axes]
    )


def _with_outer_axes(
    found: tf.Tensor, inputs: tf.Tensor, outer: int, sizes: Any, known: Any
) -> tf.Tensor:
    """Gives outputs the first `outer` axes of the inputs.

    Args:
        found: the outputs, with one axis in the place of these.
        inputs: what they were computed of.
        outer: number of axes.
        sizes: those of the other axes, integers or tensors.
        known: the same as far as they are known.
    """
    shape = tf.concat([tf.shape(inputs)[:outer], sizes], 0)
    outputs = tf.reshape(found, shape)
    outputs.set_shape([*inputs.shape[:outer], *known])
    return outputs
