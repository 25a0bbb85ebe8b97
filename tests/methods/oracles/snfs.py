import numpy as np

import tf_rigl
from tests.core import oracle
from tests.methods import conservation
from tests.methods import dropping
from tests.methods import network
from tests.methods import table


class SNFS(dropping.DropAndGrow):
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
            training.set_mask(path, dropping.grow(kept[path], scores, count))

    def growth(self, training, kept):
        dropped = {
            path: np.count_nonzero(training.masks[path] & ~kept[path])
            for path in network.KERNELS
        }
        if not self.redistribute:
            return dropped
        shares = [
            np.abs(self.smoothed[path][training.masks[path]]).mean()
            for path in network.KERNELS
        ]
        room = [np.count_nonzero(~kept[path]) for path in network.KERNELS]
        grown = oracle.apportion(sum(dropped.values()), shares, room)
        return dict(zip(network.KERNELS, grown, strict=True))


CASES = {
    "snfs": table.Case(
        tf_rigl.SNFS(**table.DYNAMIC), lambda: SNFS(*table.PLAN)
    ),
    "snfs_redistributing": table.Case(
        tf_rigl.SNFS(**table.DYNAMIC, redistribute=True),
        lambda: SNFS(*table.PLAN, redistribute=True),
        conservation.all_together,
    ),
}

WRONG_ORACLES = {
    "snfs": lambda: SNFS(*table.PLAN, momentum=0.8),
    "snfs_redistributing": lambda: SNFS(*table.PLAN),
}

ROWS = {
    "snfs": table.Row(tf_rigl.SNFS(**table.SHORT), part=True),
    "snfs_redistribute": table.Row(
        tf_rigl.SNFS(**table.SHORT, redistribute=True), over_all=True
    ),
}

REFUSED = [({"momentum": 1.5}, r"`momentum` .* in \[0, 1\].*=1\.5")]
