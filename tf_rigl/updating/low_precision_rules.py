"""What layers and optimizers do in low precision, in place of their own.

The `call` of each layer with a kernel quantizes what the layer reads and the
gradient of it, the `update_step` of the optimizer what it takes and leaves.
"""

import functools
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.backend import instance_methods
from tf_rigl.masking import model_weights
from tf_rigl.masking import storage
from tf_rigl.updating import optimizer_hook
from tf_rigl.updating import slots
from tf_rigl.updating.quantizer import Quantizer


class LowPrecisionRules:
    """What `low_precision` has overridden for one model."""

    def __init__(
        self,
        flavor: flavors.Flavor,
        quantizer: Quantizer,
        layers: Mapping[str, Any],
        weights: list[model_weights.ModelWeight],
    ) -> None:
        self._flavor = flavor
        self._quantizer = quantizer
        self._layers = layers
        self._weights = weights  # trained or not, which may change
        self._rounded: set[str] = set()  # paths of those that were trained
        self._optimizer: Any = None
        # Optimizers with the attributes that they had of their own.
        self._installed: list[tuple[Any, dict[str, Any]]] = []

    def begin(self, model: Any, optimizer: Any) -> None:
        """Quantizes the weights and overrides methods of layers."""
        self.round_trained(model)
        for path, layer in self._layers.items():
            instance_methods.override(
                layer, "call", functools.partial(self._call, path)
            )
        self.train_by(optimizer)

    def round_trained(self, model: Any) -> None:
        """Quantizes weights that are trained, each one the first time."""
        raw = self._flavor.raw
        # Keras 2 notes at the layer alone that it is frozen.
        trained = {id(raw(one)) for one in model.trainable_variables}
        for weight in self._weights:
            is_trained = id(raw(weight.variable)) in trained
            if weight.path in self._rounded or not is_trained:
                continue
            self._rounded.add(weight.path)
            (drawn,) = self._quantizer.draw(
                f"{weight.path} start", 0, weight.shape, 1
            )
            values = self._quantizer.quantize(
                weight.values(), drawn, weight.channel_axis
            )
            weight.set_values(values.numpy())

    def end(self) -> None:
        """Undoes `begin`."""
        self.train_by(None)
        for layer in self._layers.values():
            instance_methods.restore(layer, "call")

    def train_by(self, optimizer: Any) -> None:
        """Overrides the update step of an optimizer, and of no other.

        Raises:
            ValueError: if the former optimizer is attached, since the hook
                there would go on with the step that it has found.
        """
        for one, before in self._installed:
            check_not_attached(one)
            for name, value in before.items():
                del one.__dict__[name]
                if value is not None:
                    one.__dict__[name] = value
        self._installed = []

        self._optimizer = optimizer
        if optimizer is None:
            return
        for one in self._flavor.updating_optimizers(optimizer):
            step = functools.partial(self._update_step, one, one.update_step)
            overrides: dict[str, Any] = {"update_step": step}
            if hasattr(one, "jit_compile"):
                # Keras 2 would compile the step of each variable separately.
                overrides["jit_compile"] = False
            # Not by `instance_methods`, which keeps one former method: the
            # rules of mask updates override the same.
            own = {name: one.__dict__.get(name) for name in overrides}
            self._installed.append((one, own))
            one.__dict__.update(overrides)

    @property
    def _step(self) -> Any:
        """The optimizer steps taken, an int64 scalar; 0 without optimizer."""
        if self._optimizer is None:
            return 0
        return tf.cast(
            tf.convert_to_tensor(self._optimizer.iterations), tf.int64
        )

    @tf.autograph.experimental.do_not_convert
    def _call(
        self, path: str, layer: Any, call: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """Calls a layer with its first argument quantized."""
        del layer

        def quantized(value: Any) -> Any:
            is_float = isinstance(value, tf.Tensor) and value.dtype.is_floating
            if not is_float:
                return value
            return self._quantizer.read(value, path, self._step)

        if args:
            args = (tf.nest.map_structure(quantized, args[0]), *args[1:])
        else:
            name = next(iter(kwargs))
            kwargs[name] = tf.nest.map_structure(quantized, kwargs[name])
        return call(*args, **kwargs)

    @tf.autograph.experimental.do_not_convert
    def _update_step(
        self, optimizer: Any, own: Any, gradient: Any, variable: Any, *args: Any
    ) -> None:
        """Takes the optimizer's step in low precision."""
        key = self._flavor.variable_key(optimizer, variable)
        weight = self._by_key(optimizer).get(key)
        if weight is None:
            own(gradient, variable, *args)
            return

        axis = weight.channel_axis
        quantize = self._quantizer.quantize
        of_gradient, of_momentum, of_weight = self._quantizer.draw(
            weight.path, self._step, weight.shape, 3
        )

        # The gradient of an embedding is `tf.IndexedSlices`.
        gradient = tf.convert_to_tensor(gradient)
        gradient.set_shape(variable.shape)
        own(quantize(gradient, of_gradient, axis), variable, *args)
        for slot in slots.slots_of_variable(
            self._flavor, optimizer, weight.variable
        ):
            if slots.is_momentum(optimizer, slot):
                storage.assign_unguarded(
                    slot, quantize(slot, of_momentum, axis)
                )
        storage.assign_unguarded(variable, quantize(variable, of_weight, axis))

    def _by_key(self, optimizer: Any) -> dict[str, model_weights.ModelWeight]:
        return {
            self._flavor.variable_key(optimizer, one.variable): one
            for one in self._weights
        }


def check_not_attached(optimizer: Any) -> None:
    """Raises a ValueError if the hook of mask updates is in an optimizer."""
    if optimizer_hook.installed(optimizer) is not None:
        raise ValueError(
            "The precision is set before an optimizer is attached. Received: "
            f"optimizer={optimizer.name!r}, which is. Call `tf_rigl.detach` "
            "first and attach it again after."
        )
