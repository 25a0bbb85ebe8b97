"""The binding to Keras 2, package `tf_keras`."""

import functools
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from tf_rigl.backend import flavor
from tf_rigl.backend import unset_variables
from tf_rigl.masking import masked_array
from tf_rigl.masking.bindings import registration
from tf_rigl.masking.mask_store import mask_store_class
from tf_rigl.masking.masked_layer import masked_class
from tf_rigl.masking.masked_layer import variables_beside
from tf_rigl.masking.state_store import state_store_class
from tf_rigl.masking.store import store_class

Store = store_class(tf_keras)


class Keras2(flavor.Flavor):
    """Implementation of `Flavor` for `tf_keras`."""

    name = "keras2"
    keras = tf_keras
    mask_store_class = mask_store_class(Store)
    state_store_class = state_store_class(Store)
    # Excluded are Adagrad, whose accumulator starts above zero, and Ftrl, for
    # the same reason and because it computes 0 / 0 at zero accumulators.
    zero_preserving = frozenset(
        "SGD Adam AdamW Adamax Adadelta RMSprop Nadam Lion".split()
    )

    def reset_names(self) -> None:
        self.keras.backend.reset_uids()

    def is_optimizer(self, thing: Any) -> bool:
        return isinstance(
            thing,
            (
                tf_keras.optimizers.Optimizer,
                tf_keras.optimizers.legacy.Optimizer,
            ),
        )

    def raw(self, variable: Any) -> tf.Variable:
        # Under mixed precision, reads of the wrapper may be casts.
        is_autocast = type(variable).__name__.startswith("AutoCast")
        return variable._variable if is_autocast else variable

    def written_variable(self, variable: Any) -> Any:
        return self.raw(variable)

    def given_array(self, value: Any) -> Any:
        # Keras has converted it with `np.asarray`, which returns a view.
        return masked_array.base_of(value)

    def has_value(self, variable: Any) -> bool:
        # A vocabulary stands among weights as a handler of its table.
        return isinstance(variable, tf.Variable)

    def attach_child(self, layer: Any, name: str, child: Any) -> None:
        setattr(layer, name, child)

    def detach_child(self, layer: Any, name: str) -> None:
        delattr(layer, name)
        # Keras does not untrack it for TensorFlow's checkpoints.
        layer._delete_tracking(name)

    def swap_weights(
        self,
        layer: Any,
        removed: Mapping[str, Any],
        values: Mapping[str, np.ndarray],
        regularizer: Any,
    ) -> list[Any]:
        first = next(iter(removed.values()))
        own, index = flavor.place_of(
            first, layer._trainable_weights, layer._non_trainable_weights
        )
        is_trainable = own is layer._trainable_weights
        before = [*own[:index]]

        for name, variable in removed.items():
            delattr(layer, name)
            layer._delete_tracking(name)
            # The loss of its regularizer.
            layer._callable_losses = [
                loss
                for loss in layer._callable_losses
                if not _is_of(loss, variable)
            ]

        added = []
        scope = first.name.rpartition("/")[0]
        with tf.name_scope(f"{scope}/" if scope else ""):
            for name, value in values.items():
                variable = layer.add_weight(
                    name,
                    shape=value.shape,
                    initializer=flavor.fixed_initializer(value),
                    dtype=self.raw(first).dtype,
                    trainable=is_trainable,
                    regularizer=regularizer,
                )
                setattr(layer, name, variable)
                added.append(variable)

        own = layer._trainable_weights
        if not is_trainable:
            own = layer._non_trainable_weights
        gone = [*added, *removed.values()]
        others = [one for one in own if not flavor.contains(gone, one)][index:]
        own[:] = [*before, *added, *others]
        return added

    def variable_like(self, old: Any, values: tf.Tensor) -> Any:
        raw = self.raw(old)
        with tf.init_scope():
            return tf.Variable(
                values,
                trainable=raw.trainable,
                name=raw.name.partition(":")[0],
            )

    def unset_like(self, old: Any, shape: Sequence[int]) -> Any:
        raw = self.raw(old)
        return unset_variables.make(
            shape, raw.dtype, raw.name.partition(":")[0], raw.trainable
        )

    def replace_kernel(
        self, layer: Any, old: Any, new: Any, name: str = "kernel"
    ) -> None:
        # Keras keeps the place among the layer's weights.
        setattr(layer, name, new)
        for index, tagged in enumerate(layer._callable_losses):
            loss: Any = tagged.args[0] if getattr(tagged, "args", ()) else None
            if getattr(loss, "args", (None,))[0] is old:
                layer._callable_losses[index] = functools.partial(
                    tagged.func, functools.partial(loss.func, new)
                )

    def set_constraint(
        self, variable: Any, constraint: flavor.Constraint | None
    ) -> None:
        # TensorFlow only accepts a constraint at construction. A mirrored
        # variable returns the constraint of its primary component, one on a
        # parameter server that of the variable it wraps.
        raw = self.raw(variable)
        for component in ("_primary", "_v"):
            raw = getattr(raw, component, raw)
        raw._constraint = constraint

    def gather(self, features: Any, indices: list[int], axis: int) -> Any:
        return tf.gather(features, indices, axis=axis)

    def serialize(self, layer: Any) -> dict[str, Any]:
        # Not `serialize_keras_object`: while Keras writes an HDF5 file or a
        # SavedModel, it returns the cached result of the first call for a
        # layer, and this call is the second one.
        return {
            "class_name": tf_keras.saving.get_registered_name(type(layer)),
            "config": layer.get_config(),
        }

    def deserialize(self, config: dict[str, Any]) -> Any:
        return tf_keras.layers.deserialize(config)

    def register(self, cls: type) -> None:
        registration.register(tf_keras, cls)

    def can_assign(self) -> bool:
        return True

    def updating_optimizers(self, optimizer: Any) -> list[Any]:
        inner = getattr(optimizer, "inner_optimizer", None)
        return [optimizer] if inner is None else [inner]

    def unsupported_optimizer(self, optimizer: Any) -> str | None:
        if isinstance(optimizer, tf_keras.optimizers.legacy.Optimizer):
            return (
                "optimizers of `tf_keras.optimizers.legacy` have no "
                "`update_step`; use the one of the same name in "
                "`tf_keras.optimizers`"
            )
        return super().unsupported_optimizer(optimizer)

    apply_method = "apply_gradients"
    apply_all_method = "_internal_apply_gradients"

    def applied_variables(self, *args: Any) -> list[Any]:
        return [
            variable for gradient, variable in args[0] if gradient is not None
        ]

    def optimizer_is_built(self, optimizer: Any) -> bool:
        return hasattr(optimizer, "_index_dict")

    def variable_index(self, optimizer: Any, variable: Any) -> int | None:
        return optimizer._index_dict.get(optimizer._var_key(variable))

    def accumulation_steps(self, optimizer: Any) -> int:
        return 1

    def own_weights(self, layer: Any) -> list[Any]:
        weights = [*layer._trainable_weights, *layer._non_trainable_weights]
        return list(filter(self.has_value, weights))

    def remembered_inputs(self, model: Any) -> flavor.Inputs | None:
        specification = model.save_spec()
        if specification is not None:
            arguments, keywords = specification
            return tuple(arguments), dict(keywords)
        shape = model._build_input_shape
        return None if shape is None else ((shape,), {})

    def random_state(self, model: Any) -> list[Any]:
        # tf_keras deliberately does not track random generators.
        randoms = [
            getattr(layer, "_random_generator", None)
            for layer in model._flatten_layers()
        ]
        return [
            random._generator.state
            for random in randoms
            if random is not None and random._generator is not None
        ]

    def optimizer_state(self, optimizer: Any) -> list[Any]:
        # `optimizer.variables` lacks the learning rate and the loss scale.
        return [
            part
            for part in tf.train.TrackableView(optimizer).descendants()
            if isinstance(part, tf.Variable)
        ]


