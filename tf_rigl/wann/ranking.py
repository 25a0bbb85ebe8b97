"""Ranks of a generation: non-dominated fronts, crowding, two objectives."""

import numpy as np

# How crowding distances are scaled: by the range of an objective in the front,
# or as the published code does, which adds where it should subtract.
RANGE, REFERENCE = "range", "reference"
PRESETS = (RANGE, REFERENCE)


def fronts(objectives: np.ndarray) -> np.ndarray:
    """Returns the number of each point's front, from 0 for the best.

    One point dominates another if it is nowhere worse and somewhere better. No
    point of front 0 is dominated; front 1 is what none dominates once front 0
    is gone, and so on.

    Args:
        objectives: float [points, objectives], larger is better.

    Returns:
        Int64 [points].
    """
    count = len(objectives)
    better = np.zeros((count, count), bool)
    worse = np.zeros((count, count), bool)
    for column in objectives.T:
        better |= column[:, None] > column
        worse |= column[:, None] < column
    dominates = better & ~worse

    found = np.full(count, -1)
    above = dominates.sum(axis=0)
    number = 0
    while (left := found < 0).any():
        front = left & (above == 0)
        found[front] = number
        above = above - dominates[front].sum(axis=0)
        number += 1
    return found


def crowding(objectives: np.ndarray, preset: str = RANGE) -> np.ndarray:
    """Returns the crowding distances of the points of one front.

    For each objective the distance of the two neighbors in its order, over its
    range; infinite for the first and the last. Points that agree are in the
    order in which they come.

    Args:
        objectives: float [points, objectives].
        preset: `"range"` to divide by the largest minus the smallest value;
            `"reference"` to multiply by |1 / largest − smallest|, as the
            published code does.

    Returns:
        Float64 [points].
    """
    distance = np.zeros(len(objectives))
    for column in objectives.T:
        order = np.argsort(column, kind="stable")
        ordered = column[order]
        # Neighbors, and the share of the range between them.
        gaps = np.full(len(column), np.inf)
        gaps[1:-1] = ordered[2:] - ordered[:-2]
        low, high = ordered[0], ordered[-1]
        if high > low:
            gaps *= (
                abs(1 / high - low) if preset == REFERENCE else 1 / (high - low)
            )
        distance[order] += gaps
    return distance


def order(objectives: np.ndarray, preset: str = RANGE) -> np.ndarray:
    """Returns the places of all points, the best first.

    By front, then by crowding distance, the least crowded first, then by the
    first objective, so that the best of it is first of all; then by place.

    Args:
        objectives: float [points, objectives], larger is better.
        preset: see `crowding`.
    """
    front = fronts(objectives)
    distance = np.empty(len(objectives))
    for number in range(front.max() + 1):
        there = front == number
        distance[there] = crowding(objectives[there], preset)
    return np.lexsort((-objectives[:, 0], -distance, front))


def objectives(
    means: np.ndarray,
    maxima: np.ndarray,
    connections: np.ndarray,
    by_connections: bool,
) -> np.ndarray:
    """Returns the two objectives of a generation, float64 [genomes, 2].

    Args:
        means: float [genomes], the mean score over all shared weights.
        maxima: float [genomes], the score with the best shared weight.
        connections: int [genomes], the numbers of enabled connections.
        by_connections: whether the second objective is 1 / connections, of
            which none counts as one; else it is the best score.
    """
    second = 1 / np.maximum(connections, 1) if by_connections else maxima
    return np.stack([means, second], axis=1)
