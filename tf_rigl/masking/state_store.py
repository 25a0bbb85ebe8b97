"""The store of the state that is kept for a layer's masked weights.

Some methods need state, such as a smoothed gradient or the values of inactive
positions, and diagnostics record which positions were ever active. This store
accompanies the store of the masks and is saved with it.
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

# Attribute of a masked layer that holds its store, also its name in weights
# files and checkpoints.
STATE_ATTRIBUTE = "tf_rigl_state"

# Values from before training, which are kept when the method changes.
INITIAL_VALUES = "initial_values"
# Prefix of the names of diagnostics, which are kept as well.
DIAGNOSTIC = "diagnostic_"

# Kind of a tensor: its dtype if it has the weight's shape, otherwise a mapping
# with its "dtype" and "shape".
Kind = str | Mapping[str, Any]
# Kinds of tensors by name, for each masked weight of a layer by key.
Kinds = Mapping[str, Mapping[str, Kind]]


def state_store_class(base: type) -> type:
    """Makes the class of state stores for one Keras from its `Store`."""

    class StateStore(base):
        """Tensors that belong to the masked weights of one layer.

        The arguments are those of `MaskStore`, and `kinds` with the kinds of
        the tensors of each weight, by name.

        Attributes:
            tensors: variables by name, for each key.
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
    """Makes a masked layer keep exactly the given tensors.

    Existing tensors keep their values and new ones start at zero. Tensors that
    are not named are dropped, except initial values and diagnostics.
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
    """Gives a masked layer a store of the given tensors, all zero."""
    flavor: flavors.Flavor = flavors.flavor_of(layer)
    config = config_of(layer)
    shapes = {key: weight.shape for key, weight in config.weights.items()}

    with _strategy_scope(layer), tf.init_scope():
        store = flavor.state_store_class(shapes, kinds, config.key)
    flavor.attach_child(layer, STATE_ATTRIBUTE, store)
    config.state = {key: dict(names) for key, names in kinds.items()}


def drop_state(layer: Any) -> None:
    """Removes the state store of a layer, if it has one."""
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
    """Returns the scope of the strategy that created the masks."""
    masks = getattr(layer, mask_store.ATTRIBUTE).masks.values()
    strategy = strategy_of(masks)
    if strategy is tf.distribute.get_strategy():
        return contextlib.nullcontext()
    return strategy.scope()
