"""The record through which the library accesses a masked weight."""

import dataclasses
import math
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.algorithms.scales import scale_of
from tf_rigl.backend import flavor as flavors
from tf_rigl.core.dice import Dice
from tf_rigl.core.kernel_layout import KernelLayout
from tf_rigl.core.structures import Structure
from tf_rigl.masking import masked_layer
from tf_rigl.masking import state_store
from tf_rigl.masking import tree
from tf_rigl.masking.deferred import complete
from tf_rigl.masking.layer_config import config_of
from tf_rigl.masking.layer_rules import followers
from tf_rigl.masking.layer_rules import kernel_layout
from tf_rigl.masking.mask_store import ATTRIBUTE
from tf_rigl.masking.storage import Storage
from tf_rigl.masking.value_guard import ValueGuard


@dataclasses.dataclass(frozen=True)
class MaskedWeight:
    """A masked weight: its values, its mask and what belongs to them.

    Values and masks are dense tensors of the weight's shape, whichever storage
    is used. Apart from the optimizer's own step, `set_mask` and `set_values`
    are the only ways to change them.
    """

    path: str  # readable and unique within the model
    key: str  # stable across runs; seeds random numbers
    host: Any  # the layer that owns the mask
    host_key: str  # key of the weight within that layer
    owner: Any  # the layer whose weight it is
    variable: Any  # the Keras variable that optimizers train
    storage: Storage  # values and mask
    guard: ValueGuard  # masks the values after writes by others
    # int64 [3]: mask updates, moved connections, skipped updates.
    counters: tf.Variable
    structure: Structure
    layout: KernelLayout | None  # layout for the structure; None for no change
    state: dict[str, tf.Variable]  # state of the method, by name
    # Recorded history of its mask, by name; see `mask_history`.
    diagnostics: dict[str, tf.Variable]
    # Variables with the same mask, which nobody ranks.
    followers: tuple["MaskedWeight", ...] = ()
    is_follower: bool = False  # whether it is one of those

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the weight."""
        return self.storage.shape

    @property
    def dtype(self) -> tf.DType:
        """Data type of the values."""
        return self.storage.dtype

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def fan_in(self) -> int:
        """Number of elements of each unit, masked ones included."""
        positions, inputs, _ = kernel_layout(self.owner, self.variable).shape
        return positions * inputs

    @property
    def target(self) -> int:
        """Number of connections allotted to it, by `sparsify` at first."""
        return config_of(self.host).weights[self.host_key].target

    @property
    def is_scale(self) -> bool:
        """True if its elements scale channels of a normalization layer."""
        return scale_of(self.owner) is self.variable

    @property
    def least(self) -> int:
        """Number of connections below which `prune` and methods do not go.

        A layer without a channel passes nothing on and cannot be cut.
        """
        return int(self.is_scale)

    @property
    def stays_dense(self) -> bool:
        """True if the user named it as `dense` to `sparsify`."""
        return config_of(self.host).weights[self.host_key].stays_dense

    @property
    def dice(self) -> Dice | None:
        """How its values were drawn, if known; they may have changed since."""
        return config_of(self.host).weights[self.host_key].dice

    @property
    def is_trainable(self) -> bool:
        """True if neither the weight nor its layer is frozen."""
        return bool(self.variable.trainable and self.owner.trainable)

    @property
    def is_sparse(self) -> bool:
        """True if it has or will have zeros: by its target or by its mask."""
        return self.target < self.size or self.num_active() < self.size

    @property
    def mask(self) -> tf.Tensor:
        """The current mask, bool, true where a connection is active."""
        return self.storage.mask

    def values(self) -> tf.Tensor:
        """Returns the current values, with zeros at masked positions."""
        return self.storage.values()

    def num_active(self) -> int:
        """Returns the number of active connections."""
        return self.storage.num_active

    def set_mask(self, mask: Any, values: Any = None) -> None:
        """Changes the mask, and the values with it.

        Optimizer slots of positions that become masked are zeroed, at once if
        an optimizer is attached, else by the next `fit` or `attach`. The
        method's state does not change. The caller must ensure that the mask has
        the weight's structure.

        Args:
            mask: bool array or tensor of the weight's shape, true where
                connections become active.
            values: array or tensor of the weight's shape with the new values of
                active connections. By default, they keep their values, and new
                connections start at zero. Masked positions become zero.

        Raises:
            ValueError: if `mask` has another shape or dtype, or `values` has
                another shape.
        """
        mask = self.checked_mask(mask)
        if values is not None and not tf.is_tensor(values):
            values = np.asarray(values)
        if values is not None and values.shape != self.shape:
            raise ValueError(
                "`values` must have the shape of the weight. Received: values "
                f"of shape {tuple(values.shape)} for {self.path!r} of shape "
                f"{self.shape}. Pass one for each position."
            )

        self.storage.set(mask, values)
        if self.guard.is_guarding():
            self.guard.tell()

    def checked_mask(self, mask: Any) -> Any:
        """Returns a mask as an array or tensor that fits the weight.

        Raises:
            ValueError: if it has another shape or dtype.
        """
        if not tf.is_tensor(mask):
            mask = np.asarray(mask)
        if tf.as_dtype(mask.dtype) != tf.bool or mask.shape != self.shape:
            raise ValueError(
                "`mask` must be bool and have the shape of the weight. "
                f"Received: mask of shape {tuple(mask.shape)} and dtype "
                f"{tf.as_dtype(mask.dtype).name} for {self.path!r} of shape "
                f"{self.shape}. `array != 0` is the mask of an array."
            )
        return mask

    def set_target(self, target: int) -> None:
        """Changes the number of connections allotted to the weight.

        It is saved with the model. A method that prunes to it sees the new
        number from the next `fit` or `attach` on.
        """
        weights = config_of(self.host).weights
        before = weights[self.host_key]
        initial = before.initial_target
        weights[self.host_key] = dataclasses.replace(
            before,
            target=target,
            initial_target=before.target if initial is None else initial,
        )

    def set_dice(self, dice: Dice | None) -> None:
        """Records how its values were drawn, which is saved with the model."""
        weights = config_of(self.host).weights
        weights[self.host_key] = dataclasses.replace(
            weights[self.host_key], dice=dice
        )

    def set_values(self, values: Any) -> None:
        """Sets the values of active connections; all others become zero."""
        self.storage.set_values(values)

    def view(self, tensor: tf.Tensor) -> tf.Tensor:
        """Converts a tensor of the weight's shape to the structure's view."""
        return tensor if self.layout is None else self.layout.view(tensor)

    def unview(self, tensor: tf.Tensor) -> tf.Tensor:
        """Converts a tensor in the structure's view to the weight's shape."""
        return tensor if self.layout is None else self.layout.unview(tensor)


def masked_weights(model: Any) -> list[MaskedWeight]:
    """Returns the records of a model's masked weights in a fixed order.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if the model was sparsified but is not built yet.
    """
    flavor = flavors.model_flavor(model)
    complete(model)
    return find_masked_weights(flavor, list(tree.walk(flavor, model)))


def settled_weights(model: Any) -> list[MaskedWeight]:
    """Returns `masked_weights` after masking all values again.

    This covers writes that bypass Python, such as an assignment in a user's
    graph.
    """
    records = masked_weights(model)
    for record in records:
        record.guard.settle()
    return records


def find_masked_weights(
    flavor: flavors.Flavor, nodes: Sequence[tree.Node]
) -> list[MaskedWeight]:
    """Returns the records of the masked weights among walked layers."""
    found: dict[int, MaskedWeight] = {}

    for index, node in enumerate(nodes):
        store = getattr(node.layer, ATTRIBUTE, None)
        if store is None:
            continue

        sites = tree.sites_of(flavor, tree.subtree(nodes, index))
        if not set(store.masks) <= {site.key for site in sites}:
            # The walk visited a sublayer of this layer elsewhere before.
            sites = tree.sites(flavor, node.layer)

        for site in sites:
            if site.key in store.masks and id(site.variable) not in found:
                found[id(site.variable)] = _record(flavor, node, site, store)

    return list(found.values())


def require_masked_weights(model: Any) -> list[MaskedWeight]:
    """Returns the masked weights of a model; there must be at least one.

    Raises:
        ValueError: if the model has no masked weights.
    """
    records = masked_weights(model)
    if not records:
        raise ValueError(
            "The model must have masked weights. "
            f"Received: model={model.name!r}, which is dense. "
            "Call `tf_rigl.sparsify(model, sparsity)` first."
        )
    return records


def check_stored_masked(records: list[MaskedWeight], action: str) -> None:
    """Raises a ValueError if weights are stored by their connections.

    Args:
        records: the masked weights of a model.
        action: a verb for what needs dense variables, for the error.
    """
    paths = [record.path for record in records if record.storage.is_compressed]
    if paths:
        raise ValueError(
            f"To {action} needs weights stored as dense matrices. Received: a "
            f"model with storage='compressed' for {paths}. Call "
            "`tf_rigl.store_masked(model)` first."
        )


def masks(model: Any, *, sparse: bool = False) -> dict[str, Any]:
    """Returns the masks of a model.

    Args:
        model: a model that `sparsify` has masked, of either Keras.
        sparse: whether to return the positions of the active connections in
            place of dense masks, which for `storage="compressed"` may be far
            larger than the model: an object with `positions`, `nnz`, `shape`,
            `nonzero()` and `to_dense()` for each weight.

    Returns:
        A bool array of the weight's shape for each masked weight, by the
        weight's path; true at active connections. Empty for a dense model.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if the model was sparsified but is not built yet.
    """
    return {
        record.path: record.storage.sparse_mask()
        if sparse
        else record.mask.numpy()
        for record in masked_weights(model)
    }


def _record(
    flavor: flavors.Flavor, node: tree.Node, site: tree.Site, store: Any
) -> MaskedWeight:
    """Returns the record of one weight of a host layer."""
    config = config_of(node.layer)
    weight = config.weights[site.key]
    kept = state_store.state_of(node.layer, site.key)

    record = MaskedWeight(
        path="/".join((*node.path, site.path)),
        key="/".join((*node.key, site.key)),
        host=node.layer,
        host_key=site.key,
        owner=site.owner,
        variable=site.variable,
        storage=masked_layer.storage_of(node.layer, site.key, site.variable),
        guard=masked_layer.guard_of(node.layer, site.key),
        counters=store.counters[site.key],
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
    return dataclasses.replace(
        record, followers=tuple(_followers(record, site))
    )


def _followers(record: MaskedWeight, site: tree.Site) -> Iterator[MaskedWeight]:
    """Yields the records of the variables that follow a weight."""
    for name, guard in record.guard.followers.items():
        variable = followers(site.owner, site.variable)[name]
        yield dataclasses.replace(
            record,
            path=tree.beside(record.path, name),
            key=tree.beside(record.key, name),
            variable=variable,
            storage=masked_layer.following_storage(
                record.host, record.host_key, variable
            ),
            guard=guard,
            state={},
            diagnostics={},
            is_follower=True,
        )
