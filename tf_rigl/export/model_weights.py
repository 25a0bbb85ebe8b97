"""The weights of a model, as what is exported knows them."""

import dataclasses
from typing import Any

import tensorflow as tf

from tf_rigl.backend.flavor import Flavor
from tf_rigl.core.kernel_layout import KernelLayout
from tf_rigl.masking import tree
from tf_rigl.masking.layer_rules import kernel_layout
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.masking.weight_names import named_weights


@dataclasses.dataclass(frozen=True)
class ModelWeight:
    """One weight of a model, sparse or not."""

    path: str  # readable and unique within the model
    variable: Any  # the Keras variable
    raw: tf.Variable  # the TensorFlow variable behind it
    record: MaskedWeight | None  # None: it has no mask
    # Where its inputs and units are; None for what can never be sparse, such
    # as biases.
    layout: KernelLayout | None

    @property
    def channel_axis(self) -> int:
        """The axis of its units, the last one where there are several."""
        last = len(self.raw.shape) - 1
        if self.layout is None or not self.layout.permutation:
            return last
        axis = self.layout.permutation[-1]
        whole = self.layout.kernel_shape[axis] == self.layout.shape[2]
        return axis if whole else last


def model_weights(flavor: Flavor, model: Any) -> list[ModelWeight]:
    """All weights of a model, each once, in the order of its layers.

    Args:
        flavor: the model's.
        model: a model, sparse or not, built.

    Raises:
        ValueError: where the model is to be sparsified but not built yet.
    """
    records = {id(one.variable): one for one in masked_weights(model)}
    found: dict[int, ModelWeight] = {}
    for node in tree.walk(flavor, model):
        for name, variable, may_be_sparse in named_weights(flavor, node.layer):
            if id(variable) in found or not flavor.has_value(variable):
                continue
            record = records.get(id(variable))
            path = "/".join((*node.path, name))
            found[id(variable)] = ModelWeight(
                path=path if record is None else record.path,
                variable=variable,
                raw=flavor.raw(variable),
                record=record,
                layout=(
                    kernel_layout(node.layer, variable)
                    if may_be_sparse
                    else None
                ),
            )
    return list(found.values())
