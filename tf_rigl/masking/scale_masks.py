"""Masks of the scales of normalization layers: what `sparsify` allots them."""

import math
from collections.abc import Collection
from typing import Any

from tf_rigl.algorithms import scales
from tf_rigl.backend.flavor import Flavor
from tf_rigl.core import checks
from tf_rigl.core import decimals
from tf_rigl.core import distribution_types
from tf_rigl.core import distributions
from tf_rigl.core import structures
from tf_rigl.masking import tree
from tf_rigl.masking.options import SparsifyOptions

# What `sparsify` may mask.
WEIGHTS = ("kernels", "scales")


def check_arguments(
    sparsity: float, structure: structures.Structure, options: SparsifyOptions
) -> None:
    """Raises a ValueError if arguments of `sparsify` do not fit scales."""
    # A layer keeps a channel in any case, so that 1 asks for that alone.
    checks.check_sparsity(0 if sparsity == 1 else sparsity)
    is_plain = isinstance(structure, structures.Unstructured)
    if not is_plain or options.scale is not None:
        raise ValueError(
            "Scales are masked one by one and keep their values. Received: "
            f"structure={structure}, scale={options.scale!r}. Leave both out "
            "for weights='scales'."
        )


def check_model(flavor: Flavor, model: Any) -> None:
    """Raises a ValueError if a model has no scales; warns of what lacks one."""
    scales.scales(
        {"/".join(node.path): node.layer for node in tree.walk(flavor, model)}
    )


def allocate(
    shapes: distribution_types.Shapes,
    sparsity: float,
    distribution: distribution_types.WithOptions,
    dense: Collection[str],
) -> dict[str, int]:
    """Returns the number of channels left of each layer, at least 1.

    As `distributions.allocate`, but a sparsity that would leave less than one
    channel a layer leaves one.
    """
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    least = {name: size if name in dense else 1 for name, size in sizes.items()}
    total = sum(sizes.values())
    zeros = decimals.floor_of(sparsity, total)
    if total - zeros <= sum(least.values()):
        return least
    return distributions.allocate(shapes, sparsity, distribution, dense=dense)
