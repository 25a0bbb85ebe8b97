"""Layers that own the masks of their weights.

A masked layer remains the same object, but its class is replaced by a subclass
created here, as in `torch.nn.utils.parametrize`. The subclass computes
nothing. It wraps the layer's configuration into that of a masked layer, from
which Keras rebuilds layer and masks, and it binds weights that are created
later to their masks. `isinstance` and all attributes therefore still work,
models need no cloning, and any call signature is supported.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.backend import instance_methods
from tf_rigl.backend.distribution import strategy_of
from tf_rigl.masking import announced
from tf_rigl.masking import compressed_cells
from tf_rigl.masking import compressed_layer
from tf_rigl.masking import constraint
from tf_rigl.masking import layer_config
from tf_rigl.masking import layer_rules
from tf_rigl.masking import matrix_layers
from tf_rigl.masking import state_store
from tf_rigl.masking import tree
from tf_rigl.masking.bindings import registration
from tf_rigl.masking.connections import Connections
from tf_rigl.masking.connections import of_layer as connections_of_layer
from tf_rigl.masking.layer_config import initial_mask
from tf_rigl.masking.layer_config import initial_positions
from tf_rigl.masking.mask_store import ATTRIBUTE
from tf_rigl.masking.storage import FollowingStorage
from tf_rigl.masking.storage import Storage
from tf_rigl.masking.storages import STORAGES
from tf_rigl.masking.value_guard import ConnectionsGuard
from tf_rigl.masking.value_guard import ValueGuard

# Attribute with the guards of existing weights, by their keys.
_GUARDS = "_tf_rigl_guards"


class MaskedLayer:
    """Mixin for the class of a layer that owns masks."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Binds weights that this call or an earlier one has created."""
        bind(self)
        outputs = super().__call__(*args, **kwargs)  # type: ignore[misc]
        bind(self)
        return outputs

    def get_config(self) -> dict[str, Any]:
        """Returns the plain layer, serialized, and the mask configuration."""
        with flavors.of_class(self, flavors.plain_class(self)):
            layer = flavors.flavor_of(self).serialize(self)

        return {
            # Without `tf_rigl`, tf_keras passes this to the plain layer and
            # prints it in the error.
            "note": registration.NOTE,
            "name": self.name,  # type: ignore[attr-defined]
            "layer": layer,
            **layer_config.serialize(layer_config.config_of(self)),
        }

    def save_own_variables(self, store: Any) -> None:
        """Saves the plain layer's own variables.

        Raises:
            ValueError: if Keras would save the sum of a sparse weight and its
                LoRA adapters, which is dense.
        """
        if getattr(self, "lora_enabled", False):
            raise ValueError(
                "A layer with LoRA is saved as the sum of both, which is not "
                f"sparse. Received: {self.name!r}. "  # type: ignore[attr-defined]
                "Call `tf_rigl.strip(model)` before it is saved, or save the "
                "adapters and a model without them."
            )
        super().save_own_variables(store)  # type: ignore[misc]

    def build_from_config(self, config: Any) -> None:
        """Builds the layer and binds its weights."""
        super().build_from_config(config)  # type: ignore[misc]
        bind(self)

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], custom_objects: Any = None
    ) -> Any:
        """Rebuilds the plain layer and masks it.

        Until weights are loaded, it has the masks that `sparsify` drew.

        Raises:
            ValueError: if the configuration needs a newer tf_rigl.
        """
        # Checked first, because a newer configuration may fail obscurely below.
        own = layer_config.deserialize(config)
        layer = flavors.class_flavor(cls).deserialize_with(
            config["layer"], custom_objects
        )

        carry_masks(layer, dataclasses.replace(own, state={}))
        if own.state:
            state_store.attach_state(layer, own.state)
        return layer


@functools.cache
def masked_class(cls: type) -> type:
    """Returns the subclass of a layer class whose instances own masks."""
    flavor = flavors.class_flavor(cls)
    subclass = type(
        # Keras names the groups in weights files after the class. With the
        # same name, a plain model can load the file of a sparse one.
        cls.__name__,
        (MaskedLayer, cls),
        {
            "__doc__": MaskedLayer.__doc__,
            # Some versions of Keras import the class from here on loading.
            "__module__": type(flavor).__module__,
            "_tf_rigl_plain_class": cls,
        },
    )

    flavor.register(subclass)
    return subclass


def carry_masks(layer: Any, config: layer_config.LayerConfig) -> Any:
    """Makes a layer own masks, and masks its existing weights.

    Args:
        layer: a layer without masks, built or not; it is returned.
        config: the configuration of its masked weights. With
            `start="magnitude"` the weights must exist, unless their masks are
            about to be loaded.
    """
    flavor = flavors.flavor_of(layer)
    variables = {
        site.key: flavor.raw(site.variable)
        for site in tree.sites(flavor, layer)
    }

    with strategy_of(variables.values()).scope(), tf.init_scope():
        store = flavor.mask_store_class(
            {name: weight.shape for name, weight in config.weights.items()},
            config.key,
            {
                name: (weight.inputs, weight.target)
                for name, weight in config.weights.items()
                if weight.inputs is not None
            },
        )
        for name, weight in config.weights.items():
            # Not through a storage: the weight may not exist yet.
            values = variables.get(name)
            if weight.inputs is None:
                mask = initial_mask(config, name, values)
                store.masks[name].assign(mask)
            else:
                store.masks[name].set_positions(
                    initial_positions(config, name, values)
                )

    for node in list(tree.walk(flavor, layer)):
        # Layers that are built later, of a file that is being loaded.
        key = "/".join((*node.key, matrix_layers.KERNEL))
        is_known = key in config.weights
        if is_known and config.weights[key].inputs is not None:
            announced.announce(node.layer, functools.partial(bind, layer))

    flavor.attach_child(layer, ATTRIBUTE, store)
    layer.__dict__[_GUARDS] = {}
    layer_config.set_config(layer, config)
    cls: type = type(layer)
    flavors.set_class(layer, masked_class(cls))

    if hasattr(layer, "quantize"):
        # Overridden on the instance, where Keras 3 also puts its wrapper.
        instance_methods.override(layer, "quantize", _refuse_to_quantize)
    bind(layer)
    return layer


