"""Recurrent layers whose cells compute with their active connections.

The inputs of all steps are multiplied at once, before the loop over time, which
stays that of Keras. What a layer hands to its cell are then the products, and
the zeros of `sparse_recurrence` behind them.
"""

import contextlib
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.backend import instance_methods
from tf_rigl.backend import recurrent_steps
from tf_rigl.backend import sparse_ops
from tf_rigl.backend.sparse_recurrence import Recurrence
from tf_rigl.masking import matrix_layers
from tf_rigl.masking import tree
from tf_rigl.masking.connections import of_layer

KERNEL, RECURRENT = "kernel", "recurrent_kernel"
# The recurrent layers and their cells.
_LAYERS = {"SimpleRNN": "SimpleRNNCell", "GRU": "GRUCell", "LSTM": "LSTMCell"}
# Attribute of a cell within a call of its layer.
_CALL = "_tf_rigl_recurrent_call"
# Flags of layers by which Keras would compute all steps in one call of its own.
_OWN_LOOPS = {"use_cudnn": False, "_could_use_gpu_kernel": False}


class _Gates(NamedTuple):
    """A cell as its step sees it: products have its biases already."""

    activation: Any
    recurrent_activation: Any
    reset_after: bool
    use_bias: bool = False


class _Call(NamedTuple):
    """What a cell needs in the steps of one call."""

    step: Callable[..., list[tf.Tensor]]
    gated: int  # see `Recurrence.watch`
    recurrence: Recurrence | None  # None if that kernel is dense


class RecurrentCell:
    """Mixin for the class of a cell that computes with connections."""

    @tf.autograph.experimental.do_not_convert
    def call(self, inputs: Any, states: Any, *args: Any, **kwargs: Any) -> Any:
        """Computes a step from products, or else by the dense kernels."""
        call: _Call | None = vars(self).get(_CALL)
        if call is None:
            plain = type(self)._tf_rigl_uncompressed_class  # type: ignore[attr-defined]
            return plain.call(self, inputs, states, *args, **kwargs)

        def repeat(state: tf.Tensor) -> tf.Tensor:
            if call.recurrence is None:
                kernel: Any = getattr(self, RECURRENT)
                product = tf.matmul(state, tf.cast(kernel, state.dtype))
                return product + tf.cast(_biases(self)[1], state.dtype)
            product = call.recurrence.multiply(tf.cast(state, tf.float32))
            return tf.cast(product, state.dtype)

        more = {}
        if call.gated:
            sizes = [inputs.shape[-1] - call.gated, call.gated]
            inputs, more["zeros"] = tf.split(inputs, sizes, -1)
        is_nested = isinstance(states, (list, tuple))
        before = list(states) if is_nested else [states]
        after = call.step(_gates(self), inputs, repeat, before, **more)
        return after[0], after if is_nested else after[0]


def layer_of_cell(model: Any, cell: Any) -> Any:
    """Returns the layer of a model that runs a cell, None if there is none."""
    flavor = flavors.flavor_of(cell)
    for node in tree.walk(flavor, model):
        if getattr(node.layer, "cell", None) is cell:
            return node.layer
    return None


def obstacle(model: Any, cell: Any, attribute: str) -> str | None:
    """Returns why a kernel of a cell cannot be stored by its connections."""
    layer = layer_of_cell(model, cell)
    kind = None if layer is None else _kind_of(layer)
    if kind is None or attribute not in (KERNEL, RECURRENT):
        return matrix_layers.NO_MATRIX
    if cell.dropout or cell.recurrent_dropout:
        return "its cell has dropout"
    if getattr(layer, "time_major", False):
        return "its layer has time_major"
    if attribute == KERNEL:
        return None
    if cell.recurrent_constraint is not None:
        return "it has a constraint"
    if cell.recurrent_regularizer is not None:
        return "its regularizer looks at the dense kernel"
    if kind == "GRU" and not cell.reset_after:
        return "without reset_after its gates multiply different states by it"
    return None


def is_cell_class(flavor: flavors.Flavor, cls: type) -> bool:
    """Returns whether a plain class computes what a cell of Keras does."""
    return _kind_of_cell(flavor, cls) is not None


def put(host: Any) -> None:
    """Makes the layers below a host hand products to compressed cells."""
    for node in list(tree.walk(flavors.flavor_of(host), host)):
        cell = getattr(node.layer, "cell", None)
        is_there = "call" in vars(node.layer).get(instance_methods.OWN, {})
        if cell is not None and of_layer(cell) and not is_there:
            instance_methods.override(node.layer, "call", _call)


def remove(host: Any) -> None:
    """Undoes `put`."""
    for node in tree.walk(flavors.flavor_of(host), host):
        call = vars(node.layer).get("call")
        if getattr(call, "func", None) is _call:
            instance_methods.restore(node.layer, "call")


def _kind_of_cell(flavor: flavors.Flavor, cls: type) -> str | None:
    layers = flavor.keras.layers
    for name in _LAYERS.values():
        if issubclass(cls, getattr(layers, name)):
            return name if _has_call_of(cls, layers, name) else None
    return None


def _kind_of(layer: Any) -> str | None:
    """Returns the class of a layer whose loop and cell are those of Keras."""
    flavor = flavors.flavor_of(layer)
    layers = flavor.keras.layers
    cls = flavors.plain_class(layer)
    for name in _LAYERS:
        if issubclass(cls, getattr(layers, name)):
            is_own = _has_call_of(cls, layers, name) and is_cell_class(
                flavor, flavors.plain_class(layer.cell)
            )
            return name if is_own else None
    return None


