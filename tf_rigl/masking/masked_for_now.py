"""Masked storage for as long as something needs dense variables."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import ParamSpec
from typing import TypeVar

import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.masking import compressed_layer
from tf_rigl.masking import dense_size
from tf_rigl.masking import masked_layer
from tf_rigl.masking import storages
from tf_rigl.masking import tree
from tf_rigl.masking.connections import Connections
from tf_rigl.masking.deferred import complete
from tf_rigl.masking.layer_config import config_of
from tf_rigl.masking.mask_store import ATTRIBUTE
from tf_rigl.masking.masked_weight import find_masked_weights

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def stored_masked(
    function: Callable[_Arguments, _Result],
) -> Callable[_Arguments, _Result]:
    """Decorates a function of a model that reads dense variables."""

    @functools.wraps(function)
    def call(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        model: Any = args[0] if args else kwargs["model"]
        with masked_for_now(model):
            return function(*args, **kwargs)

    return call


@contextlib.contextmanager
def masked_for_now(model: Any) -> Iterator[None]:
    """Stores weights of a model by masks within a `with` block.

    The block must not change them: afterwards, values and connections are those
    of before.
    """
    flavor = flavors.model_flavor(model)
    if complete(model, required=False):
        dense_size.check_fits(
            find_masked_weights(flavor, list(tree.walk(flavor, model))),
            "make dense weights for a while",
        )
    with contextlib.ExitStack() as stack:
        for node in list(tree.walk(flavor, model)):
            store = getattr(node.layer, ATTRIBUTE, None)
            for key, connections in dict(store.masks if store else {}).items():
                if isinstance(connections, Connections):
                    stack.enter_context(_masked_weight(node.layer, key))
        yield


@contextlib.contextmanager
def _masked_weight(host: Any, key: str) -> Iterator[None]:
    """Stores one weight of a host layer by a mask within a `with` block."""
    site = next(
        site
        for site in tree.sites(flavors.flavor_of(host), host)
        if site.key == key
    )
    attribute = key.rpartition("/")[2]
    masks = getattr(host, ATTRIBUTE).masks
    weights = config_of(host).weights
    guards = masked_layer.guards_of(host)
    config, connections = weights[key], masks[key]

    guard = guards.pop(key)
    guard.remove()
    with tf.init_scope():
        masks[key] = tf.Variable(connections.mask(), trainable=False)
        compressed_layer.decompress(site.owner, attribute)
    weights[key] = dataclasses.replace(
        config, storage=storages.DENSE, inputs=None
    )
    masked_layer.bind(host)

    try:
        yield
    finally:
        guards.pop(key).remove()
        compressed_layer.put_connections(
            site.owner, site.variable, connections, attribute
        )
        weights[key], masks[key] = config, connections
        guards[key] = guard
        guard.put()
