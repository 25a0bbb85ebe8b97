"""The kernels and attention heads of a model that may become factors."""

import dataclasses
import math
from collections.abc import Collection
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.core import low_rank
from tf_rigl.factors import attention
from tf_rigl.factors import layouts
from tf_rigl.factors.attention import Pair
from tf_rigl.masking import layer_rules
from tf_rigl.masking import tree


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A kernel, or a pair of projections of attention heads."""

    host: Any  # the outermost layer whose configuration has it
    owner: Any  # the layer that computes with it
    path: str  # that of the kernel in the model
    key: str  # that within the host; of a pair, that of the attention layer
    shape: tuple[int, ...]
    form: str  # one of the forms of `layouts`, or the name of the pair
    sizes: tuple[int, int] = (0, 0)  # rows and columns; of a kernel only
    variable: Any = None  # the kernel
    pair: Pair | None = None
    # Why it has no factors; None if it can have them.
    reason: str | None = None
    # Whether it is one by the rule of its layer, not a scale or the like.
    is_kernel: bool = True

    @property
    def size(self) -> int:
        """The number of elements without factors."""
        if self.pair is not None:
            return self.pair.num_weights(self.pair.full)
        return math.prod(self.shape)

    @property
    def full(self) -> int:
        """The rank from which on the factors can be any kernel."""
        return self.pair.full if self.pair is not None else min(self.sizes)

    def scaled_rank(self, scale: float) -> int:
        """Returns the rank that a scale asks for.

        It is relative to the full rank; of a spatial convolution, as in the
        published code, to the columns, filters times the size of one axis.
        """
        whole = self.full
        if self.form == layouts.SPATIAL:
            whole = self.sizes[1]
        rank = low_rank.scaled_rank(scale, whole)
        return rank if self.pair is None else min(rank, self.full)

    def num_weights(self, rank: int, depth: int) -> int:
        """Returns the number of elements of factors of a rank."""
        if self.pair is not None:
            return self.pair.num_weights(rank)
        return low_rank.num_weights(*self.sizes, rank, depth)

    def rank_of_energy(self, energy: float) -> int:
        """Returns the least rank that keeps a share of the squared norm."""
        if self.pair is not None:
            return attention.rank_of_energy(self.pair, energy)
        return low_rank.rank_of_energy(self.matrix(), energy)

    def matrix(self, kernel: np.ndarray | None = None) -> np.ndarray:
        """Returns the kernel, or other values of its shape, as a matrix."""
        if kernel is None:
            kernel = tf.convert_to_tensor(self.variable).numpy()
        layout = layouts.of_kernel(self.owner, self.form, len(self.shape))
        return layout.matrix(kernel)


def find(
    flavor: flavors.Flavor, model: Any, form: str, heads: bool
) -> list[Candidate]:
    """Returns all weights with axes of a model, and what stands for them.

    Args:
        flavor: the model's flavor.
        model: a built model.
        form: the form that is asked for of convolutions.
        heads: whether heads of attention are pairs of factors.

    Returns:
        Candidates in the order of the layers. One that cannot have factors has
        a reason.
    """
    found: list[Candidate] = []
    seen: set[int] = set()
    for host in tree.hosts(flavor, model):
        inside: set[int] = set()
        for node in tree.walk(flavor, host.layer):
            is_attention = heads and attention.is_supported(node.layer)
            if is_attention and id(node.layer) not in seen:
                seen.add(id(node.layer))
                found += _pairs(host, node)
                inside.update(id(one) for one in _projections(node.layer))
        for site in tree.sites(flavor, host.layer):
            if id(site.variable) in seen or id(site.owner) in inside:
                continue
            seen.add(id(site.variable))
            found.append(_kernel(host, site, form))
    return found


def _projections(layer: Any) -> list[Any]:
    pairs = attention.QUERY_KEY, attention.VALUE_OUTPUT
    return [part for name in pairs for part in Pair(layer, name).parts]


def _pairs(host: tree.Node, node: tree.Node) -> list[Candidate]:
    where = "/".join((*host.path, *node.path))
    return [
        Candidate(
            host.layer,
            node.layer,
            f"{where}/{name}",
            "/".join(node.key),
            tuple(Pair(node.layer, name).parts[0].kernel.shape),
            name,
            pair=Pair(node.layer, name),
        )
        for name in (attention.QUERY_KEY, attention.VALUE_OUTPUT)
    ]


def _kernel(host: tree.Node, site: tree.Site, form: str) -> Candidate:
    layer = site.owner
    shape = tuple(site.variable.shape)
    reason = layouts.unsupported(layer)
    is_kernel = _is_kernel(site)
    if reason is None and not is_kernel:
        reason = "it is no kernel"

    chosen, sizes = layouts.MATRIX, (0, 0)
    if reason is None:
        chosen = layouts.form_of(layer, form)
        sizes = layouts.of_kernel(layer, chosen, len(shape)).sizes(shape)
    return Candidate(
        host.layer,
        layer,
        "/".join((*host.path, site.path)),
        site.key,
        shape,
        chosen,
        sizes,
        site.variable,
        reason=reason,
        is_kernel=is_kernel,
    )


def _is_kernel(site: tree.Site) -> bool:
    weights: Collection[Any] = layer_rules.sparsifiable_weights(
        site.owner
    ).values()
    return any(site.variable is one for one in weights)