def _has_call_of(cls: type, layers: Any, name: str) -> bool:
    return getattr(cls, "call", None) is getattr(layers, name).call


@tf.autograph.experimental.do_not_convert
def _call(
    layer: Any, own: Callable[..., Any], inputs: Any, *args: Any, **kwargs: Any
) -> Any:
    """Calls a recurrent layer with products in the place of its inputs."""
    cell = layer.cell
    connections = of_layer(cell)
    kind = _kind_of(layer)
    if (
        not connections
        or kind is None
        or not isinstance(inputs, tf.Tensor)
        or inputs.shape.rank != 3
        or args
    ):
        return own(inputs, *args, **kwargs)

    products = _multiply_inputs(cell, inputs)
    recurrence, gated = None, 0
    if RECURRENT in connections:
        _, one = connections[RECURRENT]
        values = tf.cast(tf.convert_to_tensor(one.values), tf.float32)
        recurrence = Recurrence(
            values, one.tensors(), _biases(cell)[1], one.observer
        )
        gated = cell.units if kind == "GRU" else 0
        width = products.shape[-1] + gated
        products = recurrence.watch(products, gated)
        products.set_shape([*inputs.shape[:2], width])

    first = _first_state(layer, inputs, kwargs.get("initial_state"))
    call = _Call(recurrent_steps.STEPS[_LAYERS[kind]], gated, recurrence)
    with _within(layer, call):
        result = own(tf.cast(products, layer.compute_dtype), **kwargs)
    if recurrence is None:
        return result
    return _remember(layer, recurrence, first, result, kwargs.get("mask"))


def _gates(cell: Any) -> _Gates:
    return _Gates(
        cell.activation,
        getattr(cell, "recurrent_activation", None),
        getattr(cell, "reset_after", False),
    )


def _biases(cell: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the biases of the products by inputs and by states, float32."""
    kind = _kind_of_cell(flavors.flavor_of(cell), flavors.plain_class(cell))
    gates = {"GRUCell": 3, "LSTMCell": 4}.get(kind or "", 1)
    zeros = tf.zeros([gates * cell.units])
    if not cell.use_bias:
        return zeros, zeros
    bias = tf.cast(tf.convert_to_tensor(cell.bias), tf.float32)
    if bias.shape.rank == 1:
        return bias, zeros
    return bias[0], bias[1]


def _multiply_inputs(cell: Any, inputs: tf.Tensor) -> tf.Tensor:
    """Returns the products of all steps, float32 [B, steps, gates · units]."""
    flat = tf.reshape(tf.cast(inputs, tf.float32), [-1, inputs.shape[-1]])
    found = of_layer(cell).get(KERNEL)
    if found is None:
        kernel = tf.cast(
            tf.convert_to_tensor(getattr(cell, KERNEL)), tf.float32
        )
        flat = tf.matmul(flat, kernel)
    else:
        _, one = found
        flat = sparse_ops.spmm(
            flat,
            tf.cast(tf.convert_to_tensor(one.values), tf.float32),
            one.tensors(),
            _biases(cell)[0],
            one.observer,
        )
    shape = tf.concat([tf.shape(inputs)[:2], [flat.shape[-1]]], 0)
    products = tf.reshape(flat, shape)
    products.set_shape([*inputs.shape[:2], flat.shape[-1]])
    return products


@contextlib.contextmanager
def _within(layer: Any, call: _Call) -> Iterator[None]:
    """Makes Keras loop over the cell, and return all outputs if needed."""
    own = vars(layer)
    changed = {key: value for key, value in _OWN_LOOPS.items() if key in own}
    if call.recurrence is not None:
        # So that outputs are the states after each step.
        changed.update(return_sequences=True, zero_output_for_mask=False)
    before = {key: own[key] for key in changed}
    own.update(changed)
    vars(layer.cell)[_CALL] = call
    try:
        yield
    finally:
        del vars(layer.cell)[_CALL]
        own.update(before)


def _first_state(layer: Any, inputs: tf.Tensor, given: Any) -> tf.Tensor:
    """Returns what the first step multiplies, float32 [B, units]."""
    if given is None and layer.stateful:
        given = layer.states
    if isinstance(given, (list, tuple)):
        given = given[0]
    if given is None:
        return tf.zeros([tf.shape(inputs)[0], layer.cell.units])
    return tf.cast(tf.convert_to_tensor(given), tf.float32)


def _remember(
    layer: Any,
    recurrence: Recurrence,
    first: tf.Tensor,
    result: Any,
    mask: Any,
) -> Any:
    """Sets the states before each step, and returns what the layer would."""
    has_more = isinstance(result, (list, tuple))
    outputs = result[0] if has_more else result
    before = tf.concat(
        [first[:, None], tf.cast(outputs[:, :-1], tf.float32)], 1
    )
    # The gradient of the zeros is in the order of the inputs.
    recurrence.before = (
        tf.reverse(before, [1]) if layer.go_backwards else before
    )

    if mask is not None and layer.zero_output_for_mask:
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        seen = tf.cast(mask, tf.bool)[:, :, None]
        seen = tf.reverse(seen, [1]) if layer.go_backwards else seen
        outputs = tf.where(seen, outputs, tf.zeros_like(outputs))
    output = outputs if layer.return_sequences else outputs[:, -1]
    return type(result)([output, *result[1:]]) if has_more else output
