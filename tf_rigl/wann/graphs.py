"""Topological order of networks: levels, and what reaches an output."""

import numpy as np


def levels(
    nodes: int, sources: np.ndarray, destinations: np.ndarray
) -> np.ndarray | None:
    """Returns the length of the longest way to each node.

    Args:
        nodes: the number of nodes.
        sources: int [connections], the places of nodes.
        destinations: int [connections], likewise.

    Returns:
        Int64 [nodes], 0 for nodes that nothing leads into; None if connections
        make a circle.
    """
    found = np.zeros(nodes, int)
    # Each round moves what follows a node behind it. A way without a circle is
    # shorter than there are nodes.
    for _ in range(nodes):
        wanted = found[sources] + 1
        behind = wanted > found[destinations]
        if not behind.any():
            return found
        np.maximum.at(found, destinations[behind], wanted[behind])
    return None


def reaching(
    ends: np.ndarray, sources: np.ndarray, destinations: np.ndarray
) -> np.ndarray:
    """Returns which nodes a way leads from to some of the `ends`.

    Args:
        ends: bool [nodes].
        sources: int [connections], the places of nodes.
        destinations: int [connections], likewise.

    Returns:
        Bool [nodes], true for the ends themselves, too.
    """
    found = ends.copy()
    while True:
        more = found[destinations] & ~found[sources]
        if not more.any():
            return found
        found[sources[more]] = True
