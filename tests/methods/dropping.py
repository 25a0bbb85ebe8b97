import itertools
import math

import numpy as np

from tests.methods import ranking
from tests.methods.training import Oracle


def paper_times(start, stop, interval):
    """For each batch the time of its mask update, None where it has none.

    RigL, algorithm 1: t mod ΔT = 0 and t < T_end.
    """
    for time in itertools.count():
        due = start <= time < stop and (time - start) % interval == 0
        yield time if due else None


def tf1_times(start, stop, interval):
    """google-research/rigl: an update leaves the global step as it is.

    That repository notes the last update, so that the batch that comes next,
    at the same global step, does not update again.
    """
    global_step, last_update = 0, -interval
    while True:
        due = start <= global_step <= stop
        if due and last_update + interval <= global_step:
            last_update = global_step
            yield global_step
        else:
            yield None
            global_step += 1


def jaxpruner_times(start, stop, interval):
    """google-research/jaxpruner: multiples of the interval, both ends in."""
    for time in itertools.count():
        due = start <= time <= stop and time % interval == 0
        yield time if due else None


def cosine(fraction, progress):
    """RigL, equation 1; Dettmers and Zettlemoyer anneal likewise."""
    return fraction / 2 * (1 + math.cos(math.pi * progress))


def constant(fraction, progress):
    """As SET does."""
    del progress
    return fraction


def inverse_power(fraction, progress, power=3):
    """RigL, the appendix on annealing; linear with a power of 1."""
    return fraction * (1 - progress) ** power


def linear(fraction, progress):
    """An inverse power of 1."""
    return inverse_power(fraction, progress, 1)


def round_drops_down(connections, fraction):
    return connections - math.floor(fraction * connections)


def round_kept_to_nearest(connections, fraction):
    """As jaxpruner does, which never drops all."""
    return max(1, round((1 - fraction) * connections))


class DropAndGrow(Oracle):
    """When connections move, and how many."""

    def __init__(
        self,
        stop,
        interval,
        fraction,
        start=0,
        decay=cosine,
        times=paper_times,
        kept=round_drops_down,
    ):
        self.stop, self.fraction = stop, fraction
        self.decay, self.kept = decay, kept
        self.times = times(start, stop, interval)

    def keep(self, training, path, time):
        """The connections that stay, the largest of those that are there."""
        mask = training.masks[path]
        fraction = self.decay(self.fraction, time / self.stop)
        kept = self.kept(np.count_nonzero(mask), fraction)
        return ranking.largest(training.values[path], mask, kept)


def grow(kept, scores, count):
    """Connects `count` positions outside the kept, just-dropped included."""
    return kept | ranking.largest(scores, ~kept, count)
