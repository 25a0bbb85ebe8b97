"""The encodings of several weights that take the fewest bytes."""

import itertools
import math
from collections.abc import Mapping
from collections.abc import Sequence

from tf_rigl.core.packing import ENCODINGS

# The bytes of one weight by the name of each encoding that fits it.
Sizes = Mapping[str, int]


def choose_smallest(weights: Sequence[Sizes]) -> list[str]:
    """Chooses an encoding, by name, for each weight of a file.

    Each encoding that is used at all costs the graph ops that decode it, so
    that one that is rare must save as much.
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
    """Returns bytes and choices where only some encodings are allowed."""
    total = float(sum(ENCODINGS[name].graph_bytes for name in allowed))
    chosen = []
    for sizes in weights:
        fitting = [name for name in allowed if name in sizes]
        if not fitting:
            return math.inf, []
        chosen.append(min(fitting, key=sizes.__getitem__))
        total += sizes[chosen[-1]]
    return total, chosen