def _is_of(loss: Any, variable: Any) -> bool:
    """Returns whether a loss, partials within partials, is of a variable."""
    return any(
        one is variable or _is_of(one, variable)
        for one in getattr(loss, "args", ())
    )


class _LoadedWeights(list[Any]):
    """Arrays of a layer in an HDF5 file, of which `dense` are its own weights.

    The variables of stores are recognized by names without a scope.
    """

    dense: list[Any]


def _legacy_weights(layer: Any) -> list[Any]:
    """Returns a layer's weights for HDF5 files, including store variables.

    These files only contain lists of weights. The order of masks in them is the
    same in all versions.
    """
    return [*layer.trainable_weights, *_other_weights(layer)]


def _other_weights(layer: Any) -> list[Any]:
    if flavor.is_container(layer) and layer.trainable:
        return [
            weight for child in layer.layers for weight in _other_weights(child)
        ]
    return [*layer.non_trainable_weights, *variables_beside(layer)]


def _keep_masks_in_hdf5_files() -> None:
    """Replaces three functions of Keras, which has no hook for this."""
    from tf_keras.src.saving.legacy import hdf5_format

    dense_weights = hdf5_format._legacy_weights
    own_load = hdf5_format.load_subset_weights_from_hdf5_group

    def legacy_weights(layer: Any) -> list[Any]:
        dense_weights(layer)  # An error for what such files cannot hold.
        return _legacy_weights(layer)

    own_preprocess = hdf5_format.preprocess_weights_for_loading

    def load_subset(group: Any) -> _LoadedWeights:
        """Loads arrays and tells those of the layer from those of stores."""
        weights = _LoadedWeights(own_load(group))
        names = hdf5_format.load_attributes_from_hdf5_group(
            group, "weight_names"
        )
        weights.dense = [
            weight
            for weight, name in zip(weights, names, strict=True)
            if "/" in name
        ]
        return weights

    def preprocess(
        layer: Any, weights: list[Any], *args: Any, **kwargs: Any
    ) -> list[Any]:
        """Adapts the arrays of a file to the weights that a layer has.

        A file of a sparse layer has arrays of masks, which a dense layer lacks,
        and the other way around.
        """
        own, dense = _legacy_weights(layer), dense_weights(layer)
        if len(own) == len(dense):
            if isinstance(weights, _LoadedWeights) and (
                len(weights) > len(weights.dense) == len(dense)
            ):
                # A dense layer loads the file of a sparse one.
                weights = weights.dense
            return own_preprocess(layer, weights, *args, **kwargs)

        # Keras's own preprocessing counts the weights of nested models, which
        # fails with masks. It serves old formats, which have no masks.
        if len(weights) == len(dense):
            # A sparse layer loads the file of a dense one and keeps its masks.
            loaded = dict(zip(map(id, dense), weights, strict=True))
            return [
                loaded[id(weight)] if id(weight) in loaded else weight.numpy()
                for weight in own
            ]
        return weights

    hdf5_format._legacy_weights = legacy_weights
    hdf5_format.load_subset_weights_from_hdf5_group = load_subset
    hdf5_format.preprocess_weights_for_loading = preprocess


_keep_masks_in_hdf5_files()
FLAVOR = Keras2()
# Defined under the registered name for the same reason as in `keras3.py`.
globals()[registration.REGISTERED_NAME] = masked_class(tf_keras.layers.Layer)
