"""The layers of a model and those of the smaller one, one with the other."""

from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from tf_rigl.backend import flavor as flavors
from tf_rigl.surgery.layer_graph import takes_name


def pairs(
    model: Any, smaller: Any, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, Any, Any]]:
    """Yields path, old and new layer; inner models yield their layers.

    The new one is None if the layer is gone.
    """
    after = None if smaller is None else smaller.layers
    for old, new in matched(model.layers, after):
        inside = (*path, old.name)
        if flavors.is_container(old):
            yield from pairs(old, new, inside)
        else:
            yield "/".join(inside), old, new


def matched(
    before: Sequence[Any], after: Sequence[Any] | None
) -> Iterator[tuple[Any, Any]]:
    """Yields each layer with the new one: of its name, or in its place.

    Layers of classes that take no name get other ones.
    """
    named = {layer.name: layer for layer in after or ()}
    if after is None or not all(map(takes_name, before)):
        new = [None] * len(before) if after is None else after
        yield from zip(before, new, strict=True)
        return
    for layer in before:
        yield layer, named.get(layer.name)
