"""RigL, SET and SNFS: connections move, their number stays."""

import collections
import fractions
import itertools
import math

import numpy as np

from tests.methods import network
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
    """How many connections are kept where floor(f · nnz) are dropped."""
    return connections - math.floor(fraction * connections)


def round_kept_to_nearest(connections, fraction):
    """As jaxpruner does, which never drops all."""
    return max(1, round((1 - fraction) * connections))


class _DropAndGrow(Oracle):
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


class RigL(_DropAndGrow):
    """Evci et al., arXiv:1911.11134, algorithm 1.

    `grown_value(training, path, gradient)` is what new connections begin at,
    `slot_scale` times the gradient their momentum. `skips` says whether a
    batch that updates the masks trains no weight.
    """

    def __init__(
        self,
        *args,
        grown_value=None,
        slot_scale=0.0,
        gradient_steps=1,
        skips=True,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.grown_value, self.slot_scale = grown_value, slot_scale
        self.skips = skips
        self.recent = collections.deque(maxlen=gradient_steps)

    def step(self, training, batch, step):
        self.recent.append(training.gradients(batch))
        time = next(self.times)
        if time is None or not self.skips:
            training.descend(self.recent[-1])
        if time is None:
            return
        for path in network.KERNELS:
            mean = sum(one[path] for one in self.recent) / len(self.recent)
            self.update(training, path, mean, time)

    def update(self, training, path, gradient, time):
        before = training.masks[path]
        kept = self.keep(training, path, time)
        count = np.count_nonzero(before) - np.count_nonzero(kept)
        training.set_mask(path, grow(kept, gradient, count))
        new = training.masks[path] & ~before
        if self.grown_value is not None:
            value = self.grown_value(training, path, gradient)
            training.values[path] = np.where(new, value, training.values[path])
        training.velocity[path] = np.where(
            new, self.slot_scale * gradient, training.velocity[path]
        )


def scaled_gradient(scale):
    """New connections begin at a multiple of the gradient."""
    return lambda training, path, gradient: scale * gradient


def initial_value(training, path, gradient):
    """New connections begin at what they had before the network was sparse."""
    del gradient
    return training.initial[path]


class SET(_DropAndGrow):
    """Mocanu et al. 2018, with the drop criterion of arXiv:1911.11134."""

    def __init__(self, *args, seed=0, **kwargs):
        super().__init__(*args, **kwargs)
        self.seed = seed

    def step(self, training, batch, step):
        training.descend(training.gradients(batch))
        time = next(self.times)
        if time is None:
            return
        for path in network.KERNELS:
            kept = self.keep(training, path, time)
            count = np.count_nonzero(training.masks[path] & ~kept)
            scores = ranking.random(kept.shape, path, step, self.seed)
            training.set_mask(path, grow(kept, scores, count))


class SNFS(_DropAndGrow):
    """Dettmers and Zettlemoyer, arXiv:1907.04840, algorithm 1."""

    def __init__(self, *args, momentum=0.9, redistribute=False, **kwargs):
        super().__init__(*args, **kwargs)
        self.momentum, self.redistribute = momentum, redistribute
        self.smoothed = dict.fromkeys(network.KERNELS, 0.0)

    def step(self, training, batch, step):
        gradients = training.gradients(batch)
        for path in network.KERNELS:
            self.smoothed[path] = (
                self.momentum * self.smoothed[path]
                + (1 - self.momentum) * gradients[path]
            )
        training.descend(gradients)
        time = next(self.times)
        if time is None:
            return
        kept = {p: self.keep(training, p, time) for p in network.KERNELS}
        for path, count in self.growth(training, kept).items():
            scores = self.smoothed[path]
            training.set_mask(path, grow(kept[path], scores, count))

    def growth(self, training, kept):
        """How many connections each weight grows."""
        dropped = {
            path: np.count_nonzero(training.masks[path] & ~kept[path])
            for path in network.KERNELS
        }
        if not self.redistribute:
            return dropped
        shares = {
            path: np.abs(self.smoothed[path][training.masks[path]]).mean()
            for path in network.KERNELS
        }
        room = {path: np.count_nonzero(~kept[path]) for path in network.KERNELS}
        return apportion(sum(dropped.values()), shares, room)


def apportion(total, shares, room):
    """Splits `total` by largest remainders, never beyond the room there is."""
    shares = {name: fractions.Fraction(share) for name, share in shares.items()}
    fixed = {}
    while True:
        free = [name for name in shares if name not in fixed]
        left = total - sum(fixed.values())
        whole = sum(shares[name] for name in free)
        quotas = {name: left * shares[name] / whole for name in free}
        full = [name for name in free if quotas[name] > room[name]]
        if not full:
            break
        fixed |= {name: room[name] for name in full}
    counts = {name: math.floor(quota) for name, quota in quotas.items()}
    by_remainder = sorted(free, key=lambda name: counts[name] - quotas[name])
    for name in by_remainder[: left - sum(counts.values())]:
        counts[name] += 1
    return fixed | counts
