"""The binding to Keras 3 with the TensorFlow backend."""

import contextlib
import inspect
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.utils import naming

from tf_rigl.backend import flavor
from tf_rigl.backend import unset_variables
from tf_rigl.masking.bindings import registration
from tf_rigl.masking.mask_store import mask_store_class
from tf_rigl.masking.masked_layer import masked_class
from tf_rigl.masking.state_store import state_store_class
from tf_rigl.masking.store import store_class

Store = store_class(keras)


class Keras3(flavor.Flavor):
    """Implementation of `Flavor` for `keras`."""

    name = "keras3"
    keras = keras
    mask_store_class = mask_store_class(Store)
    state_store_class = state_store_class(Store)
    # Excluded are Adagrad, whose accumulator starts above zero, Ftrl, for the
    # same reason and because it computes 0 / 0 at zero accumulators, and Muon,
    # which orthogonalizes the update.
    zero_preserving = frozenset(
        "SGD Adam AdamW Adamax Adadelta RMSprop Nadam Lion Lamb "
        "ScheduleFreeAdamW".split()
    )

    def reset_names(self) -> None:
        # `clear_session`, which is public, forgets precision policies, too.
        naming.reset_uids()

    def is_optimizer(self, thing: Any) -> bool:
        return isinstance(thing, keras.optimizers.Optimizer)

    def raw(self, variable: Any) -> tf.Variable:
        is_keras = isinstance(variable, keras.Variable)
        return variable.value if is_keras else variable

    def written_variable(self, variable: Any) -> Any:
        # Only optimizers write the TensorFlow variable behind it.
        return variable

    def has_value(self, variable: Any) -> bool:
        return getattr(variable, "_value", None) is not None

    def attach_child(self, layer: Any, name: str, child: Any) -> None:
        # A built layer is locked against new children. A store is safe to add
        # because the layer does not compute with it.
        locked = layer._tracker.locked
        layer._tracker.unlock()
        setattr(layer, name, child)
        if locked:
            layer._tracker.lock()

    def detach_child(self, layer: Any, name: str) -> None:
        child = getattr(layer, name)
        locked = layer._tracker.locked
        layer._tracker.unlock()
        layer._tracker.untrack(child)
        delattr(layer, name)
        if locked:
            layer._tracker.lock()

    def add_unset_weight(
        self,
        add_weight: Callable[..., Any],
        shape: Sequence[int],
        dtype: tf.DType,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> Any:
        variable = super().add_unset_weight(
            add_weight, shape, dtype, args, kwargs
        )
        if not self.has_value(variable):

            def initialize(initializer: Any) -> None:
                # In a stateless scope, Keras puts off all initial values.
                del initializer
                variable._initialize(
                    unset_variables.make(shape, dtype, variable.name)
                )

            variable._initialize_with_initializer = initialize
        return variable

    def swap_weights(
        self,
        layer: Any,
        removed: Mapping[str, Any],
        values: Mapping[str, np.ndarray],
        regularizer: Any,
    ) -> list[Any]:
        first = next(iter(removed.values()))
        own, index = flavor.place_of(
            first, layer._trainable_variables, layer._non_trainable_variables
        )
        is_trainable = own is layer._trainable_variables
        before = [*own[:index]]
        locked = layer._tracker.locked
        layer._tracker.unlock()

        for name, variable in removed.items():
            layer._untrack_variable(variable)
            attribute = self._attribute(layer, name)
            layer._delete_tracking(attribute)
            # Not `delattr`, by which Keras would collect all garbage.
            vars(layer).pop(attribute)

        added = []
        with contextlib.ExitStack() as stack:
            for part in first.path.split("/")[:-2]:
                stack.enter_context(keras.name_scope(part))
            for name, value in values.items():
                variable = layer.add_weight(
                    shape=value.shape,
                    initializer=flavor.fixed_initializer(value),
                    dtype=first.dtype,
                    trainable=is_trainable,
                    regularizer=regularizer,
                    name=name,
                )
                variable.trainable = first.trainable
                setattr(layer, self._attribute(layer, name), variable)
                added.append(variable)

        others = [one for one in own[index:] if not flavor.contains(added, one)]
        own[:] = [*before, *added, *others]
        if locked:
            layer._tracker.lock()
        return added

    @staticmethod
    def _attribute(layer: Any, name: str) -> str:
        """Returns where a weight is: a property reads a private attribute."""
        is_property = any(
            isinstance(vars(cls).get(name), property)
            for cls in type(layer).__mro__
        )
        return f"_{name}" if is_property else name

    def variable_like(self, old: Any, values: tf.Tensor) -> Any:
        with tf.init_scope():
            new = keras.Variable(
                values, dtype=old.dtype, trainable=old.trainable, name=old.name
            )
        new._path = old.path
        new.regularizer = old.regularizer
        return new

    def unset_like(self, old: Any, shape: Sequence[int]) -> Any:
        unset = unset_variables.make(
            shape, tf.as_dtype(old.dtype), old.name, old.trainable
        )
        return self.variable_like(old, unset)

    def replace_kernel(
        self, layer: Any, old: Any, new: Any, name: str = "kernel"
    ) -> None:
        # Appended, it would change the order of the layer's weights.
        for store, (_, stored) in layer._tracker.config.items():
            if layer._tracker.is_in_store(store, old):
                index = [one is old for one in stored].index(True)
                stored[index] = new
                layer._tracker.stored_ids[store].remove(id(old))
                layer._tracker.stored_ids[store].add(id(new))
        if f"_{name}" in vars(layer):
            setattr(layer, f"_{name}", new)
        else:
            vars(layer)[name] = new

    def set_constraint(
        self, variable: Any, constraint: flavor.Constraint | None
    ) -> None:
        # The setter of older versions requires a subclass of `Constraint`.
        variable._constraint = constraint

    def gather(self, features: Any, indices: list[int], axis: int) -> Any:
        return keras.ops.take(features, indices, axis=axis)

    def serialize(self, layer: Any) -> dict[str, Any]:
        config = keras.saving.serialize_keras_object(layer)
        for name in ("build_config", "compile_config"):
            config.pop(name, None)
        return config

    def deserialize(self, config: dict[str, Any]) -> Any:
        return keras.saving.deserialize_keras_object(config)

    def register(self, cls: type) -> None:
        registration.register(keras, cls)

    def can_assign(self) -> bool:
        # Inside a stateless scope Keras only announces variables.
        return not keras.src.backend.common.stateless_scope.in_stateless_scope()

    def updating_optimizers(self, optimizer: Any) -> list[Any]:
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            return self.updating_optimizers(optimizer.inner_optimizer)
        multi = getattr(keras.optimizers, "MultiOptimizer", None)
        if multi is not None and isinstance(optimizer, multi):
            return list(optimizer.optimizers)
        return [optimizer]

    apply_method = "apply"
    apply_all_method = "_backend_update_step"

    def applied_variables(self, *args: Any) -> list[Any]:
        gradients, variables = args[0], args[1]
        return [
            variable
            for gradient, variable in zip(gradients, variables, strict=True)
            if gradient is not None
        ]

    def optimizer_is_built(self, optimizer: Any) -> bool:
        return bool(optimizer.built)

    def variable_index(self, optimizer: Any, variable: Any) -> int | None:
        return optimizer._trainable_variables_indices.get(
            optimizer._var_key(variable)
        )

    def accumulation_steps(self, optimizer: Any) -> int:
        return optimizer.gradient_accumulation_steps or 1

    def own_weights(self, layer: Any) -> list[Any]:
        return [*layer._trainable_variables, *layer._non_trainable_variables]

    def remembered_inputs(self, model: Any) -> flavor.Inputs | None:
        structure = getattr(model, "_inputs_struct", None)
        if structure is not None:
            return (structure,), {}
        if isinstance(model, keras.Sequential):
            return (tuple(model.inputs), {}) if model.built else None
        shapes = model._build_shapes_dict
        return _by_arguments(model, shapes) if shapes else None

    def optimizer_state(self, optimizer: Any) -> list[Any]:
        return list(optimizer.variables)


def _by_arguments(model: Any, shapes: dict[str, Any]) -> flavor.Inputs:
    """Returns shapes that a model was built with as arguments of its `call`.

    By default Keras keeps that of the first argument, and for a `build` of
    several arguments one for each, called after an argument of `call`.
    """
    named = {name.removesuffix("_shape"): one for name, one in shapes.items()}
    names = list(inspect.signature(model.call).parameters)
    if len(shapes) == 1 or not set(named) <= set(names):
        return tuple(shapes.values()), {}

    arguments = []
    for name in names:
        if name not in named:
            break
        arguments.append(named.pop(name))
    return tuple(arguments), named


FLAVOR = Keras3()
# If `tf_rigl` was not imported, Keras 3.6 imports the module that a file names
# and looks up the registered name there.
globals()[registration.REGISTERED_NAME] = masked_class(keras.layers.Layer)
