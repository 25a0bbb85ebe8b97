"""Layers of one's own, whose code is called to see what it computes."""

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.masking import tree
from tf_rigl.surgery.channel_rules import is_operation


def is_own(layer: Any) -> bool:
    """Returns whether a layer's own code may tell what it computes."""
    cls = flavors.plain_class(layer)
    is_kept = flavors.is_of_keras(cls) and cls.__name__ != "Lambda"
    return not is_kept and not is_operation(layer)


def code_of(layer: Any) -> Any:
    """Returns the function that a layer of one's own computes by."""
    if flavors.plain_class(layer).__name__ == "Lambda":
        given = layer.arguments or {}
        return lambda *args, **_: layer.function(*args, **given)
    parameters = inspect.signature(layer.call).parameters
    if "training" not in parameters:
        return layer.call
    return lambda *args, **kwargs: layer.call(
        *args, **{**kwargs, "training": False}
    )


@contextlib.contextmanager
def nodes_forgotten(flavor: flavors.Flavor, layer: Any) -> Iterator[None]:
    """Lets layers forget calls that are made within a `with` block."""
    lists = [
        nodes
        for node in tree.walk(flavor, layer)
        for name in ("_inbound_nodes", "_outbound_nodes")
        if isinstance(nodes := getattr(node.layer, name, None), list)
    ]
    lengths = [len(nodes) for nodes in lists]
    try:
        yield
    finally:
        for nodes, length in zip(lists, lengths, strict=True):
            del nodes[length:]


@contextlib.contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Silences Keras 2, which warns of variables in functions it follows."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)
