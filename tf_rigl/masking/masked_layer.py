"""Layers that carry the masks of their weights.

A masked layer stays the object that it was; its class becomes a subclass of
the one it had, made here, as `torch.nn.utils.parametrize` does. The subclass
adds two things and computes nothing: the layer's configuration is wrapped
into that of a masked layer, from which Keras rebuilds layer and
masks, and weights that appear later are bound to their masks. So `isinstance`
and all attributes hold, models need no cloning, and any call signature works.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.backend.distribution import strategy_of
from tf_rigl.masking import constraint
from tf_rigl.masking import layer_config
from tf_rigl.masking import state_store
from tf_rigl.masking import tree
from tf_rigl.masking.bindings import registration
from tf_rigl.masking.layer_config import initial_mask
from tf_rigl.masking.mask_store import ATTRIBUTE
from tf_rigl.masking.storage import STORAGES
from tf_rigl.masking.storage import Storage

# The keys of the weights that are masked and have their constraint.
_BOUND = "_tf_rigl_bound"


class MaskedLayer:
    """Mixed into the class of a layer that carries masks."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Binds weights that this call, or one before, has created."""
        bind(self)
        outputs = super().__call__(*args, **kwargs)  # type: ignore[misc]
        bind(self)
        return outputs

    def get_config(self) -> dict[str, Any]:
        """Returns the plain layer's serialized form beside our own part."""
        with flavors.of_class(self, flavors.plain_class(self)):
            layer = flavors.flavor_of(self).serialize(self)

        return {
            # Where `tf_rigl` is not imported, tf_keras takes this for the
            # configuration of the plain layer, and prints it.
            "note": registration.NOTE,
            "name": self.name,  # type: ignore[attr-defined]
            "layer": layer,
            **layer_config.serialize(layer_config.config_of(self)),
        }

    def build_from_config(self, config: Any) -> None:
        """Builds the layer as it was and binds its weights."""
        super().build_from_config(config)  # type: ignore[misc]
        bind(self)

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], custom_objects: Any = None
    ) -> Any:
        """Rebuilds the plain layer and gives it its masks.

        Until weights are loaded, the masks are those that `sparsify` drew.

        Raises:
            ValueError: if the configuration needs a newer tf_rigl.
        """
        del custom_objects  # Keras has them in scope already.

        # First of all: a newer one may hold what would fail below, obscurely.
        own = layer_config.deserialize(config)
        layer = flavors.class_flavor(cls).deserialize(config["layer"])

        carry_masks(layer, dataclasses.replace(own, state={}))
        if own.state:
            state_store.attach_state(layer, own.state)
        return layer


@functools.cache
def masked_class(cls: type) -> type:
    """Returns the subclass of a layer class whose instances carry masks."""
    flavor = flavors.class_flavor(cls)
    subclass = type(
        # Keras names a layer's group in a weights file after its class; under
        # the same name the plain model loads the sparse model's file.
        cls.__name__,
        (MaskedLayer, cls),
        {
            "__doc__": MaskedLayer.__doc__,
            # From where some versions of Keras import it to load a model.
            "__module__": type(flavor).__module__,
            "_tf_rigl_plain_class": cls,
        },
    )

    flavor.register(subclass)
    return subclass


def carry_masks(layer: Any, config: layer_config.LayerConfig) -> Any:
    """Makes a layer carry masks and masks the weights that it has.

    Args:
        layer: a layer that carries none, built or not; returned again.
        config: what is configured of its masked weights. With
            `start="magnitude"` the weights must exist; if they do not, their
            masks are about to be loaded.
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
            flavor.only_first_replica,
            name=ATTRIBUTE,
        )
        for name in config.weights:
            # No storage yet: the weight may not exist before the first call.
            flavor.raw(store.masks[name]).assign(
                initial_mask(config, name, variables.get(name))
            )

    flavor.attach_child(layer, ATTRIBUTE, store)
    layer.__dict__[_BOUND] = frozenset()
    layer_config.set_config(layer, config)
    cls: type = type(layer)
    flavors.set_class(layer, masked_class(cls))

    bind(layer)
    return layer


def drop_masks(layer: Any) -> None:
    """Undoes `carry_masks`; the weights stay as they are."""
    flavor = flavors.flavor_of(layer)
    for site in tree.sites(flavor, layer):
        constraint.remove_mask_constraint(flavor, site.variable)

    state_store.drop_state(layer)
    flavor.detach_child(layer, ATTRIBUTE)
    layer.__dict__.pop(_BOUND)
    layer_config.drop_config(layer)
    flavors.set_class(layer, flavors.plain_class(layer))


def storage_of(layer: Any, key: str, variable: Any) -> Storage:
    """Returns the storage of a weight, built, of a layer that carries masks."""
    flavor = flavors.flavor_of(layer)
    weight = layer_config.config_of(layer).weights[key]
    mask = getattr(layer, ATTRIBUTE).masks[key]
    return STORAGES[weight.storage](flavor.raw(variable), flavor.raw(mask))


@tf.autograph.experimental.do_not_convert
def bind(layer: Any) -> None:
    """Masks the weights that have appeared since the last time.

    Their values are masked and a constraint is set that masks them after
    every optimizer step, so that training is static sparse even where no
    update rule of ours is at work.
    """
    bound = layer.__dict__[_BOUND]
    store = getattr(layer, ATTRIBUTE)
    if len(bound) == len(store.masks):
        return
    flavor = flavors.flavor_of(layer)
    if not flavor.can_assign():
        return

    for site in tree.sites(flavor, layer):
        if site.key not in store.masks or site.key in bound:
            continue

        storage = storage_of(layer, site.key, site.variable)
        with tf.init_scope():
            storage.set_values(storage.values())
        constraint.add_mask_constraint(
            flavor, site.variable, storage, site.path
        )
        bound |= {site.key}

    layer.__dict__[_BOUND] = bound
