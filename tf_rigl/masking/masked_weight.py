"""One record for each masked weight: all that the rest of the code sees."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.core.kernel_layout import KernelLayout
from tf_rigl.core.structures import Structure
from tf_rigl.masking import state_store
from tf_rigl.masking import tree
from tf_rigl.masking.deferred import complete
from tf_rigl.masking.layer_config import config_of
from tf_rigl.masking.mask_store import ATTRIBUTE
from tf_rigl.masking.masked_layer import guard_of
from tf_rigl.masking.masked_layer import storage_of
from tf_rigl.masking.storage import Storage
from tf_rigl.masking.value_guard import ValueGuard


@dataclasses.dataclass(frozen=True)
class MaskedWeight:
    """A masked weight, its values, mask and counters.

    Values and masks are seen as dense tensors of the weight's shape, whatever
    `storage` keeps. `set_mask` and `set_values` are the only ways to change
    them but the optimizer's own step.
    """

    path: str  # readable and unique within the model
    key: str  # stable; random numbers depend on it
    host: Any  # the layer that keeps its mask
    host_key: str  # its key within that layer
    owner: Any  # the layer whose weight it is
    variable: Any  # the Keras variable that optimizers train
    storage: Storage  # values and mask
    guard: ValueGuard  # of the values, against whoever writes them
    # [3] int64: updates, moved connections, updates left out.
    counters: tf.Variable
    target: int  # number of connections that `sparsify` allotted
    structure: Structure
    layout: KernelLayout | None  # None: seen as it is
    state: dict[str, tf.Variable]  # what the method remembers, by name
    # What is recorded of its mask updates, by name; see `mask_history`.
    diagnostics: dict[str, tf.Variable]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the weight."""
        return self.storage.shape

    @property
    def dtype(self) -> tf.DType:
        """Data type of its values."""
        return self.storage.dtype

    @property
    def size(self) -> int:
        """Number of its elements."""
        return math.prod(self.shape)

    @property
    def is_trainable(self) -> bool:
        """Whether neither the weight nor its layer is frozen."""
        return bool(self.variable.trainable and self.owner.trainable)

    @property
    def is_sparse(self) -> bool:
        """Whether it is to be sparse, or is by the mask that was loaded."""
        return self.target < self.size or self.num_active() < self.size

    @property
    def mask(self) -> tf.Tensor:
        """The present mask, bool, true where a connection is active."""
        return self.storage.mask

    def values(self) -> tf.Tensor:
        """Returns the present values, zeros where they are masked."""
        return self.storage.values()

    def num_active(self) -> int:
        """Counts the active connections."""
        return int(np.count_nonzero(self.mask.numpy()))

    def set_mask(self, mask: Any, values: Any = None) -> None:
        """Changes the mask, and the values with it.

        Slots of an optimizer and what a method remembers stay as they are;
        the next `fit` or `attach` masks the slots. So call it between the two,
        or `detach` first: an attached optimizer would go on with the momentum
        of positions that are masked now. That the mask has the structure of
        the weight is up to the caller.

        Args:
            mask: bool array or tensor of the weight's shape, true where a
                connection is to be active.
            values: array or tensor of the weight's shape, what active
                connections hold from now on; by default what they hold
                already, zero for those that are new. Others become zero.

        Raises:
            ValueError: if `mask` has another shape or dtype, or `values`
                another shape.
        """
        if not tf.is_tensor(mask):
            mask = np.asarray(mask)
        if tf.as_dtype(mask.dtype) != tf.bool or mask.shape != self.shape:
            raise ValueError(
                "`mask` must be bool and have the shape of the weight. "
                f"Received: mask of shape {tuple(mask.shape)} and dtype "
                f"{tf.as_dtype(mask.dtype).name} for {self.path!r} of shape "
                f"{self.shape}. Compare with 0 for the mask of an array."
            )

        if values is not None and not tf.is_tensor(values):
            values = np.asarray(values)
        if values is not None and values.shape != self.shape:
            raise ValueError(
                "`values` must have the shape of the weight. Received: values "
                f"of shape {tuple(values.shape)} for {self.path!r} of shape "
                f"{self.shape}. Pass one for each position."
            )

        self.storage.set(mask, values)

    def set_values(self, values: Any) -> None:
        """Changes the values of active connections; others become zero."""
        self.storage.set_values(values)

    def view(self, tensor: tf.Tensor) -> tf.Tensor:
        """Returns a tensor of the weight's shape as its structure sees it."""
        return tensor if self.layout is None else self.layout.view(tensor)

    def unview(self, tensor: tf.Tensor) -> tf.Tensor:
        """Returns a structure's tensor in the weight's shape."""
        return tensor if self.layout is None else self.layout.unview(tensor)


