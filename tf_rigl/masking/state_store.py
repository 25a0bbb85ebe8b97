"""What is remembered of the masked weights of one layer, beside it.

Some methods need it: a smoothed gradient, the values of inactive positions.
Diagnostics keep which positions were ever active. It stands beside the store
of the masks and is saved with it.
"""

import contextlib
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.backend.distribution import strategy_of
from tf_rigl.masking import mask_store
from tf_rigl.masking.layer_config import config_of

# The attribute of a masked layer that holds its store; also the name in
# weights files and checkpoints.
STATE_ATTRIBUTE = "tf_rigl_state"

# Values from before training, which no other method may throw away.
INITIAL_VALUES = "initial_values"
# What the names of the tensors of diagnostics begin with; they stay as well.
DIAGNOSTIC = "diagnostic_"

# What a tensor is: its dtype, where it has the weight's shape, else its
# "dtype" and its "shape".
Kind = str | Mapping[str, Any]
# For each masked weight of a layer, by key: what each tensor is, by name.
Kinds = Mapping[str, Mapping[str, Kind]]


def state_store_class(base: type) -> type:
    """Makes the store's class for one Keras, given its `Store`."""

    class StateStore(base):
        """Tensors that belong to the masked weights of one layer.

        The arguments are those of `MaskStore` and `kinds`, for each weight
        what each tensor is, by name.

        Attributes:
            tensors: for each key the variables, by name.
        """

        tensors: dict[str, dict[str, Any]]

        def __init__(
            self, shapes: Mapping[str, Sequence[int]], kinds: Kinds, owner: str
        ) -> None:
            super().__init__(STATE_ATTRIBUTE, owner)
            tensors: dict[str, dict[str, Any]] = {}
            for index, key in enumerate(kinds):
                tensors[key] = {}
                for name, kind in kinds[key].items():
                    dtype, shape = _dtype_and_shape(kind, shapes[key])
                    tensors[key][name] = self.add(
                        f"{name}_{index}", shape, dtype, 0
                    )
            object.__setattr__(self, "tensors", tensors)

    return StateStore


def state_of(layer: Any, key: str) -> dict[str, tf.Variable]:
    """Returns the tensors kept for one masked weight, by name."""
    store = getattr(layer, STATE_ATTRIBUTE, None)
    if store is None:
        return {}
    return dict(store.tensors.get(key, {}))


def keep_state(layer: Any, kinds: Kinds) -> None:
    """Makes a masked layer keep exactly these tensors.

    Those that it has already keep their values; others begin at zero and
    what is not named goes, except initial values and diagnostics.
    """
    wanted = {key: dict(names) for key, names in kinds.items()}
    present = config_of(layer).state
    for key, names in present.items():
        for name, kind in names.items():
            if name == INITIAL_VALUES or name.startswith(DIAGNOSTIC):
                wanted.setdefault(key, {})[name] = kind
    wanted = {key: names for key, names in wanted.items() if names}
    if wanted == present:
        return

    old = {key: state_of(layer, key) for key in wanted}
    drop_state(layer)
    if not wanted:
        return

    attach_state(layer, wanted)
    for key, names in wanted.items():
        new = state_of(layer, key)
        for name in names:
            if name in old[key]:
                new[name].assign(old[key][name])


def attach_state(layer: Any, kinds: Kinds) -> None:
    """Gives a masked layer a store of such tensors, all zero."""
    flavor: flavors.Flavor = flavors.flavor_of(layer)
    config = config_of(layer)
    shapes = {key: one.shape for key, one in config.weights.items()}

    with _strategy_scope(layer), tf.init_scope():
        store = flavor.state_store_class(shapes, kinds, config.key)
    flavor.attach_child(layer, STATE_ATTRIBUTE, store)
    config.state = {key: dict(names) for key, names in kinds.items()}


def drop_state(layer: Any) -> None:
    """Takes the store off a layer, if it has one."""
    if getattr(layer, STATE_ATTRIBUTE, None) is not None:
        flavors.flavor_of(layer).detach_child(layer, STATE_ATTRIBUTE)
        config_of(layer).state = {}


def _dtype_and_shape(
    kind: Kind, weight_shape: Sequence[int]
) -> tuple[str, tuple[int, ...]]:
    if isinstance(kind, str):
        return kind, tuple(weight_shape)
    return kind["dtype"], tuple(kind["shape"])


def _strategy_scope(layer: Any) -> Any:
    """Returns a scope that makes variables on the replicas of the masks."""
    masks = getattr(layer, mask_store.ATTRIBUTE).masks.values()
    strategy = strategy_of(masks)
    if strategy is tf.distribute.get_strategy():
        return contextlib.nullcontext()
    return strategy.scope()
