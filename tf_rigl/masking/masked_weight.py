"""One record for each masked weight: all that the rest of the code sees."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend.flavor import Flavor
from tf_rigl.backend.flavor import model_flavor
from tf_rigl.core import structures
from tf_rigl.core.kernel_layout import KernelLayout
from tf_rigl.core.structures import Structure
from tf_rigl.masking import tree
from tf_rigl.masking.deferred import complete
from tf_rigl.masking.initial_masks import layout_of
from tf_rigl.masking.mask_store import ATTRIBUTE
from tf_rigl.masking.state_store import DIAGNOSTIC
from tf_rigl.masking.state_store import state_of


@dataclasses.dataclass(frozen=True)
class MaskedWeight:
    """A masked weight, its mask and its counters."""

    path: str  # readable and unique within the model
    key: str  # stable; random numbers depend on it
    host: Any  # the layer that keeps its mask
    host_key: str  # its key within that layer
    owner: Any  # the layer whose weight it is
    variable: Any  # the Keras variable, float, zeros where masked
    raw: tf.Variable  # the TensorFlow variable behind it
    mask: tf.Variable  # its shape, bool, true where a connection is
    # [3] int64: updates, moved connections, updates left out.
    counters: tf.Variable
    target: int  # number of connections that `sparsify` allotted
    structure: Structure
    layout: KernelLayout | None  # None: seen as it is
    state: dict[str, tf.Variable]  # what the method remembers, by name
    # What is recorded of its mask updates, by name; see `recorder`.
    diagnostics: dict[str, tf.Variable]

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.raw.shape.num_elements()

    def view(self, tensor: tf.Tensor) -> tf.Tensor:
        """A tensor of the weight's shape, as its structure sees it."""
        return tensor if self.layout is None else self.layout.view(tensor)

    def unview(self, tensor: tf.Tensor) -> tf.Tensor:
        """The inverse of `view`."""
        return tensor if self.layout is None else self.layout.unview(tensor)

    def nonzeros(self) -> int:
        """Number of connections, counted."""
        return int(np.count_nonzero(self.mask.numpy()))


def masked_weights(model: Any) -> list[MaskedWeight]:
    """The records of all masked weights of a model, in a fixed order.

    Raises:
        TypeError: where `model` is a model of neither Keras.
        ValueError: where the model is to be sparsified but not built yet.
    """
    flavor = model_flavor(model)
    complete(model)
    return find_masked_weights(flavor, list(tree.walk(flavor, model)))


def find_masked_weights(
    flavor: Flavor, nodes: Sequence[tree.Node]
) -> list[MaskedWeight]:
    """Finds the masked weights of layers that a walk has found.

    Args:
        flavor: the layers'.
        nodes: all layers of a model, in the order of `tree.walk`.
    """
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
    """As `masked_weights`, for callers that need at least one.

    Raises:
        ValueError: where the model has none.
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
    """The masks of a model.

    Args:
        model: a model that `sparsify` has masked, of either Keras.

    Returns:
        A bool array of the weight's shape for each masked weight, by the
        weight's path, true where a connection is. Empty for a dense model.

    Raises:
        TypeError: where `model` is a model of neither Keras.
        ValueError: where the model is to be sparsified but not built yet.
    """
    return {
        record.path: record.mask.numpy() for record in masked_weights(model)
    }


def _record(
    flavor: Flavor, node: tree.Node, site: tree.Site, store: Any
) -> MaskedWeight:
    config = node.layer.__dict__["_tf_rigl_config"]
    weight = config["weights"][site.key]
    kept = state_of(node.layer, site.key)
    return MaskedWeight(
        path="/".join((*node.path, site.path)),
        key="/".join((*node.key, site.key)),
        host=node.layer,
        host_key=site.key,
        owner=site.owner,
        variable=site.variable,
        raw=flavor.raw(site.variable),
        mask=flavor.raw(store.masks[site.key]),
        counters=flavor.raw(store.counters[site.key]),
        target=weight["nonzeros"],
        structure=structures.deserialize(config["structure"]),
        layout=layout_of(weight),
        state={
            name: variable
            for name, variable in kept.items()
            if not name.startswith(DIAGNOSTIC)
        },
        diagnostics={
            name: variable
            for name, variable in kept.items()
            if name.startswith(DIAGNOSTIC)
        },
    )
