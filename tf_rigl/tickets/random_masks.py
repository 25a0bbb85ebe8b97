"""Random masks of given sizes, the control of a ticket's structure."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import require_masked_weights


def random_masks(
    model: Any, given: Mapping[str, np.ndarray], seed: int
) -> dict[str, np.ndarray]:
    """Returns random masks with as many connections in each weight.

    Reference: Frankle and Carbin, "The Lottery Ticket Hypothesis", ICLR 2019,
    arXiv:1803.03635, appendix E.

    Args:
        model: a model whose masked weights have these paths.
        given: the masks to count in, by path.
        seed: the seed, any 32-bit integer.

    Returns:
        Bool arrays by path; masks without zeros stay as they are.
    """
    return {
        record.path: _random_mask(record, given[record.path], seed)
        for record in require_masked_weights(model)
    }


def _random_mask(
    record: MaskedWeight, mask: np.ndarray, seed: int
) -> np.ndarray:
    layout = record.layout
    shape = record.shape if layout is None else layout.shape
    count = int(np.count_nonzero(mask))
    if count == math.prod(shape):
        return mask
    drawn = record.structure.random_mask(shape, count, seed, record.key)
    return record.unview(drawn).numpy()
