"""Choice of the encodings that make a file smallest."""

import itertools
import math
from collections.abc import Mapping
from collections.abc import Sequence

from tf_rigl.core.packing import ENCODINGS

# Size of one packed weight in bytes, by the name of the encoding.
Sizes = Mapping[str, int]


def choose_smallest(weights: Sequence[Sizes]) -> list[str]:
    """Returns the name of the best encoding for each weight of a file.

    Each encoding that occurs in a file also adds its decoding graph ops, so a
    rarely used encoding is chosen only if it saves more than they take.
    """
    names = sorted({name for sizes in weights for name in sizes})
    best: tuple[float, list[str]] = (math.inf, [])
    for number in range(len(names) + 1):
        for allowed in itertools.combinations(names, number):
            best = min(best, _choose(weights, allowed), key=lambda one: one[0])
    return best[1]


def _choose(
    weights: Sequence[Sizes], allowed: Sequence[str]
) -> tuple[float, list[str]]:
    """Returns the total bytes and the choices among `allowed` encodings."""
    total = float(sum(ENCODINGS[name].graph_bytes for name in allowed))
    chosen = []
    for sizes in weights:
        fitting = [name for name in allowed if name in sizes]
        if not fitting:
            return math.inf, []
        chosen.append(min(fitting, key=sizes.__getitem__))
        total += sizes[chosen[-1]]
    return total, chosen
