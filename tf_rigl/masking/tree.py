"""Walks over the layers of a model, with stable names of weights.

A weight has two names. Its *path* consists of the layers' names; users read and
write it. Its *key* omits the numbers that Keras appends to the names of unnamed
layers and numbers layers within each parent instead, so it is the same in every
process and in both Keras flavors. Masks are stored under the key, and it seeds
random numbers.
"""

import dataclasses
import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from tf_rigl.backend import flavor as flavors
from tf_rigl.masking import layer_rules


@dataclasses.dataclass(frozen=True)
class Site:
    """A weight and its location in a model."""

    owner: Any  # the layer whose weight it is
    variable: Any  # the Keras variable
    path: str  # path relative to the root of the walk
    key: str  # key relative to the root of the walk
    opt_in: bool  # whether it is sparse only on request
    is_scale: bool = False  # whether it scales channels


@dataclasses.dataclass(frozen=True)
class Node:
    """A layer and its location in a model."""

    layer: Any
    path: tuple[str, ...]
    key: tuple[str, ...]


def walk(flavor: flavors.Flavor, root: Any) -> Iterator[Node]:
    """Yields `root` and all layers below, each once, parents first."""
    seen: set[int] = set()
    todo = [Node(root, (), ())]

    while todo:
        node = todo.pop()
        if id(node.layer) in seen:
            continue
        seen.add(id(node.layer))
        yield node
        todo.extend(reversed(_children(flavor, node)))


def hosts(flavor: flavors.Flavor, model: Any) -> list[Node]:
    """Returns the layers that own masks: the outermost except containers.

    The configuration of a functional or sequential model contains those of its
    layers, so each layer saves its own masks in a `.keras` file. Any other
    layer or model recreates its sublayers itself, so it owns the masks of all
    of them.
    """
    found: list[Node] = []
    inside: set[int] = set()

    for node in walk(flavor, model):
        if id(node.layer) in inside or flavors.is_container(node.layer):
            continue
        found.append(node)
        inside.update(id(below.layer) for below in walk(flavor, node.layer))
    return found


def sites(flavor: flavors.Flavor, root: Any, others: bool = True) -> list[Site]:
    """Returns all weights below `root` that may be sparse, each once.

    They are in the order of the layers. Opt-in weights are included and marked;
    `others` also includes weights without a layer rule, and scales.
    """
    return sites_of(flavor, walk(flavor, root), others)


def sites_of(
    flavor: flavors.Flavor, nodes: Iterable[Node], others: bool = True
) -> list[Site]:
    """Returns the weights that may be sparse in walked layers.

    `nodes` are a layer and all layers below it, in the order of `walk`. The
    result is that of `sites` for the first layer.
    """
    seen: set[int] = set()
    found = []

    for node in nodes:
        opt_in = layer_rules.is_opt_in(node.layer)
        named = layer_rules.sparsifiable_weights(node.layer)
        weights = [(name, weight, opt_in) for name, weight in named.items()]
        scales: dict[str, Any] = {}
        if others:
            own = flavor.own_weights(node.layer)
            scales = layer_rules.scale_weights(node.layer)
            more = layer_rules.other_weights(node.layer, own) | scales
            weights += [(name, weight, True) for name, weight in more.items()]

        for name, variable, is_opt_in in weights:
            if id(variable) in seen or not flavor.has_value(variable):
                continue
            seen.add(id(variable))
            found.append(
                Site(
                    node.layer,
                    variable,
                    "/".join((*node.path, name)),
                    "/".join((*node.key, name)),
                    is_opt_in,
                    name in scales,
                )
            )
    return found


def beside(path: str, name: str) -> str:
    """Returns the path or key of another weight of the same layer."""
    return "/".join([*path.split("/")[:-1], name])


def subtree(nodes: Sequence[Node], index: int) -> Iterator[Node]:
    """Yields the layer at an index of a walk and those below it.

    Their paths and keys are relative to that layer. Layers that the walk
    visited elsewhere before are not included.
    """
    depth = len(nodes[index].path)
    yield Node(nodes[index].layer, (), ())
    for node in nodes[index + 1 :]:
        if node.path[:depth] != nodes[index].path:
            break
        yield Node(node.layer, node.path[depth:], node.key[depth:])


def _children(flavor: flavors.Flavor, node: Node) -> list[Node]:
    children = flavor.children(node.layer)
    names = _unique([child.name for child in children])
    keys = _unique([re.sub(r"_\d+$", "", child.name) for child in children])
    return [
        Node(child, (*node.path, name), (*node.key, key))
        for child, name, key in zip(children, names, keys, strict=True)
    ]


def _unique(names: list[str]) -> list[str]:
    """Numbers repeated names: a, b, a becomes a, b, a_1."""
    counts: dict[str, int] = {}
    result = []
    for name in names:
        count = counts.get(name, 0)
        counts[name] = count + 1
        result.append(f"{name}_{count}" if count else name)
    return result