def drop_masks(layer: Any) -> None:
    """Undoes `carry_masks`; the values of the weights do not change."""
    for guard in layer.__dict__.pop(_GUARDS).values():
        guard.remove()
    for node in list(tree.walk(flavors.flavor_of(layer), layer)):
        for attribute in list(connections_of_layer(node.layer)):
            compressed_layer.decompress(node.layer, attribute)
    compressed_cells.remove(layer)
    instance_methods.restore(layer, "quantize")
    state_store.drop_state(layer)
    flavors.flavor_of(layer).detach_child(layer, ATTRIBUTE)
    layer_config.drop_config(layer)
    flavors.set_class(layer, flavors.plain_class(layer))


def storage_of(layer: Any, key: str, variable: Any) -> Storage:
    """Returns the storage of an existing weight of a masked layer."""
    flavor = flavors.flavor_of(layer)
    weight = layer_config.config_of(layer).weights[key]
    mask = getattr(layer, ATTRIBUTE).masks[key]
    return STORAGES[weight.storage](flavor.raw(variable), mask)


def variables_beside(layer: Any) -> list[tf.Variable]:
    """Returns the variables of a layer's stores, if it is masked."""
    stores = [
        getattr(layer, name, None)
        for name in (ATTRIBUTE, state_store.STATE_ATTRIBUTE)
    ]
    return [
        variable
        for store in stores
        if store is not None
        for variable in store.variables
    ]


def guards_of(layer: Any) -> dict[str, ValueGuard]:
    """Returns the guards of a masked layer's weights by their keys."""
    return layer.__dict__[_GUARDS]


def guard_of(layer: Any, key: str) -> ValueGuard:
    """Returns the guard of an existing weight of a masked layer."""
    bind(layer)
    return layer.__dict__[_GUARDS][key]


@tf.autograph.experimental.do_not_convert
def bind(layer: Any) -> None:
    """Masks and guards the weights created since the last call.

    Their values are masked, and a constraint masks them after every optimizer
    step. Training is thus static sparse even without one of our update rules.
    """
    guards = layer.__dict__[_GUARDS]
    store = getattr(layer, ATTRIBUTE)
    if len(guards) == len(store.masks):
        return
    flavor = flavors.flavor_of(layer)
    if not flavor.can_assign():
        return

    for site in tree.sites(flavor, layer):
        if site.key in store.masks and site.key not in guards:
            connections = store.masks[site.key]
            if isinstance(connections, Connections):
                with tf.init_scope():
                    variable = compressed_layer.compress(
                        site.owner, connections, site.key.rpartition("/")[2]
                    )
                compressed_cells.put(layer)
                site = dataclasses.replace(site, variable=variable)
            else:
                announced.settle(site.owner)
            guard = _make_guard(flavor, layer, site)
            for name, variable in layer_rules.followers(
                site.owner, site.variable
            ).items():
                guard.followers[name] = _make_follower(
                    flavor, layer, site, name, variable
                )
            with tf.init_scope():
                guard.settle()
            guard.put()
            guards[site.key] = guard


def following_storage(layer: Any, key: str, variable: Any) -> Storage:
    """Returns the storage of a variable with the mask of a weight."""
    mask = getattr(layer, ATTRIBUTE).masks[key]
    return FollowingStorage(flavors.flavor_of(layer).raw(variable), mask)


def _refuse_to_quantize(
    layer: Any, quantize: Any, *args: Any, **kwargs: Any
) -> None:
    """Raises a ValueError; Keras would only warn and skip the layer."""
    del quantize, args, kwargs
    raise ValueError(
        "A layer that carries masks cannot be quantized: integers are not "
        f"trained. Received: {layer.name!r}. Call `tf_rigl.strip(model)` "
        "first; zeros stay zeros."
    )


def _make_guard(
    flavor: flavors.Flavor, layer: Any, site: tree.Site
) -> ValueGuard:
    """Returns the guard of one weight, with storage and constraint."""
    store = getattr(layer, ATTRIBUTE)
    storage = storage_of(layer, site.key, site.variable)
    mask = store.masks[site.key]

    def find_beside() -> dict[str, tf.Variable]:
        return {
            **state_store.state_of(layer, site.key),
            "counters": store.counters[site.key],
            **(
                mask.variables
                if isinstance(mask, Connections)
                else {"mask": mask}
            ),
        }

    guard = ConnectionsGuard if storage.is_compressed else ValueGuard
    return guard(
        flavor,
        flavor.written_variable(site.variable),
        storage,
        constraint.MaskConstraint(flavor, site.variable, storage, site.path),
        find_beside,
    )


def _make_follower(
    flavor: flavors.Flavor, layer: Any, site: tree.Site, name: str, other: Any
) -> ValueGuard:
    """Returns the guard of a variable that follows the weight at a site."""
    storage = following_storage(layer, site.key, other)
    path = tree.beside(site.path, name)
    return ValueGuard(
        flavor,
        flavor.written_variable(other),
        storage,
        constraint.MaskConstraint(flavor, other, storage, path),
        dict,
    )