def masked_weights(model: Any) -> list[MaskedWeight]:
    """Returns the records of all masked weights of a model, in a fixed order.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if the model is to be sparsified but not built yet.
    """
    flavor = flavors.model_flavor(model)
    complete(model)
    return find_masked_weights(flavor, list(tree.walk(flavor, model)))


def settled_weights(model: Any) -> list[MaskedWeight]:
    """Returns the records as `masked_weights` does, all values masked.

    What was written past Python's methods, by an operation in a graph of the
    user's own for example, is masked by now.
    """
    records = masked_weights(model)
    for record in records:
        record.guard.settle()
    return records


def find_masked_weights(
    flavor: flavors.Flavor, nodes: Sequence[tree.Node]
) -> list[MaskedWeight]:
    """Finds the masked weights of a model's layers, in the order of a walk."""
    found: dict[int, MaskedWeight] = {}

    for index, node in enumerate(nodes):
        store = getattr(node.layer, ATTRIBUTE, None)
        if store is None:
            continue

        sites = tree.sites_of(flavor, tree.subtree(nodes, index))
        if not set(store.masks) <= {site.key for site in sites}:
            # The walk met a layer within this one somewhere else before.
            sites = tree.sites(flavor, node.layer)

        for site in sites:
            if site.key in store.masks and id(site.variable) not in found:
                found[id(site.variable)] = _record(flavor, node, site, store)

    return list(found.values())


def require_masked_weights(model: Any) -> list[MaskedWeight]:
    """Returns the masked weights of a model that must have some.

    Raises:
        ValueError: if the model has none.
    """
    records = masked_weights(model)
    if not records:
        raise ValueError(
            "The model must have masked weights. "
            f"Received: model={model.name!r}, which is dense. "
            "Call `tf_rigl.sparsify(model, sparsity)` first."
        )
    return records


def masks(model: Any) -> dict[str, np.ndarray]:
    """Returns the masks of a model.

    Args:
        model: a model that `sparsify` has masked, of either Keras.

    Returns:
        A bool array of the weight's shape for each masked weight, by the
        weight's path, true where a connection is. Empty for a dense model.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if the model is to be sparsified but not built yet.
    """
    return {
        record.path: record.mask.numpy() for record in masked_weights(model)
    }


def _record(
    flavor: flavors.Flavor, node: tree.Node, site: tree.Site, store: Any
) -> MaskedWeight:
    config = config_of(node.layer)
    weight = config.weights[site.key]
    kept = state_store.state_of(node.layer, site.key)

    return MaskedWeight(
        path="/".join((*node.path, site.path)),
        key="/".join((*node.key, site.key)),
        host=node.layer,
        host_key=site.key,
        owner=site.owner,
        variable=site.variable,
        storage=storage_of(node.layer, site.key, site.variable),
        guard=guard_of(node.layer, site.key),
        counters=store.counters[site.key],
        target=weight.target,
        structure=config.structure,
        layout=weight.layout,
        state={
            name: variable
            for name, variable in kept.items()
            if not name.startswith(state_store.DIAGNOSTIC)
        },
        diagnostics={
            name: variable
            for name, variable in kept.items()
            if name.startswith(state_store.DIAGNOSTIC)
        },
    )
