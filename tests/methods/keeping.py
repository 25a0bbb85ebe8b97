import numpy as np

from tests.methods import network
from tests.methods import ranking


def keep_largest(training, scores, counts, scope, candidates=None):
    """Keeps the connections of largest score.

    By default connections compete that are there. `scope` is "weight", each
    weight to its count; or "global", all of them to the sum of the counts.
    """
    candidates = candidates or training.masks
    if scope == "global":
        chosen = ranking.largest_of_all(
            [scores[path] for path in network.KERNELS],
            [candidates[path] for path in network.KERNELS],
            sum(counts.values()),
        )
    else:
        chosen = [
            ranking.largest(scores[path], candidates[path], counts[path])
            for path in network.KERNELS
        ]
    for path, mask in zip(network.KERNELS, chosen, strict=True):
        training.set_mask(path, mask)


def criterion_scores(criterion, values, step, seed):
    if criterion == "magnitude":
        return {path: values[path] for path in network.KERNELS}
    if criterion == "normalized_magnitude":
        return {
            path: values[path] / np.linalg.norm(values[path])
            for path in network.KERNELS
        }
    return {
        path: ranking.random(values[path].shape, path, step, seed)
        for path in network.KERNELS
    }
