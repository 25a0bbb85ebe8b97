import numpy as np

import tf_rigl
from tests.methods import dropping
from tests.methods import network
from tests.methods import ranking
from tests.methods import table
from tests.methods.lockstep import TARGETS
from tests.methods.training import Oracle


class MEST(Oracle):
    """Yuan et al., arXiv:2110.14032: EM and, with a delay, EM&S.

    Moves a fraction, and half of it in the last quarter before the stop.
    """

    def __init__(self, stop, interval, fraction, share=0.01, seed=0, delay=0):
        self.stop, self.interval, self.fraction = stop, interval, fraction
        self.share, self.seed, self.delay = share, seed, delay
        self.surplus = {}

    def step(self, training, batch, step):
        gradients = training.gradients(batch)
        training.descend(gradients)
        for path in network.KERNELS:
            score = np.abs(training.values[path])
            score += self.share * np.abs(gradients[path])
            if self.grows(step):
                mask = training.masks[path]
                if not self.delay:
                    mask = self.drop(mask, score, self.count(mask, step))
                training.set_mask(path, self.grow(training, path, mask, step))
            elif self.delay and self.grows(step - self.delay):
                mask = training.masks[path]
                mask = self.drop(mask, score, self.surplus[path])
                training.set_mask(path, mask)

    def grows(self, step):
        last = step + self.delay
        return step >= 0 and last < self.stop and step % self.interval == 0

    def count(self, mask, step):
        late = step >= 0.75 * self.stop
        fraction = self.fraction / 2 if late else self.fraction
        return int(fraction * np.count_nonzero(mask))

    def drop(self, mask, score, count):
        return ranking.largest(score, mask, np.count_nonzero(mask) - count)

    def grow(self, training, path, mask, step):
        count = self.count(training.masks[path], step)
        self.surplus[path] = count
        scores = ranking.random(mask.shape, path, step, self.seed)
        return dropping.grow(mask, scores, count)


def soft(masks, step):
    """From the growth at 0, 8, ... to the drop at 5, 13, ... there are more."""
    grown = step % 8 < 5 and step < 37
    for path, mask in masks.items():
        target = TARGETS[path]
        share = 0.25 if step >= 30 else 0.5
        extra = int(share * target) if grown else 0
        assert np.count_nonzero(mask) == target + extra, (path, step)


CASES = {
    "mest": table.Case(
        tf_rigl.MEST(table.STOP, table.INTERVAL, 0.5, seed=5),
        lambda: MEST(table.STOP, table.INTERVAL, 0.5, seed=5),
    ),
    "mest_soft": table.Case(
        tf_rigl.MEST(table.STOP, 8, gradient_share=0.5, drop_delay=5),
        lambda: MEST(table.STOP, 8, 0.5, share=0.5, delay=5),
        soft,
    ),
}

WRONG_ORACLES = {
    "mest": lambda: MEST(table.STOP, table.INTERVAL, 0.5, share=0.5, seed=5),
    "mest_soft": lambda: MEST(table.STOP, 8, 0.5, share=0.0, delay=5),
}

ROWS = {
    "mest": table.Row(tf_rigl.MEST(**table.SHORT), part=True),
}

REFUSED = [
    ({"gradient_share": -1}, r"`gradient_share` must be at least 0.*=-1"),
    (
        {"drop_delay": 100},
        r"`drop_delay` must be less than the update interval",
    ),
    ({"drop_delay": 2.5}, r"`drop_delay` must be an integer.*=2\.5"),
    ({"drop_fraction": 2}, r"`drop_fraction` .* in \[0, 1\].*=2"),
]
