"""The distance of two sets of masks, by which early-bird tickets are found."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_rigl.diagnostics import mask_overlap


def mask_distance(first: Any, second: Any) -> float:
    """Returns the fraction of positions at which two masks differ.

    It is the Hamming distance over the number of positions, 0 for equal masks
    and 1 for opposite ones. All positions of all masks count alike.

    Args:
        first: a bool array, or bool arrays by path such as `masks` of
            `tf_rigl.EarlyBird` or `tf_rigl.masks(model)`.
        second: likewise, of the same shape, or the same paths and shapes.

    Returns:
        The distance, in [0, 1].

    Raises:
        TypeError: if one is a mapping and the other is not.
        ValueError: if paths or shapes differ, there are no positions, or a mask
            is not bool.

    Example:
        >>> tf_rigl.mask_distance([True, True, False], [True, False, False])
        0.3333333333333333

    Reference: You et al., "Drawing Early-Bird Tickets", ICLR 2020,
    arXiv:1909.11957, section 3.
    """
    mappings = [isinstance(one, Mapping) for one in (first, second)]
    if any(mappings) and not all(mappings):
        raise TypeError(
            "Two masks, or two mappings of masks by path, have a distance. "
            f"Received: first of type {type(first)} and second of type "
            f"{type(second)}."
        )
    if not any(mappings):
        first, second = {"mask": first}, {"mask": second}

    mask_overlap.check_paths(first, second)
    pairs = [
        mask_overlap.checked_pair(path, first[path], second[path])
        for path in first
    ]
    size = sum(one.size for one, _ in pairs)
    if not size:
        raise ValueError(
            "Masks must have positions to differ at. Received: masks without "
            "any."
        )
    return sum(np.count_nonzero(one != other) for one, other in pairs) / size
