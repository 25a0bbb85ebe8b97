"""The masks that a weight begins with."""

import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tf_rigl.core import structures
from tf_rigl.core.kernel_layout import KernelLayout

# For each masked weight of a layer, by key: its "shape", its number of
# connections "nonzeros" and, where masks have a structure, the "permutation"
# and the shape "view" of its `KernelLayout`.
Weights = Mapping[str, Mapping[str, Any]]

UNSTRUCTURED = structures.serialize(structures.Unstructured())
STARTS = ("random", "dense", "magnitude")


def layout_of(weight: Mapping[str, Any]) -> KernelLayout | None:
    """How a structure sees a weight; None where it is seen as it is."""
    if "view" not in weight:
        return None
    positions, inputs, units = weight["view"]
    return KernelLayout(
        tuple(weight["permutation"]),
        (positions, inputs, units),
        tuple(weight["shape"]),
    )


def initial_mask(
    weight: Mapping[str, Any],
    structure: Mapping[str, Any],
    start: str,
    seed: int,
    key: str,
    values: tf.Variable | None,
) -> tf.Tensor:
    """The mask that a weight begins with.

    Args:
        weight: what is known of the weight.
        structure: configuration of the structure.
        start: one of `STARTS`.
        seed: the user's seed.
        key: the weight's key in the model.
        values: the weight, None where it does not exist yet.

    Returns:
        bool tensor of the weight's shape.
    """
    shape, nonzeros = tuple(weight["shape"]), weight["nonzeros"]
    if (
        start == "dense"
        or nonzeros == math.prod(shape)
        or (start == "magnitude" and values is None)
    ):
        return tf.ones(shape, tf.bool)
    kind = structures.deserialize(structure)
    layout = layout_of(weight)
    if start == "random":
        view = shape if layout is None else layout.shape
        mask = kind.random_mask(view, nonzeros, seed, key)
    else:
        values = tf.convert_to_tensor(values)
        mask = kind.largest(
            values if layout is None else layout.view(values), nonzeros
        )
    return mask if layout is None else layout.unview(mask)
