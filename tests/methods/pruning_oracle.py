"""SNIP, gradual and one-shot pruning, AC/DC: from dense to sparse."""

import fractions

import numpy as np

from tests.methods import network
from tests.methods import ranking
from tests.methods.training import Oracle


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
    """What connections are compared by."""
    if criterion == "magnitude":
        return {path: values[path] for path in network.KERNELS}
    return {
        path: ranking.random(values[path].shape, path, step, seed)
        for path in network.KERNELS
    }


class SNIP(Oracle):
    """Lee et al., arXiv:1810.02340, algorithm 1."""

    def __init__(self, batches=1, scope="global"):
        self.batches, self.scope = batches, scope
        self.total = dict.fromkeys(network.KERNELS, 0.0)

    def step(self, training, batch, step):
        if step >= self.batches:
            super().step(training, batch, step)
            return
        gradients = training.gradients(batch)
        for path in network.KERNELS:
            self.total[path] = self.total[path] + gradients[path]
        if step == self.batches - 1:
            sensitivity = {
                path: self.total[path] * training.values[path]
                for path in network.KERNELS
            }
            keep_largest(training, sensitivity, training.targets, self.scope)


class GradualPruning(Oracle):
    """Zhu and Gupta, arXiv:1710.01878, equation 1."""

    def __init__(
        self,
        stop,
        interval,
        start=0,
        initial_sparsity=0,
        power=3,
        criterion="magnitude",
        scope="weight",
        reach_target=True,
        seed=0,
    ):
        self.start, self.stop, self.interval = start, stop, interval
        self.initial_sparsity = fractions.Fraction(initial_sparsity)
        self.power, self.reach_target = power, reach_target
        self.criterion, self.scope, self.seed = criterion, scope, seed

    def step(self, training, batch, step):
        super().step(training, batch, step)
        since_start = step - self.start
        if not (self.start <= step <= self.stop):
            return
        if since_start % self.interval:
            return
        scores = criterion_scores(
            self.criterion, training.values, step, self.seed
        )
        counts = {
            path: self.connections(path, target, step)
            for path, target in training.targets.items()
        }
        keep_largest(training, scores, counts, self.scope)

    def connections(self, path, target, step):
        """Of a weight after the latest update up to `step`, exactly."""
        size = network.SIZES[path]
        if step < self.start:
            return size
        step = min(step, self.stop)
        step -= (step - self.start) % self.interval
        if self.reach_target and step + self.interval > self.stop:
            return target
        final = 1 - fractions.Fraction(target, size)
        left = 1 - fractions.Fraction(step - self.start, self.stop - self.start)
        gap = self.initial_sparsity - final
        return max(1, round(size * (1 - final - gap * left**self.power)))


class OneShot(Oracle):
    """Han et al., arXiv:1506.02626, with a count instead of a threshold."""

    def __init__(self, at, criterion="magnitude", scope="weight", seed=0):
        self.at = at
        self.criterion, self.scope, self.seed = criterion, scope, seed

    def step(self, training, batch, step):
        super().step(training, batch, step)
        if step == self.at:
            scores = criterion_scores(
                self.criterion, training.values, step, self.seed
            )
            keep_largest(training, scores, training.targets, self.scope)


class ACDC(Oracle):
    """Peste et al., arXiv:2106.12379, algorithm 1: phases take turns.

    A phase begins after the weight update of its first step, where the paper
    has it before. The last to begin, at `stop` or before it, is compressed in
    any case.
    """

    def __init__(self, stop, interval, start=0, scope="weight"):
        self.start, self.stop, self.interval = start, stop, interval
        self.scope = scope

    def step(self, training, batch, step):
        super().step(training, batch, step)
        self.maybe_enter(training, step)

    def maybe_enter(self, training, step):
        """Begins a phase where it is time."""
        phase, since_begin = divmod(step - self.start, self.interval)
        if self.start <= step <= self.stop and since_begin == 0:
            is_last = step + self.interval > self.stop
            self.enter(training, compress=phase % 2 == 0 or is_last)

    def enter(self, training, compress):
        """Begins a phase."""
        if compress:
            scores = training.values
            keep_largest(training, scores, training.targets, self.scope)
            return
        for path in network.KERNELS:
            everything = np.ones(network.SHAPES[path], bool)
            training.set_mask(path, everything)
