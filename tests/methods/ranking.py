"""Selection by sorting everything, and random scores."""

import numpy as np

from tests.core.oracle import largest as largest
from tf_rigl.core import random_masks
from tf_rigl.core.random_masks import stateless_seed


def largest_of_all(scores, candidates, count):
    """Marks the largest among several arrays, ties to the first of them."""
    chosen = largest(
        np.concatenate([array.ravel() for array in scores]),
        np.concatenate([array.ravel() for array in candidates]),
        count,
    )
    ends = np.cumsum([array.size for array in scores])[:-1]
    return [
        part.reshape(array.shape)
        for part, array in zip(np.split(chosen, ends), scores, strict=True)
    ]


def random(shape, path, step, seed=0):
    """The library's random scores, the only thing that is taken from it."""
    scores = random_masks.random_scores(shape, stateless_seed(seed, path, step))
    return scores.numpy()
