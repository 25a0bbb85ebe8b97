"""Layers that compute with their active connections alone.

The layer remains the same object. Its class is replaced by a subclass whose
`call` multiplies by the connections and whose kernel attribute makes the dense
weight when somebody reads it; the variable of the kernel is replaced by that of
the values, in the same place among the layer's weights.
"""

import contextlib
import functools
import math
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.backend import sparse_ops
from tf_rigl.masking import announced
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
        """Lists the attributes but the kernel, which is made when it is read.

        Keras reads all that are listed when it saves or loads a model.
        """
        listed = super().__dir__()
        return [name for name in listed if name != matrix_layers.KERNEL]

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


def compress(layer: Any, connections: Connections) -> Any:
    """Replaces a built layer's dense kernel by its active connections.

    Returns:
        The Keras variable of the values.
    """
    flavor = flavors.flavor_of(layer)
    kernel = getattr(layer, matrix_layers.KERNEL)
    announced_values = announced.take(layer)
    if announced_values is None:
        flat = tf.reshape(tf.convert_to_tensor(flavor.raw(kernel)), [-1])
        values = tf.gather(flat, connections.positions())
    else:
        values = announced_values.at(connections.positions().numpy())

    variable = flavor.variable_like(kernel, values)
    connections.values = flavor.raw(variable)
    put_connections(layer, variable, connections)
    return variable


def put_connections(
    layer: Any, variable: Any, connections: Connections
) -> None:
    """Makes a layer with a dense kernel compute with connections."""
    flavor = flavors.flavor_of(layer)
    flavor.replace_kernel(layer, getattr(layer, matrix_layers.KERNEL), variable)
    vars(layer)[ATTRIBUTE] = {matrix_layers.KERNEL: (variable, connections)}
    cls: type = type(layer)
    flavors.set_class(layer, compressed_class(cls))


def decompress(layer: Any) -> Any:
    """Undoes `compress`; returns the Keras variable of the dense kernel."""
    flavor = flavors.flavor_of(layer)
    values, connections = vars(layer).pop(ATTRIBUTE)[matrix_layers.KERNEL]
    kernel = flavor.variable_like(values, connections.dense())
    flavors.set_class(layer, type(layer)._tf_rigl_uncompressed_class)
    flavor.replace_kernel(layer, values, kernel)
    return kernel


@contextlib.contextmanager
def with_unset_kernel(layer: Any) -> Iterator[None]:
    """Makes a layer a dense one without values within a `with` block."""
    flavor = flavors.flavor_of(layer)
    values, connections = vars(layer).pop(ATTRIBUTE)[matrix_layers.KERNEL]
    kernel = flavor.unset_like(values, tuple(connections.shape))
    flavors.set_class(layer, type(layer)._tf_rigl_uncompressed_class)
    flavor.replace_kernel(layer, values, kernel)
    try:
        yield
    finally:
        put_connections(layer, values, connections)


@functools.cache
def compressed_class(cls: type) -> type:
    """Returns the subclass of a class whose instances use connections."""
    flavor = flavors.class_flavor(cls)
    subclass = type(
        cls.__name__,
        (CompressedLayer, cls),
        {
            "__doc__": cls.__doc__,
            "__module__": cls.__module__,
            "_tf_rigl_plain_class": getattr(cls, "_tf_rigl_plain_class", cls),
            "_tf_rigl_uncompressed_class": cls,
            matrix_layers.KERNEL: property(_dense_kernel),
            # Keras 3 then leaves XLA out, which has no kernels for it.
            "supports_jit": property(lambda layer: False),
        },
    )
    if hasattr(cls, "_tf_rigl_plain_class"):
        flavor.register(subclass)
    return subclass


def _dense_kernel(layer: Any) -> tf.Tensor:
    """The dense weight, a tensor that is made anew each time."""
    variable, connections = of_layer(layer)[matrix_layers.KERNEL]
    return connections.dense(flavors.flavor_of(layer).raw(variable))


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
    inputs_size, outputs_size = connections.matrix_shape
    dtype = tf.as_dtype(layer.compute_dtype)
    inputs = matrix.prepare(inputs)
    outer = inputs.shape.rank - matrix.input_rank

    flat = tf.cast(tf.reshape(inputs, [-1, inputs_size]), tf.float32)
    bias = layer.bias
    is_fused = bias is not None and math.prod(bias.shape) == outputs_size
    flat = sparse_ops.spmm(
        flat,
        tf.cast(tf.convert_to_tensor(connections.values), tf.float32),
        connections.tensors(),
        tf.cast(tf.reshape(tf.convert_to_tensor(bias), [-1]), tf.float32)
        if is_fused
        else tf.zeros([outputs_size]),
        connections.observer,
    )

    shape = tf.concat([tf.shape(inputs)[:outer], matrix.output_shape], 0)
    outputs = tf.reshape(flat, shape)
    outputs.set_shape([*inputs.shape[:outer], *matrix.output_shape])
    outputs = tf.cast(outputs, dtype)
    if bias is not None and not is_fused:
        outputs += tf.cast(tf.convert_to_tensor(bias), dtype)
    return outputs if layer.activation is None else layer.activation(outputs)
