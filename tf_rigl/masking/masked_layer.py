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
from tf_rigl.backend import instance_methods
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
from tf_rigl.masking.value_guard import ValueGuard

# The guards of the weights that exist, by their keys.
_GUARDS = "_tf_rigl_guards"


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

    def save_own_variables(self, store: Any) -> None:
        """Writes the plain layer's own variables.

        Raises:
            ValueError: if Keras would write the sum of a sparse weight and its
                LoRA, which is dense.
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
        )
        for name in config.weights:
            # No storage yet: the weight may not exist before the first call.
            store.masks[name].assign(
                initial_mask(config, name, variables.get(name))
            )

    flavor.attach_child(layer, ATTRIBUTE, store)
    layer.__dict__[_GUARDS] = {}
    layer_config.set_config(layer, config)
    cls: type = type(layer)
    flavors.set_class(layer, masked_class(cls))

    if hasattr(layer, "quantize"):
        # On the instance: Keras 3 puts a wrapper of its own there.
        instance_methods.override(layer, "quantize", _refuse_to_quantize)
    bind(layer)
    return layer


def drop_masks(layer: Any) -> None:
    """Undoes `carry_masks`; the weights stay as they are."""
    for guard in layer.__dict__.pop(_GUARDS).values():
        guard.remove()
    instance_methods.restore(layer, "quantize")
    state_store.drop_state(layer)
    flavors.flavor_of(layer).detach_child(layer, ATTRIBUTE)
    layer_config.drop_config(layer)
    flavors.set_class(layer, flavors.plain_class(layer))


def storage_of(layer: Any, key: str, variable: Any) -> Storage:
    """Returns the storage of a weight, built, of a layer that carries masks."""
    flavor = flavors.flavor_of(layer)
    weight = layer_config.config_of(layer).weights[key]
    mask = getattr(layer, ATTRIBUTE).masks[key]
    return STORAGES[weight.storage](flavor.raw(variable), mask)


def variables_beside(layer: Any) -> list[tf.Variable]:
    """Returns what is kept beside the weights of a layer, masked or not."""
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


def guard_of(layer: Any, key: str) -> ValueGuard:
    """Returns the guard of a weight, built, of a layer that carries masks."""
    bind(layer)
    return layer.__dict__[_GUARDS][key]


@tf.autograph.experimental.do_not_convert
def bind(layer: Any) -> None:
    """Masks and guards the weights that have appeared since the last time.

    Their values are masked and a constraint is set that masks them after
    every optimizer step, so that training is static sparse even where no
    update rule of ours is at work.
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
            guard = _make_guard(flavor, layer, site)
            with tf.init_scope():
                guard.settle()
            guard.put()
            guards[site.key] = guard


def _refuse_to_quantize(
    layer: Any, quantize: Any, *args: Any, **kwargs: Any
) -> None:
    """Raises; Keras would leave the layer as it is, with a warning."""
    del quantize, args, kwargs
    raise ValueError(
        "A layer that carries masks cannot be quantized: integers are not "
        f"trained. Received: {layer.name!r}. Call `tf_rigl.strip(model)` "
        "first; zeros stay zeros."
    )


def _make_guard(
    flavor: flavors.Flavor, layer: Any, site: tree.Site
) -> ValueGuard:
    store = getattr(layer, ATTRIBUTE)
    storage = storage_of(layer, site.key, site.variable)

    def find_beside() -> dict[str, tf.Variable]:
        return {
            **state_store.state_of(layer, site.key),
            "counters": store.counters[site.key],
            "mask": store.masks[site.key],
        }

    return ValueGuard(
        flavor,
        flavor.written_variable(site.variable),
        storage,
        constraint.MaskConstraint(flavor, site.variable, storage, site.path),
        find_beside,
    )
