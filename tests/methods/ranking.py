"""Selection by sorting everything, and random scores."""

import numpy as np

from tf_rigl.core import random_masks
from tf_rigl.core.random_masks import stateless_seed


def largest(scores, candidates, count):
    """Marks the `count` candidates of largest magnitude.

    Ties go to the lowest flat index.
    """
    (chosen,) = largest_of_all([scores], [candidates], count)
    return chosen


def largest_of_all(scores, candidates, count):
    """The same among several arrays, ties to the first of them."""
    magnitudes = np.concatenate([np.abs(array).ravel() for array in scores])
    excluded = ~np.concatenate([array.ravel() for array in candidates])
    order = np.lexsort((np.arange(magnitudes.size), -magnitudes, excluded))
    chosen = np.zeros(magnitudes.size, bool)
    chosen[order[:count]] = True
    ends = np.cumsum([array.size for array in scores])[:-1]
    return [
        part.reshape(array.shape)
        for part, array in zip(np.split(chosen, ends), scores, strict=True)
    ]


def random(shape, path, step, seed=0):
    """The library's random scores, the only thing that is taken from it."""
    scores = random_masks.random_scores(shape, stateless_seed(seed, path, step))
    return scores.numpy()
