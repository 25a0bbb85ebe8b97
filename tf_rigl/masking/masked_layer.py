"""Layers that carry the masks of their weights.

A masked layer stays the object that it was; its class becomes a subclass of
the one it had, made here, as `torch.nn.utils.parametrize` does. The subclass
adds two things and computes nothing: the layer's configuration is wrapped
into that of a masked layer, from which Keras rebuilds layer and
masks, and weights that appear later are bound to their masks. So `isinstance`
and all attributes hold, models need no cloning, and any call signature works.
"""

import functools
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tf_rigl.backend.distribution import strategy_of
from tf_rigl.backend.flavor import class_flavor
from tf_rigl.backend.flavor import flavor_of
from tf_rigl.backend.flavor import of_class
from tf_rigl.backend.flavor import plain_class
from tf_rigl.backend.flavor import set_class
from tf_rigl.masking import tree
from tf_rigl.masking.bindings import registration
from tf_rigl.masking.constraint import guard
from tf_rigl.masking.constraint import masked
from tf_rigl.masking.constraint import release
from tf_rigl.masking.initial_masks import UNSTRUCTURED
from tf_rigl.masking.initial_masks import Weights
from tf_rigl.masking.initial_masks import initial_mask
from tf_rigl.masking.mask_store import ATTRIBUTE
from tf_rigl.masking.state_store import attach_state
from tf_rigl.masking.state_store import drop_state


class MaskedLayer:
    """Mixed into the class of a layer that carries masks."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Binds weights that this call, or one before, has created."""
        bind(self)
        outputs = super().__call__(*args, **kwargs)  # type: ignore[misc]
        bind(self)
        return outputs

    def get_config(self) -> dict[str, Any]:
        """The plain layer's serialized form beside what the masks are."""
        with of_class(self, plain_class(self)):
            layer = flavor_of(self).serialize(self)
        return {
            # Where `tf_rigl` is not imported, tf_keras takes this for the
            # configuration of the plain layer, and prints it.
            "note": registration.NOTE,
            "name": self.name,  # type: ignore[attr-defined]
            "layer": layer,
            **self.__dict__["_tf_rigl_config"],
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
        """
        del custom_objects  # Keras has them in scope already.
        layer = class_flavor(cls).deserialize(config["layer"])
        carry_masks(
            layer,
            config["weights"],
            config["seed"],
            config["key"],
            config.get("structure", UNSTRUCTURED),
            config.get("start", "random"),
        )
        if "state" in config:
            attach_state(layer, config["state"])
        return layer


@functools.cache
def masked_class(cls: type) -> type:
    """The subclass of a layer class whose instances carry masks."""
    flavor = class_flavor(cls)
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


def carry_masks(
    layer: Any,
    weights: Weights,
    seed: int,
    key: str,
    structure: Mapping[str, Any],
    start: str,
) -> Any:
    """Makes a layer carry masks and masks the weights that it has.

    Args:
        layer: a layer that carries none, built or not.
        weights: what is known of each weight, by its key within the layer.
        seed: the user's seed.
        key: the layer's own key in the model.
        structure: configuration of the structure of the masks.
        start: the masks to begin with: `"random"`, `"dense"`, or
            `"magnitude"`, for which the weights must exist; where they do
            not, their masks are about to be loaded.

    Returns:
        The same layer.
    """
    flavor = flavor_of(layer)
    variables = {
        site.key: flavor.raw(site.variable)
        for site in tree.sites(flavor, layer)
    }
    with strategy_of(variables.values()).scope(), tf.init_scope():
        store = flavor.mask_store_class(
            {name: weight["shape"] for name, weight in weights.items()},
            key,
            flavor.only_first_replica,
            name=ATTRIBUTE,
        )
        for name, weight in weights.items():
            full_key = "/".join(part for part in (key, name) if part)
            flavor.raw(store.masks[name]).assign(
                initial_mask(
                    weight,
                    structure,
                    start,
                    seed,
                    full_key,
                    variables.get(name),
                )
            )
    flavor.attach_child(layer, ATTRIBUTE, store)
    layer.__dict__["_tf_rigl_bound"] = frozenset()
    layer.__dict__["_tf_rigl_config"] = {
        "weights": {name: dict(weight) for name, weight in weights.items()},
        "seed": seed,
        "key": key,
        "structure": dict(structure),
        "start": start,
    }
    cls: type = type(layer)
    set_class(layer, masked_class(cls))
    bind(layer)
    return layer


def drop_masks(layer: Any) -> None:
    """Undoes `carry_masks`; the weights stay as they are."""
    flavor = flavor_of(layer)
    for site in tree.sites(flavor, layer):
        release(flavor, site.variable)
    drop_state(layer)
    flavor.detach_child(layer, ATTRIBUTE)
    for name in ("_tf_rigl_bound", "_tf_rigl_config"):
        layer.__dict__.pop(name)
    set_class(layer, plain_class(layer))


@tf.autograph.experimental.do_not_convert
def bind(layer: Any) -> None:
    """Masks the weights that have appeared since the last time.

    Their values are masked and a constraint is set that masks them after
    every optimizer step, so that training is static sparse even where no
    update rule of ours is at work.
    """
    bound = layer.__dict__["_tf_rigl_bound"]
    store = getattr(layer, ATTRIBUTE)
    if len(bound) == len(store.masks):
        return
    flavor = flavor_of(layer)
    if not flavor.can_assign():
        return
    for site in tree.sites(flavor, layer):
        if site.key not in store.masks or site.key in bound:
            continue
        mask = flavor.raw(store.masks[site.key])
        raw = flavor.raw(site.variable)
        with tf.init_scope():
            raw.assign(masked(raw, mask))
        guard(flavor, site.variable, mask, site.path)
        bound |= {site.key}
    layer.__dict__["_tf_rigl_bound"] = bound
