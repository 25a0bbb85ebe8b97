"""Pruning of scales by the threshold of the published repository.

Eric-mingjie/network-slimming sorts all |γ| in ascending order, takes the value
at the place ⌊p · n⌋ for a threshold and keeps what is strictly greater: without
ties, ⌊p · n⌋ + 1 channels go, and a layer may lose all.
"""

import numpy as np

from tf_rigl.updating.pruning_rates import Contest


def masks(contest: Contest) -> dict[str, np.ndarray]:
    """Returns the masks of scales that the repository would make, by path.

    Args:
        contest: the scales, which compete for as many channels as `prune`
            leaves without this.

    Raises:
        ValueError: if the contest is not one of scales over all layers, or a
            layer would lose its last channel.
    """
    if contest.scope != "global" or not contest.records[0].is_scale:
        raise ValueError(
            "preset='reference' prunes the scales of all layers by one "
            "threshold. Received: "
            f"{contest.records[0].path!r} with scope={contest.scope!r}. Pass "
            "scope='global' for a model of sparsify(..., weights='scales')."
        )
    sizes = {
        record.path: np.abs(record.values().numpy())
        for record in contest.records
    }
    active = {record.path: record.mask.numpy() for record in contest.records}
    present = np.sort(np.concatenate([sizes[p][active[p]] for p in sizes]))
    place = min(len(present) - sum(contest.counts), len(present) - 1)

    found = {p: active[p] & (sizes[p] > present[place]) for p in sizes}
    empty = [path for path, mask in found.items() if not mask.any()]
    if empty:
        raise ValueError(
            "The threshold of the published repository must leave each layer "
            f"a channel. Received: {empty}, which would have none. Leave "
            "preset='reference' out, which keeps one, or prune less."
        )
    return found
