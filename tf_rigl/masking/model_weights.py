"""All weights of a model, sparse or dense, found by one walk."""

import collections
import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.core.kernel_layout import KernelLayout
from tf_rigl.masking import layer_rules
from tf_rigl.masking import masked_weight
from tf_rigl.masking import tree
from tf_rigl.masking.deferred import complete


@dataclasses.dataclass(frozen=True)
class WalkedModel:
    """A model with its flavor and its layers, found by one walk."""

    model: Any  # a model of either Keras
    flavor: flavors.Flavor  # the model's
    nodes: tuple[tree.Node, ...]  # its layers, in the order of `tree.walk`
    is_built: bool  # whether all layers were built during the walk

    @property
    def layers(self) -> list[Any]:
        """The layers, parents before their children."""
        return [node.layer for node in self.nodes]


@dataclasses.dataclass(frozen=True)
class ModelWeight:
    """One weight of a model, sparse or dense."""

    path: str  # readable and unique within the model
    owner: Any  # the layer whose weight it is
    variable: Any  # the Keras variable
    _raw: tf.Variable  # the TensorFlow variable behind it
    record: masked_weight.MaskedWeight | None  # None if it has no mask
    may_be_sparse: bool  # False for biases and the like

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the weight, of its present value where sizes are open."""
        if self.record is not None:
            return self.record.shape
        if self._raw.shape.is_fully_defined():
            return tuple(self._raw.shape)
        return tuple(self._raw.numpy().shape)

    @property
    def dtype(self) -> tf.DType:
        """Data type of the values."""
        return self._raw.dtype

    @property
    def variables(self) -> tuple[tf.Variable, ...]:
        """The variables that a traced graph captures.

        Under a strategy, each is the variable with all of its replicas.
        """
        if self.record is None:
            return (self._raw,)
        return self.record.storage.variables

    def values(self) -> np.ndarray:
        """Returns the current values, with zeros at masked positions."""
        if self.record is None:
            return self._raw.numpy()
        return self.record.values().numpy()

    def set_values(self, values: np.ndarray) -> None:
        """Sets the values; masked positions become zero."""
        if self.record is None:
            self._raw.assign(values)
        else:
            self.record.set_values(values)

    @property
    def layout(self) -> KernelLayout | None:
        """The layout of inputs and units; None if it is never sparse."""
        if not self.may_be_sparse:
            return None
        return layer_rules.kernel_layout(self.owner, self.variable)

    @property
    def channel_axis(self) -> int:
        """The axis of the units; the last axis if units span several."""
        last = len(self.shape) - 1
        layout = self.layout
        if layout is None or not layout.permutation:
            return last

        axis = layout.permutation[-1]
        whole = layout.kernel_shape[axis] == layout.shape[2]
        return axis if whole else last


def walk_model(model: Any) -> WalkedModel:
    """Walks the layers of a model of either Keras, built or not.

    Raises:
        TypeError: if `model` is a model of neither Keras.
    """
    flavor = flavors.model_flavor(model)
    nodes = tuple(tree.walk(flavor, model))
    return WalkedModel(
        model, flavor, nodes, all(node.layer.built for node in nodes)
    )


def model_weights(walked: WalkedModel) -> list[ModelWeight]:
    """Returns all weights of a model without duplicates, in layer order.

    The model must be built by now. If it was not built when it was walked, it
    is walked again, because building creates layers.

    Raises:
        ValueError: if the model was sparsified but is not built yet.
    """
    flavor = walked.flavor
    complete(walked.model)
    nodes = walked.nodes
    if not walked.is_built:
        nodes = tuple(tree.walk(flavor, walked.model))

    records = {
        id(record.variable): record
        for record in masked_weight.find_masked_weights(flavor, nodes)
    }
    found: dict[int, ModelWeight] = {}
    for node in nodes:
        for name, variable, may_be_sparse in _named_weights(flavor, node.layer):
            if id(variable) in found or not flavor.has_value(variable):
                continue
            record = records.get(id(variable))
            path = "/".join((*node.path, name))
            found[id(variable)] = ModelWeight(
                path=path if record is None else record.path,
                owner=node.layer,
                variable=variable,
                _raw=flavor.raw(variable),
                record=record,
                may_be_sparse=may_be_sparse,
            )
    for record in records.values():
        record.guard.settle()
    return list(found.values())


def _named_weights(
    flavor: flavors.Flavor, layer: Any
) -> Iterator[tuple[str, Any, bool]]:
    """Yields a layer's own weights as (name, variable, may be sparse).

    The names are unique within the layer.
    """
    attributes = {
        id(variable): name
        for name, variable in layer_rules.sparsifiable_weights(layer).items()
    }

    counts: collections.Counter[str] = collections.Counter()
    for variable in flavor.own_weights(layer):
        last = variable.name.rpartition("/")[2].partition(":")[0]
        name = attributes.get(id(variable), last)
        number = counts[name]
        counts[name] += 1
        yield (
            f"{name}_{number}" if number else name,
            variable,
            id(variable) in attributes,
        )
